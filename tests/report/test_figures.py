"""Pictures are written whole for every kind of input, state what they show, and load nothing that needs a screen."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Curve, Prediction, PredictionRow
from pyfai_grf.report import figures
from pyfai_grf.report.figures import compute_errors, draw_analysis, draw_evaluation, draw_series, make_bars
from tests.report.fits import I, Q, make_fit

REASON = "the curve lies outside the training data: distance 5.3, limit 2.1"


def _make_prediction(count: int = 2) -> Prediction:
    """Return predictions of which the last is not applicable."""
    values = {"a": np.full(count, 4.012), "porosity": np.full(count, 0.7031), "layer_fraction": np.full(count, 0.2)}
    lower = {name: 0.98 * value for name, value in values.items()}
    upper = {name: 1.02 * value for name, value in values.items()}
    applies = np.arange(count) < count - 1
    return Prediction(values, lower, upper, applies, ("",) * (count - 1) + (REASON,))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that were saved, to ask what is on them."""
    saved: list[Figure] = []
    save = figures._save

    def _keep(figure: Figure, path: str | Path) -> None:
        saved.append(figure)
        save(figure, path)

    monkeypatch.setattr(figures, "_save", _keep)
    return saved


def _read_words(figure: Figure) -> str:
    return " | ".join(" ".join(t.get_text().split()) for t in figure.findobj(matplotlib.text.Text) if t.get_text())


def _check_picture(path: Path) -> None:
    """A picture of that name, larger than a stamp and not of one colour."""
    pixels = matplotlib.image.imread(path)
    assert min(pixels.shape[:2]) > 300
    assert np.ptp(pixels[..., :3]) > 0.5


def _make_frame() -> np.ndarray:
    y, x = np.mgrid[:120, :100]
    counts = np.random.default_rng(0).poisson(500 / (1 + (0.05 * np.hypot(y - 50, x - 60)) ** 4)).astype(np.int32)
    counts[40:44] = -1
    return counts


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_analysis_in_every_format(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"picture{suffix}"
    rows = make_bars("three-phase-high-porosity", _make_prediction())
    draw_analysis(path, curve=Curve(Q, I, 0.01 * I), bars=rows, frame=_make_frame(), q_range_nm1=(0.04, 3))
    start = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}[suffix]
    assert path.read_bytes().startswith(start)
    if suffix == ".png":
        _check_picture(path)


def test_analysis_states_values_intervals_and_truth(drawn: list[Figure], tmp_path: Path) -> None:
    rows = make_bars("three-phase-high-porosity@paper", _make_prediction())
    truth = {"a": 4.0, "porosity": 0.7}
    draw_analysis(tmp_path / "p.png", curve=Curve(Q, I), bars=rows, truth=truth, frame=_make_frame(), title="silica")
    words = _read_words(drawn[0])
    # the interval is 0.16 nm wide, so the hundredths are worth a digit and the thousandths are not
    assert "4.01 nm (3.93 to 4.09)" in words
    assert "0.703 (0.689 to 0.717)" in words
    assert "truth 4" in words
    assert "truth 0.7" in words
    assert "silica" in words
    assert "0.5 | " in words  # the class's porosity begins at 0.5
    assert "not applicable" not in words
    assert len(drawn[0].axes) == 3
    _check_picture(tmp_path / "p.png")


def test_analysis_says_why_not(drawn: list[Figure], tmp_path: Path) -> None:
    rows = make_bars("two-phase-high-porosity", _make_prediction(), index=1)
    assert [row.name for row in rows] == ["a", "porosity"]
    draw_analysis(tmp_path / "p.png", curve=Curve(Q, I), bars=rows, q_range_nm1=(0.04, 3.0))
    assert f"not applicable: {REASON}" in _read_words(drawn[0])
    assert len(drawn[0].axes) == 2  # no frame, no panel for it


@pytest.mark.parametrize("with_frame", [False, True])
def test_a_long_reason_is_shown_whole(with_frame: bool, drawn: list[Figure], tmp_path: Path) -> None:
    said = _make_prediction()
    reason = "; ".join(f"reason {n}: {REASON}" for n in range(9))
    rows = make_bars("two-phase-high-porosity", replace(said, reasons=("", reason)), index=1)
    frame = _make_frame() if with_frame else None
    draw_analysis(tmp_path / "p.png", curve=Curve(Q, I), bars=rows, frame=frame)
    (figure,) = drawn
    assert f"not applicable: {reason}" in _read_words(figure)
    figure.draw_without_rendering()  # at the figure's own resolution again
    label: Any = figure._supxlabel  # type: ignore[attr-defined]
    extent, page = label.get_window_extent(), figure.bbox
    assert 0.7 * page.width < extent.width < page.width  # as wide as the picture, and no wider
    assert extent.y1 < min(panel.get_tightbbox().y0 for panel in figure.axes)  # under all panels
    _check_picture(tmp_path / "p.png")


