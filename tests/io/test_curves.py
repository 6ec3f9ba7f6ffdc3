"""Curves come back as other programs wrote them, in 1/nm; whatever is not certain is refused in one line."""

from __future__ import annotations

import gzip
import importlib.util
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.features.points import clean_curve
from pyfai_grf.io.curves import collect_curves, read_curves

ROOT = Path(__file__).parents[2]

Q = np.linspace(0.05, 3.0, 40)
I = 1e4 / (1 + (2 * Q) ** 4)  # noqa: E741
SIGMA = 0.01 * I

# pyFAI's text has seven significant digits, its HDF5 writer single precision
SINGLE = 1e-6


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _table(*columns: np.ndarray, separator: str = " ") -> str:
    return "\n".join(separator.join(f"{x:.9e}" for x in row) for row in zip(*columns, strict=True)) + "\n"


def _check(curve, q=Q, intensity=I, sigma: np.ndarray | None = SIGMA, rtol: float = 1e-9) -> None:
    np.testing.assert_allclose(curve.q_nm1, q, rtol=rtol)
    np.testing.assert_allclose(curve.intensity, intensity, rtol=rtol)
    if sigma is None:
        assert curve.sigma is None
    else:
        np.testing.assert_allclose(curve.sigma, sigma, rtol=rtol)


# --- files that pyFAI itself writes ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results() -> dict:
    """The same Poisson frame integrated by pyFAI over q in 1/nm and 1/A and over 2 theta, with and without errors."""
    from pyFAI.detectors import Detector
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    detector = Detector(1e-3, 1e-3, max_shape=(80, 80), orientation=3)
    ai = AzimuthalIntegrator(dist=1.0, poni1=0.04, poni2=0.04, detector=detector, wavelength=1e-10)
    frame = np.random.default_rng(3).poisson(100, (80, 80)).astype(np.float32)
    method = ("no", "histogram", "cython")
    return {
        (unit, model): ai.integrate1d_ng(frame, 60, unit=unit, error_model=model, method=method)
        for unit in ("q_nm^-1", "q_A^-1", "2th_deg")
        for model in ("poisson", None)
    }


def _write_nxcansas(path: Path, result) -> None:
    from pyFAI.io.nexus import save_NXcansas

    save_NXcansas(str(path), result, title="silica")


def _write_nxmonopd(path: Path, result) -> None:
    from pyFAI.io.nexus import save_NXmonpd

    save_NXmonpd(str(path), result)


def _write_nxazint1d(path: Path, result) -> None:
    from pyFAI.io import nexus

    if not hasattr(nexus, "save_NXazint1d"):
        pytest.skip("this pyFAI is older than NXazint1d")
    nexus.save_NXazint1d(str(path), [result])


def _write_integrate(path: Path, result, frames: int = 1) -> None:
    """As ``pyFAI-integrate -o out.h5`` writes."""
    from pyFAI.io import HDF5Writer
    from pyFAI.io.integration_config import WorkerConfig

    writer = HDF5Writer(str(path), append_frames=True)
    writer.init(WorkerConfig(nbpt_rad=len(result.radial), unit=result.unit))
    for _ in range(frames):
        writer.write(result)
    writer.close()


def _write_text(path: Path, result) -> None:
    from pyFAI.io import save_integrate_result

    save_integrate_result(str(path), result)


WRITERS = {
    "nxcansas": _write_nxcansas,
    "nxmonopd": _write_nxmonopd,
    "nxazint1d": _write_nxazint1d,
    "integrate": _write_integrate,
}


@pytest.mark.parametrize(
    ("writer", "unit"),
    # pyFAI refuses NXazint1d in 1/nm
    [(w, u) for w in WRITERS for u in ("q_nm^-1", "q_A^-1") if (w, u) != ("nxazint1d", "q_nm^-1")],
)
def test_pyfai_hdf5_reads_back(writer: str, unit: str, results, tmp_path: Path) -> None:
    result = results[unit, "poisson"]
    WRITERS[writer](tmp_path / "curve.h5", result)
    (curve,) = read_curves(tmp_path / "curve.h5")
    factor = 10 if unit == "q_A^-1" else 1
    _check(curve, result.radial * factor, result.intensity, result.sem, SINGLE)
    assert curve.metadata["frame"] == 0
    assert curve.metadata["source"].startswith(f"{tmp_path}/curve.h5::/entry")


