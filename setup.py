"""The long description, which pyproject.toml cannot make: README.md as a package index can show it.

An index shows the text alone: no picture beside it, no page that a relative link leads to. Everything else that
describes this package is in pyproject.toml.
"""

import re
from pathlib import Path

from setuptools import setup


def make_description(readme: str) -> str:
    """Return the README without pictures of this folder, and with links into it as the names of files."""
    readme = re.sub(r"^!\[[^\]]*\]\((?!https?:)[^)]*\)\n+", "", readme, flags=re.MULTILINE)
    return re.sub(r"\[([^\]]+)\]\((?!https?:|#)([^)]+)\)", r"\1 (`\2` in the source distribution)", readme)


setup(
    long_description=make_description(Path(__file__).with_name("README.md").read_text(encoding="utf-8")),
    long_description_content_type="text/markdown",
)
