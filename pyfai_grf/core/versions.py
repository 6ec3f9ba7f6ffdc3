"""The versions: what has to be the same on two machines for the same seed to give the same numbers there."""

from __future__ import annotations

PACKAGE_VERSION = "0.1.0"
#: raised whenever the same seed would give another structure; stored with every structure
GENERATOR_VERSION = 2
#: raised whenever the same seed would give other boxes for the three-phase table; boxes of two versions do not mix
RECIPE_VERSION = 1


def describe_versions() -> str:
    """Return the versions as one text, which two machines compare."""
    return f"pyfai-grf {PACKAGE_VERSION}, generator {GENERATOR_VERSION}, recipe {RECIPE_VERSION}"