def test_an_endless_reason_says_where_the_rest_stands(drawn: list[Figure], tmp_path: Path) -> None:
    rows = make_bars("two-phase-high-porosity", replace(_make_prediction(), reasons=("", f"{REASON}; " * 90)), index=1)
    draw_analysis(tmp_path / "p.png", curve=Curve(Q, I), bars=rows)
    assert "... (the rest stands in the results file, sasprocess/reason)" in _read_words(drawn[0])
    assert drawn[0].get_size_inches()[1] < 8


def _find_overlaps(figure: Figure) -> list[tuple[str, str]]:
    """Return the pairs of texts of different panels, or of one panel beside its ticks, that lie over another."""
    figure.draw_without_rendering()
    texts = [t for t in figure.findobj(matplotlib.text.Text) if t.get_text().strip() and t.get_visible()]
    ticks = {id(label) for panel in figure.axes for label in [*panel.get_xticklabels(), *panel.get_yticklabels()]}
    boxes = [(t.get_text(), t.get_window_extent()) for t in texts if id(t) not in ticks]
    boxes = [(text, box) for text, box in boxes if box.width > 0 and box.x1 > 0 and box.y1 > 0]
    return [(a, b) for n, (a, one) in enumerate(boxes) for b, other in boxes[n + 1 :] if one.overlaps(other)]


@pytest.mark.parametrize("reason", ["", "no curve of this family fits: chi-square 33, above the fit from 0.2 to 0.3"])
@pytest.mark.parametrize("with_frame", [False, True])
def test_analysis_with_a_fit(reason: str, with_frame: bool, drawn: list[Figure], tmp_path: Path) -> None:
    values = {"a": 4.012, "porosity": 0.3, "spectrum_n": 8.04, "spread": 0.05}
    residual = np.where((Q > 1) & (Q < 1.2), np.nan, (30 if reason else 1) * np.sin(30 * Q))
    upturn = 100 * (Q / Q[0]) ** -3
    fit = make_fit(background=0.5, upturn=upturn, residual=residual, values=values, reason=reason, chi2=33.2)
    curve = Curve(Q, np.where(Q > 2.8, -1.0, fit.curve), 0.01 * I)
    frame = _make_frame() if with_frame else None
    bars = make_bars("two-phase-low-porosity", fit)
    draw_analysis(tmp_path / "p.png", curve=curve, bars=bars, frame=frame, q_range_nm1=(0.04, 3.0), fit=fit, title="t")
    (figure,) = drawn
    words = _read_words(figure)
    for text in (
        "4.012 nm (3.972 to 4.052)",
        "spectrum n",
        "8.04 (7.96 to 8.12)",
        "chi-square 33.2",
        "left out of the fit",
    ):
        assert text in words
    assert ("fit (90 % interval)" in words) == (not reason)
    assert (f"not applicable: {reason}" in words) == bool(reason)
    assert len(figure.axes) == 4 + with_frame
    assert _find_overlaps(figure) == []
    _check_picture(tmp_path / "p.png")


def test_the_fit_that_failed_is_named_where_the_model_answers(drawn: list[Figure], tmp_path: Path) -> None:
    row = PredictionRow({"a": 4.0}, {"a": 3.9}, {"a": 4.1}, True, "", "model")
    fit = make_fit(reason=REASON)
    draw_analysis(tmp_path / "p.png", curve=Curve(Q, I), bars=make_bars("two-phase-low-porosity", row), fit=fit)
    words = _read_words(drawn[0])
    assert "model (90 % interval)" in words
    assert f"fit refused: {REASON}" in words
    assert "not applicable" not in words
    assert _find_overlaps(drawn[0]) == []