def test_pyfai_nxcansas_keeps_weight_and_title(results, tmp_path: Path) -> None:
    result = results["q_nm^-1", "poisson"]
    _write_nxcansas(tmp_path / "curve.h5", result)
    (curve,) = read_curves(tmp_path / "curve.h5")
    np.testing.assert_allclose(curve.weight, result.sum_normalization, rtol=SINGLE)
    assert curve.metadata["title"] == "silica"
    assert curve.metadata["q_unit"] == "1/nm"


@pytest.mark.parametrize("writer", ["nxazint1d", "integrate"])
def test_pyfai_without_error_model_has_no_sigma(writer: str, results, tmp_path: Path) -> None:
    result = results["q_A^-1", None]
    WRITERS[writer](tmp_path / "curve.h5", result)
    _check(read_curves(tmp_path / "curve.h5")[0], result.radial * 10, result.intensity, None, SINGLE)


@pytest.mark.parametrize("writer", WRITERS)
def test_pyfai_over_two_theta_is_refused_whatever_is_said(writer: str, results, tmp_path: Path) -> None:
    WRITERS[writer](tmp_path / "curve.h5", results["2th_deg", "poisson"])
    for unit in (None, "nm"):
        with pytest.raises(InputError, match=r"curve\.h5::/entry.*scattering angle"):
            read_curves(tmp_path / "curve.h5", unit)


def test_pyfai_stack_gives_a_curve_a_frame(results, tmp_path: Path) -> None:
    _write_integrate(tmp_path / "stack.h5", results["q_nm^-1", "poisson"], frames=3)
    for inner in ("", "::/entry_0000", "::/entry_0000/integrate/results", "::/entry_0000/integrate/results/data"):
        curves = read_curves(f"{tmp_path}/stack.h5{inner}")
        assert [c.metadata["frame"] for c in curves] == [0, 1, 2]


def test_pyfai_text_without_sigma_says_its_unit(results, tmp_path: Path) -> None:
    for unit, factor in (("q_nm^-1", 1), ("q_A^-1", 10)):
        result = results[unit, None]
        # a file name is part of the header, and no statement about the unit
        path = tmp_path / f"q_A^-1 or q (1_nm) {factor}.dat"
        _write_text(path, result)
        _check(read_curves(path)[0], result.radial * factor, result.intensity, None, SINGLE)


def test_pyfai_text_with_sigma_has_lost_its_unit(results, tmp_path: Path) -> None:
    """pyFAI leaves a literal ``#{str(dim1_unit):14s}`` in that header; 2025.3 and older wrote the unit."""
    result = results["q_nm^-1", "poisson"]
    _write_text(tmp_path / "curve.dat", result)
    if "{str(dim1_unit)" in (tmp_path / "curve.dat").read_text():
        with pytest.raises(InputError, match=r"state it, nm\^-1 or A\^-1$"):
            read_curves(tmp_path / "curve.dat")
    _check(read_curves(tmp_path / "curve.dat", "nm")[0], result.radial, result.intensity, result.sem, SINGLE)


def test_pyfai_text_over_two_theta_is_refused(results, tmp_path: Path) -> None:
    _write_text(tmp_path / "curve.dat", results["2th_deg", None])
    with pytest.raises(InputError, match="scattering angle"):
        read_curves(tmp_path / "curve.dat", "nm")


