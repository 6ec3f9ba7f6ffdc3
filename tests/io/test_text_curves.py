"""Tables of text as users have them: any number of columns, headers, footers, and what is no curve at all."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import Curve
from pyfai_grf.io.column_roles import parse_columns
from pyfai_grf.io.curves import read_curves

Q = np.linspace(0.05, 3.0, 40)
I = 1e4 / (1 + (2 * Q) ** 4)  # noqa: E741
SIGMA = 0.01 * I
DQ = 0.02 * Q


def _table(*columns: np.ndarray) -> str:
    return "\n".join("\t".join(f"{x:.9e}" for x in row) for row in zip(*columns, strict=True)) + "\n"


def _read(tmp_path: Path, text: str, unit: str | None = "nm", columns: str | None = None, name: str = "c.dat") -> Curve:
    (tmp_path / name).write_text(text, encoding="utf-8")
    (curve,) = read_curves(tmp_path / name, unit, None if columns is None else parse_columns(columns))
    return curve


def _check(curve: Curve, sigma: np.ndarray | None = SIGMA, factor: float = 1.0) -> None:
    np.testing.assert_allclose(curve.q_nm1, factor * Q, rtol=1e-8)  # of nine digits in the text
    np.testing.assert_allclose(curve.intensity, I, rtol=1e-8)
    if sigma is None:
        assert curve.sigma is None
    else:
        np.testing.assert_allclose(curve.sigma, sigma, rtol=1e-8)


# --- columns by name ---------------------------------------------------------------------------------------------

GRASP = "GRASP V.6.28    Instrument:  ILL_d22\nBinning:  1 [Pixel(s)]\n\n\nMod_Q   \tI       \tErr_I   \tSigma_Q\n\n\n"
NIST = "The 6 columns are | Q (1/A) | I(Q) (1/cm) | std. dev. I(Q) (1/cm) | sigmaQ | meanQ | ShadowFactor|\n"


@pytest.mark.parametrize(("header", "unit", "factor"), [(GRASP, "nm", 1), (NIST, None, 10)])
def test_names_are_found_where_programs_write_them(
    header: str, unit: str | None, factor: float, tmp_path: Path
) -> None:
    """Between empty lines; behind "The 6 columns are", with bars. What else they are called: test_column_roles.py."""
    columns = (Q, I, SIGMA, DQ, Q, np.ones(40))[: 6 if header is NIST else 4]
    _check(_read(tmp_path, header + _table(*columns), unit), factor=factor)


def test_user_stands_above_the_header(tmp_path: Path) -> None:
    _check(_read(tmp_path, "# I dQ dI Q\n" + _table(Q, I, SIGMA, DQ), columns="q,I,sigma"))


@pytest.mark.parametrize(
    ("header", "width"),
    [
        ("", 4),
        ("", 6),
        (" SANS2D Wed 28-AUG-2019\n  40    0    0    0    1\n 3 (F12.5,2E16.6)\n", 4),
        ("B\tC\tD\tE\tF\tG\n", 6),  # a spreadsheet's letters: E is no error
        ("sample\ta\tb\tc\n", 4),
        ("q I I_fit\n", 3),
        ("q I err1 err2\n", 4),
    ],
)
def test_uncertain_columns_are_asked_for_with_a_command_that_works(header: str, width: int, tmp_path: Path) -> None:
    text = header + _table(*(Q, I, SIGMA, DQ, DQ, DQ)[:width])
    with pytest.raises(InputError, match=rf"{width} columns.*for example q,I,sigma") as caught:
        _read(tmp_path, text)
    _check(_read(tmp_path, text, columns=str(caught.value).rpartition(" ")[2]))


# --- what stands around the table --------------------------------------------------------------------------------

RAW_FOOTER = (
    '\n\n### HEADER:\n\n{\n    "filename": "BSA_001.tiff",\n    "times": [\n        0.5,\n        1.5\n    ]\n}\n'
)


@pytest.mark.parametrize(
    "footer", [RAW_FOOTER, "\n".join(f"#{line}" for line in RAW_FOOTER.splitlines()), "creator: XSACT 2.4\nend\n"]
)
def test_footers_are_not_points(footer: str, tmp_path: Path) -> None:
    """BioXTAS RAW writes its header below the table, in older versions without comment signs."""
    _check(_read(tmp_path, "### DATA:\n\n    Q    I    Error\n40\n" + _table(Q, I, SIGMA) + footer))


def _make_pdh(unit: str = "n_m^-1", slit: str = "0", footer: str | None = None) -> str:
    """As Anton Paar's SAXSquant writes it: five lines, the table, an XML footer."""
    head = "title\nSAXS BOX\n        40         0         0         0         0         0         0         0\n"
    head += "  0.000000E+00   2.612000E+02   0.000000E+00   1.000000E+00   1.542000E-01\n" * 2
    xml = f"""<?xml version="1.0" encoding="utf-8"?>
<fileinfo version="3.00">
  <column key="X"><value key="unit">{unit}</value><value key="quantity">SCATTERING_VECTOR</value></column>
  <parameter key="CounterSlitLength" type="rc" index="6">
    <value key="name">CounterSlitLength</value><value key="value">{slit}</value><value key="unit">n_m^-1</value>
  </parameter>
</fileinfo>
"""
    return head + _table(Q, I, SIGMA) + (xml if footer is None else footer)


