"""What two machines compare before they share work."""

from __future__ import annotations

import pytest

import pyfai_grf
from pyfai_grf.core import versions


@pytest.mark.parametrize("name", ["GENERATOR_VERSION", "RECIPE_VERSION"])
def test_every_version_counts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = versions.describe_versions()
    assert before.startswith(f"pyfai-grf {pyfai_grf.__version__}, ")
    monkeypatch.setattr(versions, name, 99)
    assert versions.describe_versions() != before