def test_pyfai_bins_without_pixels_are_gaps(results, tmp_path: Path) -> None:
    """pyFAI writes 0 +- 0 where a bin has no pixel: a gap, not a measured zero."""
    from pyFAI.detectors import Detector
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    detector = Detector(1e-3, 1e-3, max_shape=(80, 80), orientation=3)
    ai = AzimuthalIntegrator(dist=1.0, poni1=0.04, poni2=0.04, detector=detector, wavelength=1e-10)
    ring = (np.hypot(*np.mgrid[-39.5:40, -39.5:40]) // 10) == 2
    result = ai.integrate1d_ng(
        np.full((80, 80), 9.0, np.float32), 40, mask=ring, unit="q_nm^-1", error_model="poisson",
        method=("no", "histogram", "cython"),
    )  # fmt: skip
    empty = result.count == 0
    assert empty.any()
    for name in ("nxcansas", "nxmonopd", "integrate"):
        WRITERS[name](tmp_path / f"{name}.h5", result)
        (curve,) = map(clean_curve, read_curves(tmp_path / f"{name}.h5"))
        np.testing.assert_allclose(curve.q_nm1, result.radial[~empty], rtol=SINGLE)
        assert "no pixel in the bin" in " ".join(curve.metadata["warnings"])


# --- files of other programs -------------------------------------------------------------------------------------


def _find_example(name: str) -> Path:
    spec = importlib.util.find_spec("sasdata")
    if spec is None or spec.origin is None:
        pytest.skip("sasdata, whose example files are read here, is not installed")
    path = Path(spec.origin).parent / "example_data" / "1d_data" / name
    if not path.exists():
        pytest.skip(f"this sasdata comes without {name}")
    return path


@pytest.mark.parametrize(
    ("name", "points", "low", "high"),
    # q range in 1/nm: ten times what the files hold in 1/angstrom
    [("FK403_0006_Nika.hdf", 118, 0.385, 16.5), ("Lew_Sa3_DSM_QinA.h5", 490, 0.00112, 16.4)],
)
def test_nika_and_irena(name: str, points: int, low: float, high: float) -> None:
    (curve,) = read_curves(_find_example(name))
    assert len(curve.q_nm1) == points
    assert curve.q_nm1[0] == pytest.approx(low, rel=2e-3)
    assert curve.q_nm1[-1] == pytest.approx(high, rel=5e-3)
    assert curve.sigma is not None
    assert (curve.sigma > 0).all()
    assert curve.metadata["q_unit"] == "1/angstrom"
    assert curve.metadata["intensity_unit"] == "1/cm"


def test_irena_heating_series_has_240_entries() -> None:
    path = _find_example("VTMA.h5")
    curves, problems = collect_curves(path)
    assert (len(curves), problems) == (240, [])
    assert len({c.metadata["source"] for c in curves}) == len({c.metadata["title"] for c in curves}) == 240
    entry = curves[7].metadata["title"]
    (alone,) = read_curves(f"{path}::/{entry}")
    np.testing.assert_array_equal(alone.intensity, curves[7].intensity)


def test_mantid_spells_unit_without_s() -> None:
    (curve,) = read_curves(_find_example("33837rear_1D_1.75_16.5_NXcanSAS.h5"))
    assert curve.q_nm1[-1] == pytest.approx(6.19, rel=1e-3)
    assert curve.metadata["title"] == "MH4_5deg_16T_SLOW"


def test_table_without_header_asks_for_the_unit() -> None:
    path = _find_example("Alumina_usaxs.csv")
    with pytest.raises(InputError, match=r"does not say its q unit: state it, nm\^-1 or A\^-1$"):
        read_curves(path)
    in_angstrom, in_nm = read_curves(path, "A")[0], read_curves(path, "nm")[0]
    np.testing.assert_allclose(in_angstrom.q_nm1, 10 * in_nm.q_nm1)
    assert len(in_nm.q_nm1) == 112


# --- HDF5, made here ---------------------------------------------------------------------------------------------


def _make_nxdata(parent: h5py.Group, name: str, intensity, axes, unit: str | None = "nm^-1", **more) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs.update({"NX_class": "NXdata", "signal": "intensity", "axes": axes})
    group["intensity"] = intensity
    group["q"] = Q
    if unit is not None:
        group["q"].attrs["units"] = unit
    for key, value in more.items():
        group[key] = value
    return group


def test_ewoksxrpd_layout_is_found_through_links(tmp_path: Path) -> None:
    """The processed file holds the numbers; the scan's own file links to them; NaN errors mean no error model."""
    with h5py.File(tmp_path / "processed.h5", "w") as file:
        process = file.create_group("1.1/pyfai")
        process.attrs["NX_class"] = "NXprocess"
        errors = np.full((2, 40), np.nan)
        _make_nxdata(process, "integrated", np.stack([I, 2 * I]), [".", "q"], intensity_errors=errors)
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["1.1/pyfai"] = h5py.ExternalLink("processed.h5", "/1.1/pyfai")
        file["1.1/again"] = h5py.SoftLink("/1.1/pyfai")
        file["1.1/loop"] = h5py.SoftLink("/")
        file["1.1/lost"] = h5py.ExternalLink("gone.h5", "/1.1")
    first, second = read_curves(tmp_path / "scan.h5")
    _check(first, sigma=np.full(40, np.nan))
    _check(second, intensity=2 * I, sigma=np.full(40, np.nan))
    assert np.all(clean_curve(first).sigma > 0)


@pytest.mark.parametrize("inner", ["", "/last", "/last/shown", "/last/shown/intensity", "/chosen", "/chosen/"])
def test_links_that_cross_files_are_named_as_the_user_reaches_them(inner: str, tmp_path: Path) -> None:
    """As in a master file of BLISS: the scans are links to another file, and links within the master lead to them."""
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["1.1/title"] = "ascan"
        _make_nxdata(file, "1.1/integrated", I, ["q"])
        file["1.1/shown"] = h5py.SoftLink("/1.1/integrated")
    with h5py.File(tmp_path / "master.h5", "w") as file:
        file["sample_1.1"] = h5py.ExternalLink("scan.h5", "/1.1")
        file["last"] = h5py.SoftLink("/sample_1.1")
        file["chosen"] = h5py.SoftLink("/sample_1.1/integrated")
    (curve,) = read_curves(f"{tmp_path}/master.h5::{inner}" if inner else tmp_path / "master.h5")
    _check(curve, sigma=None)
    path, _, place = curve.metadata["source"].partition("::")
    reached = {
        "": {"/chosen", "/last/integrated", "/sample_1.1/integrated"},  # which is first depends on how h5py was set up
        "/last": {"/last/integrated", "/last/shown"},
    }
    assert path == f"{tmp_path}/master.h5"
    assert place in reached.get(inner, {inner.removesuffix("/intensity").rstrip("/")})
    assert curve.metadata["title"] == ("chosen" if place == "/chosen" else "ascan")
    (again,) = read_curves(f"{path}::{place}")  # a name that works when it is pasted
    _check(again, sigma=None)


def test_group_without_attributes_is_read_by_its_names(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        group = file.create_group("reduced/run1")
        group.update({"q": Q / 10, "I": I, "sigma": SIGMA})
    with pytest.raises(InputError, match=r"no one-dimensional curve.*/reduced"):
        read_curves(tmp_path / "plain.h5", "A")  # nothing says that this is a curve: the user must
    _check(read_curves(f"{tmp_path}/plain.h5::/reduced/run1", "A")[0])
    with pytest.raises(InputError, match=r"state it, nm\^-1 or A\^-1$"):
        read_curves(f"{tmp_path}/plain.h5::/reduced/run1")


def test_unit_argument_agrees_fills_in_or_contradicts(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.h5", "w") as file:
        _make_nxdata(file, "said", I, ["q"])
        _make_nxdata(file, "odd", I, ["q"], unit="per fortnight")
    _check(read_curves(f"{tmp_path}/file.h5::/said", "nm")[0], sigma=None)
    with pytest.raises(InputError, match=r"the unit A that was given contradicts the file.*'nm\^-1'"):
        read_curves(f"{tmp_path}/file.h5::/said", "A")
    with pytest.raises(InputError, match="'per fortnight', which is not known: state it"):
        read_curves(f"{tmp_path}/file.h5::/odd")
    _check(read_curves(f"{tmp_path}/file.h5::/odd", "nm")[0], sigma=None)
    with pytest.raises(InputError, match="unknown q unit 'furlong'"):
        read_curves(f"{tmp_path}/file.h5::/said", "furlong")


def test_file_still_open_for_writing_can_be_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "live.h5", "w", libver="latest") as file:
        _make_nxdata(file, "curve", I, ["q"])
        file.swmr_mode = True
        # from another process, as at the beamline: HDF5 shares the open file within one
        code = f"from pyfai_grf.io.curves import read_curves; print(len(read_curves({str(tmp_path / 'live.h5')!r})))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.stdout.strip(), done.stderr) == ("1", "")


# --- text --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "factor"),
    [
        ("# q_nm^-1       I              sigma", 1),
        ("#q (nm^-1)\tI (cm^-1)\tsigma", 1),
        ("q [1/nm], I, err", 1),
        ('"Q (A^-1)","I (cm^-1)","dI"', 10),
        ("; Q(1/Å)  I(Q)  err_I", 10),
        ("# radial unit: q_A^-1", 10),
        ("# q_unit = nm^-1\n# q I sigma", 1),
        ("q\tI\tsigma\nÅ⁻¹\tcm⁻¹\tcm⁻¹", 10),
        ("sample\nQ (Inverse Nanometres)\nIntensity\n     40", 1),  # Fit2D .chi
        ("sample A-1 in 10 mm cell\n# scattering vector q (nm-1), I, sigma", 1),
    ],
)
def test_header_says_the_unit(header: str, factor: float, tmp_path: Path) -> None:
    path = _write(tmp_path / "curve.dat", header + "\n" + _table(Q / factor, I, SIGMA))
    (curve,) = read_curves(path)
    _check(curve, rtol=1e-8)
    assert curve.metadata["title"] == "curve"


@pytest.mark.parametrize(
    "header", ["", "# q I sigma", "A-1 specimen measured", "# s (1/nm)", "I (1/A)", "# unit unknown"]
)
def test_header_does_not_say_the_unit(header: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"curve\.txt: the file does not say its q unit"):
        read_curves(_write(tmp_path / "curve.txt", header + "\n" + _table(Q, I)))


@pytest.mark.parametrize("header", ["#2th_deg I", "# 2-theta I", "title\n2-Theta Angle (Degrees)\nIntensity\n 40"])
def test_text_over_an_angle_is_refused(header: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="scattering angle"):
        read_curves(_write(tmp_path / "curve.xy", header + "\n" + _table(Q, I)), "nm")


def test_header_with_two_units_is_refused(tmp_path: Path) -> None:
    text = "# q_unit: 1/A\n# q (1/nm)  I\n" + _table(Q, I)
    with pytest.raises(InputError, match="two q units, '1/A' and '1/nm'"):
        read_curves(_write(tmp_path / "curve.dat", text))


def test_text_contradicted_by_argument(tmp_path: Path) -> None:
    path = _write(tmp_path / "curve.dat", "# q (1/nm)  I\n" + _table(Q, I))
    with pytest.raises(InputError, match="the unit A that was given contradicts the file, whose q unit is '1/nm'"):
        read_curves(path, "A")


def test_four_columns_need_names(tmp_path: Path) -> None:
    table = _table(Q, I, Q / 100, SIGMA)
    with pytest.raises(InputError, match=r"4 columns, and no header.*for example q,I,sigma,dq$"):
        read_curves(_write(tmp_path / "bare.dat", table), "nm")
    _check(read_curves(_write(tmp_path / "named.dat", "<X> <Y> <dQ> <dY>\n" + table), "nm")[0], rtol=1e-8)


# --- files that are none -----------------------------------------------------------------------------------------


def _make_damaged(folder: Path) -> dict[str, tuple[Path | str, str]]:
    """Every kind of bad file, and what must be said about it."""
    with h5py.File(folder / "good.h5", "w") as file:
        _make_nxdata(file, "curve", np.tile(I, (300, 1)), [".", "q"])
        file["lonely"] = I
    whole = (folder / "good.h5").read_bytes()
    (folder / "cut.h5").write_bytes(whole[: len(whole) // 2])
    (folder / "head.h5").write_bytes(whole[:48] + b"\x00" * 400)
    (folder / "text.h5").write_text(_table(Q, I))
    (folder / "empty.dat").write_bytes(b"")
    (folder / "noise.dat").write_bytes(np.random.default_rng(0).bytes(4096))
    (folder / "packed.dat").write_bytes(gzip.compress(b"1 2\n" * 50))
    (folder / "words.txt").write_text("there is\nno table here\n")
    (folder / "old.xml").write_text('<?xml version="1.0"?>\n<SASroot>\n</SASroot>\n')
    return {
        "missing": (folder / "gone.dat", "no such file"),
        "folder": (folder, "a directory, not a file"),
        "cut": (folder / "cut.h5", "cannot read .* as HDF5"),
        "head": (folder / "head.h5", "cannot read .* as HDF5"),
        "text as HDF5": (folder / "text.h5", "not an HDF5 file"),
        "path in text": (f"{folder}/words.txt::/entry", "not an HDF5 file"),
        "no such group": (f"{folder}/good.h5::/entry", "nothing there; the file has /curve"),
        "dataset alone": (f"{folder}/good.h5::/lonely", "without a q axis"),
        "empty": (folder / "empty.dat", "the file is empty"),
        "noise": (folder / "noise.dat", "neither text nor HDF5"),
        "packed": (folder / "packed.dat", "neither text nor HDF5"),
        "words": (folder / "words.txt", "no table of numbers"),
        "XML": (folder / "old.xml", "no SASdata"),
    }


BAD = ["missing", "folder", "cut", "head", "text as HDF5", "path in text", "no such group", "dataset alone", "empty"]
BAD += ["noise", "packed", "words", "XML"]


@pytest.mark.parametrize("kind", BAD)
def test_bad_file_is_one_line(kind: str, tmp_path: Path) -> None:
    source, message = _make_damaged(tmp_path)[kind]
    with pytest.raises(InputError, match=message) as caught:
        read_curves(source, "nm")
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)