def test_analysis_of_a_curve_that_is_refused_altogether(drawn: list[Figure], tmp_path: Path) -> None:
    bars = make_bars("two-phase-low-porosity", PredictionRow.make_empty(("a", "porosity"), "; ".join([REASON] * 9)))
    fit = make_fit(values={}, reason="no shoulder lies between 0.04 and 3 per nm", residual=np.full(200, 1e3))
    draw_analysis(tmp_path / "p.pdf", curve=Curve(Q, I, 0.1 * I), bars=bars, fit=fit)
    words = _read_words(drawn[0])
    assert words.count("no value") == 2
    assert "fit refused: no shoulder lies between 0.04 and 3 per nm" in words
    assert _find_overlaps(drawn[0]) == []


@pytest.mark.parametrize("kind", ["prediction", "row", "fit"])
def test_bars_of_whatever_says_something_of_a_curve(kind: str) -> None:
    fit = make_fit(values={"a": 4.0, "porosity": 0.3, "spectrum_n": 8.0})
    row = PredictionRow(fit.values, fit.lower, fit.upper, True, "", "model and fit", None, fit)
    said: Any = {"prediction": Prediction.from_rows([row]), "row": row, "fit": fit}[kind]
    bars = make_bars("two-phase-low-porosity", said)
    assert [(bar.name, bar.value, bar.reason) for bar in bars] == [("a", 4.0, ""), ("porosity", 0.3, "")]
    assert {bar.source for bar in bars} == {"fit" if kind == "fit" else "model and fit"}


def test_bars_of_a_refused_fit_say_why() -> None:
    bars = make_bars("two-phase-low-porosity", make_fit(reason="no"))
    assert {bar.reason for bar in bars} == {"no"}


def test_analysis_without_values_and_with_negative_points(drawn: list[Figure], tmp_path: Path) -> None:
    nan = {name: np.array([np.nan]) for name in ("a", "porosity")}
    prediction = Prediction(nan, nan, nan, np.array([False]), ("the curve ends at q = 1.2 nm^-1",))
    rows = make_bars("two-phase-low-porosity", prediction)
    curve = Curve(Q, np.where(Q > 2.5, -1.0, I), 0.01 * I)
    draw_analysis(tmp_path / "p.png", curve=curve, bars=rows)
    words = _read_words(drawn[0])
    assert words.count("no value") == 2
    assert f"{np.count_nonzero(Q > 2.5)} of 200 points ≤ 0, not shown" in words


@pytest.mark.parametrize("value", [np.nan, 0.0, -1.0])
def test_analysis_of_a_curve_that_logarithms_cannot_show(value: float, tmp_path: Path) -> None:
    draw_analysis(tmp_path / "p.png", curve=Curve(Q, np.full(200, value)), bars=[])
    _check_picture(tmp_path / "p.png")


def test_file_names_are_not_formulas(drawn: list[Figure], tmp_path: Path) -> None:
    """A lone or doubled dollar is legal in a file name, and an error in a formula."""
    name = r"scan_$\frac$_0001.edf"
    curve = Curve(Q, I, metadata={"intensity_unit": "$/cm$^"})
    rows = make_bars("two-phase-high-porosity", _make_prediction(), index=1)
    draw_analysis(tmp_path / "p.png", curve=curve, bars=rows, title=name)
    assert name in _read_words(drawn[0])


def test_analysis_of_a_flat_short_curve(tmp_path: Path) -> None:
    draw_analysis(tmp_path / "p.png", curve=Curve(Q[:12], np.full(12, 7.0), np.full(12, 7.0)), bars=[])
    _check_picture(tmp_path / "p.png")


def test_series_has_a_panel_a_parameter_and_marks_what_does_not_apply(drawn: list[Figure], tmp_path: Path) -> None:
    prediction = _make_prediction(12)
    prediction.values["a"][5] = np.nan
    draw_series(tmp_path / "s.png", prediction, truth={"porosity": 0.7}, title="heating")
    (figure,) = drawn
    assert len(figure.axes) == 3
    words = _read_words(figure)
    for label in ("90 % interval", "not applicable", "no value", "truth", "a (nm)", "layer fraction", "frame"):
        assert label in words
    hollow = next(line for line in figure.axes[0].lines if line.get_label() == "not applicable")
    np.testing.assert_array_equal(hollow.get_xdata(), [11])
    assert hollow.get_markerfacecolor() == "white"
    line = next(line for line in figure.axes[0].lines if line.get_label() == "prediction")
    np.testing.assert_array_equal(np.isnan(line.get_ydata()), [i in (5, 11) for i in range(12)])
    _check_picture(tmp_path / "s.png")


