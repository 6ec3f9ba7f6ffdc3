"""Names over a table: units beside them are no columns, and a line that fits by accident names nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.io.column_names import find_doubtful, find_names
from pyfai_grf.io.curves import read_curves

Q = np.linspace(0.05, 3.0, 40)
I = 1e4 / (1 + (2 * Q) ** 4)  # noqa: E741
COLUMNS = {"q": Q, "I": I, "sigma": 0.01 * I, "dq": 0.02 * Q, "n": np.full(40, 7.0)}


def _write(path: Path, header: str, columns: str) -> Path:
    table = np.column_stack([COLUMNS[name] for name in columns.split(",")])
    np.savetxt(path, table, header=header, comments="", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("header", "columns", "factor"),
    [
        ("# q [1/A]  I  sigma", "q,I,sigma", 10),
        ("# q [1/A] I sigma", "q,I,sigma", 10),
        ("# q [1 / nm] I(q)", "q,I", 1),
        ("#  q(A^-1)  I(a.u.)", "q,I", 10),
        ("# I (cm-1) q (A-1) err (cm-1)", "I,q,sigma", 10),
        ("q (Å⁻¹) dq (Å⁻¹) I(q) (cm⁻¹) ΔI (cm⁻¹)", "q,dq,I,sigma", 10),
        ("# q / nm^-1 I / a.u. sigma / a.u.", "q,I,sigma", 1),
        ("# I in a.u. q in nm^-1 dI in a.u.", "I,q,sigma", 1),
        ("# q, nm-1  I, cm-1  err, cm-1", "q,I,sigma", 1),
        ("q,nm^-1,I,cm^-1,sigma,cm^-1", "q,I,sigma", 1),
        ("q\t[1/A]\tI\t[arb. units]\terr\t[arb. units]", "q,I,sigma", 10),
        ("# I q [1/nm] dq [1/nm] sigma", "I,q,dq,sigma", 1),
        ("# intensity (counts / s) scattering vector (1/nm) std. dev.", "I,q,sigma", 1),
        (r"# q ($\AA^{-1}$) dq ($\AA^{-1}$) I (a.u.) σ", "q,dq,I,sigma", 10),
        ("# [I] [q] [err]\n# [a.u.] [nm^-1] [a.u.]", "I,q,sigma", 1),
        ("# Q dQ I\n# (A-1) (A-1) (cm-1)", "q,dq,I", 10),
        ("# q 1/nm I a.u. err a.u. pixels", "q,I,sigma,n", 1),
    ],
)
def test_a_unit_belongs_to_the_name_before_it(header: str, columns: str, factor: float, tmp_path: Path) -> None:
    (curve,) = read_curves(_write(tmp_path / "c.dat", header, columns))
    np.testing.assert_allclose(curve.q_nm1, factor * Q)
    np.testing.assert_allclose(curve.intensity, I)
    assert (curve.sigma is not None) == ("sigma" in columns)
    if curve.sigma is not None:
        np.testing.assert_allclose(curve.sigma, 0.01 * I)


@pytest.mark.parametrize(
    "header",
    [
        "# q [1/A] I",  # three words, two names
        "# q (A^-1) I (a.u.) sigma (a.u.)",
        "# q I",
        "# scattering vector intensity error",
        "# Intensity of sample",
        "# I vs q",
        "# (A-1) (cm-1) (cm-1)",
        "# q, nm-1  I, cm-1",
    ],
)
@pytest.mark.parametrize("columns", ["q,I,sigma", "q,I,sigma,dq", "q,I,sigma,dq,n", "q,I,sigma,dq,n,n"])
def test_a_header_that_does_not_match_is_none(header: str, columns: str, tmp_path: Path) -> None:
    """Three columns are q, I and sigma then, as without a header; more are asked for."""
    if len(find_names([header.strip("# ")], columns.count(",") + 1)) == 3:
        pytest.skip("this one matches")
    path = _write(tmp_path / "c.dat", header, columns)
    if columns == "q,I,sigma":
        (curve,) = read_curves(path, "A" if "A" in header else "nm")
        np.testing.assert_allclose(curve.intensity, I)
        np.testing.assert_allclose(curve.sigma, 0.01 * I)
    else:
        with pytest.raises(InputError, match="no header that says which one is the error"):
            read_curves(path, "nm")


@pytest.mark.parametrize(
    "header", ["q value intensity error", "I vs q error", "q intensity intensity error", "q I sigma I"]
)
def test_words_between_single_blanks_must_leave_no_doubt(header: str) -> None:
    assert find_names([header], 4) == ()


def test_words_in_another_order_are_asked_for(tmp_path: Path) -> None:
    """Names of two columns of three, or of all three?"""
    with pytest.raises(InputError, match=r"3 columns \(q, value, intensity\), and no header"):
        read_curves(_write(tmp_path / "c.dat", "# q value intensity", "q,I,sigma"), "nm")
    assert find_doubtful(["I vs q"], 3) == ()  # a title


def test_the_last_line_that_names_columns_counts() -> None:
    lines = ["Q I dI dQ", "1/nm 1/cm 1/cm 1/nm", "sample: silica, 20 C"]
    assert find_names(lines, 4) == ("Q", "I", "dI", "dQ")
    assert find_names(["Q I dI", "q  dq  I"], 3) == ("q", "dq", "I")


def test_the_line_nearest_to_the_table_counts() -> None:
    assert find_names(["sample in water", "I dI q", "40"], 3) == ("I", "dI", "q")
    assert find_names(["I dI q", "Å⁻¹ cm⁻¹ cm⁻¹"], 3) == ("I", "dI", "q")  # units are no names


@pytest.mark.parametrize("line", ["A\tB\tC", "B C D", "0.1 0.2 0.3", "1 nan inf", "q I", "q I dI dQ", ""])
def test_lines_that_name_no_three_columns(line: str) -> None:
    """Numbers, the letters of a spreadsheet, too few or too many words."""
    assert find_names([line], 3) == ()
