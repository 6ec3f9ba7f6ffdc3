"""What there is to know of a model, as lines and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyfai_grf.core.parameters import MATERIALS
from pyfai_grf.learn.bundle import find_bundled, load_model
from pyfai_grf.learn.evaluate import describe_model

#: ``run`` of conftest.py
Run = Callable[..., Any]


def test_models_describes_bundles(run: Run, small_bundle: Path) -> None:
    (text,) = json.loads(run("models", small_bundle, "--json").out)
    assert text["features"]["q_nm1"][-1] == 2.5
    done = run("models", small_bundle)
    assert done.status == 0
    assert "0.05 to 2.5 1/nm" in done.out


def test_without_a_name_all_that_is_bundled_is_described(run: Run) -> None:
    done = run("models")
    assert (done.status, done.err) == (0, "")
    bundled = find_bundled()
    for name in bundled:
        assert describe_model(load_model(name)) in done.out
    # classes that have no model of their own are named with what they stand for
    others = [line for line in done.out.splitlines() if "stands for" in line]
    assert [line.split(":")[0] for line in others] == [name for name in MATERIALS if name not in bundled]
    assert "validated on a real material" in done.out


def test_json_is_all_there_is_to_know(run: Run, small_bundle: Path) -> None:
    names = ["two-phase-low-porosity@paper", str(small_bundle)]
    done = run("models", *names, "--json")
    found = json.loads(done.out)
    assert [entry["bundle_sha256"] for entry in found] == [load_model(name).sha256 for name in names]
    for entry, name in zip(found, names, strict=True):
        assert load_model(name).to_json().items() <= entry.items()


def test_named_models_come_without_the_others(run: Run, small_bundle: Path) -> None:
    done = run("models", small_bundle)
    assert describe_model(load_model(small_bundle)) in done.out
    assert "[paper]" not in done.out
    assert "stands for" not in done.out


def test_one_name_that_is_wrong_is_one_line(run: Run, small_bundle: Path) -> None:
    done = run("models", small_bundle, "wood")
    assert (done.status, done.out, len(done.complaints)) == (1, "", 1)
    assert "'wood'" in done.err
