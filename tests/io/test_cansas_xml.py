"""CanSAS 1D XML in both versions, several entries, and XML that means harm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.io.curves import collect_curves, read_curves

Q = np.linspace(0.005, 0.3, 30)
I = 100 / (1 + (20 * Q) ** 4)  # noqa: E741


def _make_data(name: str = "", unit: str | None = "1/A", extra: str = "", intensity: np.ndarray = I) -> str:
    said = "" if unit is None else f' unit="{unit}"'
    points = (
        f'<Idata><Q{said}>{q:.9g}</Q><I unit="1/cm">{i:.9g}</I><Idev unit="1/cm">{0.01 * i:.9g}</Idev>{extra}</Idata>\n'
        for q, i in zip(Q, intensity, strict=True)
    )
    return f"<SASdata{f' name={name!r}' if name else ''}>\n{''.join(points)}</SASdata>"


def _make_root(*entries: str, space: str = "urn:cansas1d:1.1", head: str = '<?xml version="1.0"?>\n') -> str:
    return f'{head}<SASroot version="1.1" xmlns="{space}">{"".join(entries)}</SASroot>'


def _make_entry(title: str, *data: str, name: str = "", run: str = "1") -> str:
    said = f' name="{name}"' if name else ""
    return f"<SASentry{said}><Title>{title}</Title><Run>{run}</Run>{''.join(data)}</SASentry>"


def _write(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "curve.xml"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("space", ["cansas1d/1.0", "urn:cansas1d:1.1", "http://www.smallangles.net/canSAS/cansas1d"])
def test_either_version_is_read(space: str, tmp_path: Path) -> None:
    (curve,) = read_curves(_write(tmp_path, _make_root(_make_entry("Silica", _make_data()), space=space)))
    np.testing.assert_allclose(curve.q_nm1, 10 * Q, rtol=1e-8)
    np.testing.assert_allclose(curve.intensity, I, rtol=1e-8)
    np.testing.assert_allclose(curve.sigma, 0.01 * I, rtol=1e-8)
    found = {key: curve.metadata[key] for key in ("title", "q_unit", "q_unit_from", "intensity_unit")}
    assert found == {"title": "Silica", "q_unit": "1/A", "q_unit_from": "file", "intensity_unit": "1/cm"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    head = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>\n'
    path = _write(tmp_path, _make_root(_make_entry("Pré", _make_data()), head=head), encoding)
    assert read_curves(path)[0].metadata["title"] == "Pré"


def test_several_entries_and_data_are_read_or_chosen_by_name(tmp_path: Path) -> None:
    first = _make_entry("Steel", _make_data("1h"), _make_data("20h"), name="AF1410")
    path = _write(
        tmp_path, _make_root(first, _make_entry("Steel", _make_data()), _make_entry("", _make_data(), run="7"))
    )
    curves = read_curves(path)
    assert [c.metadata["source"].partition("::")[2] for c in curves] == ["AF1410/1h", "AF1410/20h", "Steel", "7"]
    for curve in curves:  # a source that works when it is pasted
        assert read_curves(curve.metadata["source"])[-1].metadata["source"] == curve.metadata["source"]
    assert len(read_curves(f"{path}::AF1410")) == 2
    with pytest.raises(InputError, match="::Gold: no entry is called so; the file has AF1410/1h, AF1410/20h, Steel, 7"):
        read_curves(f"{path}::Gold")


def test_slit_smeared_entry_is_refused_and_the_others_read(tmp_path: Path) -> None:
    smeared = _make_entry("latex slit", _make_data(extra='<dQl unit="1/A">0.117</dQl>'))
    short = _make_entry("latex pinhole", _make_data(extra='<dQl unit="1/A">0</dQl><dQw unit="1/A">0.001</dQw>'))
    curves, problems = collect_curves(_write(tmp_path, _make_root(smeared, short)))
    assert [c.metadata["title"] for c in curves] == ["latex pinhole"]
    assert len(problems) == 1
    assert "latex slit: slit-smeared (slit length 0.117 1/A, dQl)" in str(problems[0])


def test_points_without_error_have_none(tmp_path: Path) -> None:
    text = _make_root(_make_entry("t", _make_data()))
    path = _write(tmp_path, text.replace("Idev", "Other", 2))
    (curve,) = read_curves(path)
    assert curve.sigma is not None
    assert not np.isin(np.float64(0.05), curve.q_nm1[np.nan_to_num(curve.sigma) > 0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_make_root(_make_entry("t", _make_data(unit=None))), r"state it, nm\^-1 or A\^-1$"),
        (_make_root(_make_entry("t", _make_data())).replace("1/A", "1/nm", 1), "q in several units"),
        (_make_root(_make_entry("t", "<SASdata></SASdata>")), "no points with Q and I"),
        (_make_root(_make_entry("t", "<SASdata><Idata><Q>1</Q></Idata></SASdata>")), "no points with Q and I"),
        (_make_root(_make_entry("t")), "no SASdata"),
        ('<?xml version="1.0"?><html><body/></html>', "XML, but not of CanSAS"),
        (_make_root(_make_entry("t", _make_data()))[:900], "damaged or incomplete XML"),
        ('<?xml version="1.0"?><!DOCTYPE SASroot [<!ENTITY a "aaa">]><SASroot>&a;</SASroot>', "declares entities"),
    ],
)
def test_xml_that_is_no_curve_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_curves(_write(tmp_path, text))
    assert "\n" not in str(caught.value)