@pytest.mark.parametrize("refused", ["half", "all"])
def test_series_with_fits_and_curves(refused: str, drawn: list[Figure], tmp_path: Path) -> None:
    reasons = [REASON if refused == "all" or n >= 15 else "" for n in range(30)]
    fits = [make_fit(reason=reason, chi2=40.0 if reason else 1.0) for reason in reasons]
    rows = [
        PredictionRow(fit.values, fit.lower, fit.upper, fit.is_applicable, fit.reason, "fit", None, fit) for fit in fits
    ]
    rows[5] = PredictionRow.make_empty(("a", "porosity"), "too short")
    curves = {n: Curve(Q, I, 0.1 * I) for n in range(0, 30, 3)}
    draw_series(tmp_path / "s.png", Prediction.from_rows(rows), frames=np.arange(30) + 100, title="t", curves=curves)
    (figure,) = drawn
    *parameters, chi2, waterfall = figure.axes
    assert [panel.get_ylabel() for panel in parameters] == ["a (nm)", "porosity"]
    assert chi2.get_ylabel() == "chi-square"
    assert chi2.get_xlabel() == "frame"
    for panel in (*parameters, chi2):
        (hollow,) = [line for line in panel.lines if line.get_label() == "not applicable"]
        assert len(np.asarray(hollow.get_xdata())) == (29 if refused == "all" else 15)
    assert len([line for line in waterfall.lines if str(line.get_label()).startswith("data")]) == 8
    assert [text.get_text() for text in waterfall.texts][-1].startswith("127")
    assert _find_overlaps(figure) == []
    _check_picture(tmp_path / "s.png")


def test_series_with_fits_and_no_curves_has_no_waterfall(drawn: list[Figure], tmp_path: Path) -> None:
    fit = make_fit()
    row = PredictionRow(fit.values, fit.lower, fit.upper, True, "", "fit", None, fit)
    draw_series(tmp_path / "s.png", Prediction.from_rows([row, row]), curves={})
    assert [panel.get_ylabel() for panel in drawn[0].axes] == ["a (nm)", "porosity", "chi-square"]


@pytest.mark.parametrize("count", [1, 2, 500])
def test_series_of_any_length(count: int, tmp_path: Path) -> None:
    draw_series(tmp_path / "s.png", _make_prediction(count), frames=np.linspace(20, 900, count))
    _check_picture(tmp_path / "s.png")


def test_empty_series_is_refused(tmp_path: Path) -> None:
    nothing = Prediction({}, {}, {}, np.array([], dtype=bool), ())
    with pytest.raises(InputError, match="without a single prediction"):
        draw_series(tmp_path / "s.png", nothing)


def test_errors_are_those_of_the_paper() -> None:
    """By hand: differences 0.1 and -0.2 of 1 and 4, so MSE (0.01 + 0.04)/2 and MAPE (10 + 5)/2 %."""
    assert compute_errors(np.array([1.0, 4.0]), np.array([1.1, 3.8])) == pytest.approx((0.025, 7.5))


def test_evaluation_states_both_errors(drawn: list[Figure], tmp_path: Path) -> None:
    truth = {"a": np.array([1.0, 4.0, 2.0]), "porosity": np.array([0.5, 0.6, 0.7])}
    predicted = {"a": np.array([1.1, 3.8, np.nan]), "porosity": truth["porosity"]}
    draw_evaluation(tmp_path / "e.png", truth, predicted, reference={"a": (3.199e-3, 0.617)}, title="test set")
    first, second = (axes.get_title() for axes in drawn[0].axes)
    assert first == ("MSE $2.50 \\cdot 10^{-2}$, MAPE 7.50 %\npublished: MSE $3.20 \\cdot 10^{-3}$, MAPE 0.62 %")
    assert second == "MSE 0, MAPE 0 %"
    _check_picture(tmp_path / "e.png")


def test_evaluation_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to draw"):
        draw_evaluation(tmp_path / "e.png", {"a": [1.0]}, {"porosity": [0.5]})


@pytest.mark.parametrize("name", ["gone/p.png", "p.docx", "folder.png"])
def test_picture_that_cannot_be_written_is_one_line(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match=r"cannot write .*\.(png|docx)") as caught:
        draw_analysis(tmp_path / name, curve=Curve(Q, I), bars=[])
    assert "\n" not in str(caught.value)


def test_pyplot_stays_out() -> None:
    code = "import sys, pyfai_grf.report.figures; print('matplotlib.pyplot' in sys.modules)"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "False"