@pytest.mark.parametrize(("unit", "factor"), [("n_m^-1", 1), ("A^-1", 10)])
def test_pdh_footer_says_the_unit(unit: str, factor: float, tmp_path: Path) -> None:
    curve = _read(tmp_path, _make_pdh(unit), None, name="curve.pdh")
    _check(curve, factor=factor)
    assert curve.metadata["q_unit_from"] == "file"


def test_pdh_of_a_slit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="slit-smeared"):
        _read(tmp_path, _make_pdh(slit="5.6"), name="curve.pdh")


def test_pdh_without_footer_or_with_a_damaged_one(tmp_path: Path) -> None:
    _check(_read(tmp_path, _make_pdh(footer=""), name="curve.pdh"))
    with pytest.raises(InputError, match=r"state it, nm\^-1 or A\^-1$"):
        _read(tmp_path, _make_pdh(footer=""), None, name="curve.pdh")
    with pytest.raises(InputError, match="damaged or incomplete XML"):
        _read(tmp_path, _make_pdh()[:-40], name="curve.pdh")


# --- where the unit comes from -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "unit", "said", "by"),
    [
        ("# q (nm^-1)  I  sigma\n", None, "nm^-1", "file"),
        ("# q (nm^-1)  I  sigma\n", "nm", "nm^-1", "file"),
        ("# q  I  sigma\n", "nm", "nm", "given"),
        ("# Units I = 1/cm   Units Q = 1/nm\n# Columns = Q  I  dI\n", None, "1/nm", "file"),
    ],
)
def test_metadata_tell_where_the_unit_comes_from(
    header: str, unit: str | None, said: str, by: str, tmp_path: Path
) -> None:
    metadata = _read(tmp_path, header + _table(Q, I, SIGMA), unit).metadata
    assert (metadata["q_unit"], metadata["q_unit_from"]) == (said, by)


@pytest.mark.parametrize(
    "header",
    [
        "# s(1/nm) I sigma\n",
        "# s [1/A]  I  sigma\n",
        "# s I sigma\n# 1/nm a.u. a.u.\n",
        "# s\tI\tsigma\n# nm^-1\ta.u.\ta.u.\n",
        "# X units: 1/nm\n# s I sigma\n",
        "sExp iExp sigma\n1/nm 1/cm 1/cm\n",
    ],
)
def test_unit_of_s_is_not_that_of_q(header: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"calls the abscissa 's.*', which may be q / 2 pi; if it is q: state it"):
        _read(tmp_path, header + _table(Q, I, SIGMA), None)
    _check(_read(tmp_path, header + _table(Q, I, SIGMA), "nm"))


@pytest.mark.parametrize(
    "header",
    [
        "# Q units: 1/nm\n# s I sigma\n",  # this says that s is q
        "# sample S\n# q I sigma\n# 1/nm a.u. a.u.\n",
        "# q I s\n# 1/nm a.u. a.u.\n",
        "# X units: 1/nm\n# X Y E\n",
    ],
)
def test_unit_on_a_line_of_its_own(header: str, tmp_path: Path) -> None:
    _check(_read(tmp_path, header + _table(Q, I, SIGMA), None))


