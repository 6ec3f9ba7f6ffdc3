"""What a results file says of its origin: versions that are installed, and a time that means one moment."""

from __future__ import annotations

import importlib.metadata
import time
from dataclasses import fields
from datetime import datetime, timedelta

import numpy as np
import pytest

import pyfai_grf
from pyfai_grf.core.provenance import PROVENANCE_TEXTS, Provenance, collect_versions, format_now


def make_provenance() -> Provenance:
    return Provenance("m", "b", "measured", "0" * 64, "1", "roding2022", None, np.ones(3), ("a",))


def test_versions_are_those_that_are_installed() -> None:
    versions = collect_versions()
    assert versions.pop("pyfai-grf") == pyfai_grf.__version__
    assert {"pyFAI", "silx", "fabio", "h5py", "numpy", "scipy"} <= versions.keys()
    assert versions["numpy"] == np.__version__
    # whichever distribution brings the module
    assert {"xgboost", "xgboost-cpu"} & versions.keys()
    assert versions == {name: importlib.metadata.version(name) for name in versions}


def test_what_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = importlib.metadata.version

    def find(name: str) -> str:
        if name == "silx":
            raise importlib.metadata.PackageNotFoundError(name)
        return installed(name)

    before = collect_versions()
    monkeypatch.setattr(importlib.metadata, "version", find)
    assert collect_versions() == {name: version for name, version in before.items() if name != "silx"}


def test_time_has_whole_seconds_and_a_zone() -> None:
    before = datetime.now().astimezone()
    text = format_now()
    after = datetime.now().astimezone()
    found = datetime.fromisoformat(text)
    assert found.tzinfo is not None
    assert found.microsecond == 0
    assert before - timedelta(seconds=1) < found <= after


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of a process cannot be changed here")
@pytest.mark.parametrize(("zone", "offset"), [("UTC0", "+00:00"), ("NPT-5:45", "+05:45"), ("HST10", "-10:00")])
def test_zone_is_that_of_the_machine(zone: str, offset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        text = format_now()
    time.tzset()
    assert text.endswith(offset)


def test_each_record_states_its_own_versions_and_time() -> None:
    one, other = make_provenance(), make_provenance()
    assert one.versions == collect_versions()
    assert one.versions is not other.versions
    assert datetime.fromisoformat(one.created) <= datetime.fromisoformat(other.created)


def test_texts_are_fields_that_hold_text() -> None:
    known = {field.name for field in fields(Provenance)}
    assert set(PROVENANCE_TEXTS) <= known
    assert {type(getattr(make_provenance(), name)) for name in PROVENANCE_TEXTS} == {str}
