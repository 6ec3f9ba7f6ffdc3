"""What the fit reaches is measured, kept with the models, and shown."""

from __future__ import annotations

from pathlib import Path

import pyfai_grf_models
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.fit import performance
from pyfai_grf.fit.performance import Performance, load_performance


def test_the_bundled_figures_are_those_of_a_fit_that_works() -> None:
    reached = load_performance()
    assert [row["spectrum"] for row in reached.rows] == ["unknown"] * 4 + ["known"] * 4
    for row in reached.rows:
        assert row["frames"] >= 50
        assert row["refused"] <= 0.03
        # 50 frames know a part of 0.9 to 0.042: three of these
        assert row["porosity_inside"] > 0.77
        assert row["a_percent"][0] < row["a_percent"][1]
    unknown, known = reached.rows[2], reached.rows[6]
    assert known["porosity"][0] < unknown["porosity"][0]  # what need not be found costs nothing


def test_a_table_says_them(tmp_path: Path) -> None:
    row = {
        "spectrum": "known",
        "photons": (1e6, 1e7),
        "frames": 60,
        "refused": 0.0125,
        "a_percent": (0.021, 0.1),
        "porosity": (0.0013, 0.004),
        "a_inside": 0.9,
        "porosity_inside": 0.887,
    }
    reached = Performance([row], "frames")
    (line,) = reached.format_table().splitlines()[2:]
    assert line == "| known | 1e6 to 1e7 | 60 | 1.2% | 0.021 | 0.1 | 0.90 | 0.0013 | 0.004 | 0.89 |"


@pytest.mark.parametrize("content", ["", "{}", '{"format": "another"}', '{"format": "pyfai-grf fit performance 1"}'])
def test_what_is_damaged_is_said(content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fit-performance.json").write_text(content)
    monkeypatch.setattr(performance.importlib.resources, "files", lambda package: tmp_path)
    load_performance.cache_clear()
    try:
        with pytest.raises(InputError, match="install pyfai-grf again"):
            load_performance()
    finally:
        load_performance.cache_clear()
    assert Path(pyfai_grf_models.__path__[0], "fit-performance.json").is_file()