@pytest.mark.parametrize(
    ("header", "factor"),
    [
        ("# q_um^-1 I sigma\n", 1e-3),
        ("# q (1/µm) I sigma\n", 1e-3),
        ("# q[m^-1] I sigma\n", 1e-9),
        ("# q I sigma\n# 1/um a.u. a.u.\n", 1e-3),
    ],
)
def test_seldom_units(header: str, factor: float, tmp_path: Path) -> None:
    _check(_read(tmp_path, header + _table(Q, I, SIGMA), None), factor=factor)


@pytest.mark.parametrize("unit", ["mm^-1", "1/mm", "km**-1"])
def test_unit_that_is_not_known_is_named(unit: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape(f"calls its q unit {unit!r}, which is not known")):
        _read(tmp_path, f"# q_{unit} I sigma\n" + _table(Q, I, SIGMA), None)


def test_unit_of_the_intensity_is_not_that_of_q(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not say its q unit"):
        _read(tmp_path, "# q I(1/cm) sigma\n" + _table(Q, I, SIGMA), None)


# --- slits, angles, and other things -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "columns", "reason"),
    [
        (
            NIST,
            (Q, I, SIGMA, np.full(40, -1.17), Q, np.ones(40)),
            r"slit length 1\.17 1/A, written as a negative sigmaQ",
        ),
        ("# SMR_Qvec SMR_Int SMR_Error\n", (Q, I, SIGMA), "column SMR_Qvec"),
        ("# slit_length 1/nm = 0.26  (slit-smeared data)\n# Q I dI\n", (Q, I, SIGMA), "says the header"),
        ("# SlitLength=0.0234\n# Q I dI\n", (Q, I, SIGMA), r"slit length 0\.0234 in the header; nothing says"),
    ],
)
def test_slit_smeared_tables_are_refused(header: str, columns: tuple, reason: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"slit-smeared \({reason}.*desmear it first"):
        _read(tmp_path, header + _table(*columns), None if header is NIST else "nm")


@pytest.mark.parametrize(
    "header",
    [
        "# SlitLength=0.0234 DataDesmeared=yes\n# Q I dI\n",
        "# SlitLength=0.0234\n# DSM_Qvec DSM_Int DSM_Error\n",
        "# slit length = 0\n",
    ],
)
def test_desmeared_tables_are_read(header: str, tmp_path: Path) -> None:
    _check(_read(tmp_path, header + _table(Q, I, SIGMA)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Lag time (s)         g2-1\n" + _table(Q, I), r"the abscissa is Lag time \(s\), not q"),
        ("log10(q.nm)  I\n" + _table(Q, I), r"log10\(q\.nm\), not q"),
        ("qip I sigma\n" + _table(Q, I, SIGMA), "one component of q"),
        ("title\n2-Theta Angle (Degrees)\nIntensity\n  40\n" + _table(Q, I), "scattering angle, 2-theta"),
        ("SpinEchoLength Depolarisation err Wavelength\n" + _table(Q, I, SIGMA, Q), r"spin-echo"),
        ("Data columns Qx - Qy - I(Qx,Qy) - err(I)\n" + _table(Q, Q, I, SIGMA), "two-dimensional map"),
        (_table(Q - 1.5, Q - 1.5, I), "first two columns both run from negative to positive"),
        (_table(60 * Q - 90, I), "20 of 40 values in the column of q are negative"),
        ("   ####   G N O M   ####\n" + _table(Q, I, SIGMA, I, I), "the output of GNOM"),
        ("# BIFT\n#  R   P(R)   Error\n" + _table(Q, I, SIGMA), r"pair distance distribution P\(r\)"),
        ("SIZE_X:128\nSIZE_Y:128\n" + _table(I, SIGMA), "a detector image"),
        ("words about Qx and Qy\n", "no table of numbers"),
    ],
)
def test_what_is_no_curve_is_called_by_its_name(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        _read(tmp_path, text)
