"""Which column is what: as programs name them, as the user does, and refused where it is not certain."""

from __future__ import annotations

import itertools

import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.io.column_names import find_doubtful, find_names
from pyfai_grf.io.column_roles import assign_columns, assign_roles, parse_columns

Places = tuple[int, int, int | None, int | None]


def find_places(*lines: str, width: int) -> Places:
    """Return the places of q, I, sigma and dq in a table of ``width`` columns under ``lines``."""
    roles = assign_roles(find_names(lines, width), width, "c.dat", find_doubtful(lines, width))
    return roles.q, roles.intensity, roles.sigma, roles.resolution


# --- names in a header -------------------------------------------------------------------------------------------


NIST = "The 6 columns are | Q (1/A) | I(Q) (1/cm) | std. dev. I(Q) (1/cm) | sigmaQ | meanQ | ShadowFactor|"


@pytest.mark.parametrize(
    ("header", "width", "places"),
    [
        ("q I", 2, (0, 1, None, None)),
        ("I(q) q", 2, (1, 0, None, None)),
        ("Mod_Q   \tI       \tErr_I   \tSigma_Q", 4, (0, 1, 2, 3)),  # GRASP
        (NIST, 6, (0, 1, 2, 3)),
        ("<X>\t<Y>\t<dY>\t<dsigQ>", 4, (0, 1, 2, 3)),  # SasView
        ("q  exp_intensity  error  model_intensity", 4, (0, 1, 2, None)),  # FoXS, AUSAXS
        ("sExp  jExp  Err  jReg  iReg", 5, (0, 1, 2, None)),  # GNOM
        ("DSM_Qvec DSM_Int DSM_Error DSM_dQ", 4, (0, 1, 2, 3)),  # Irena
        ("Columns = Q  I  dI  dQ", 4, (0, 1, 2, 3)),  # pyirena
        ("     Q             I(Q)           Error             dQ", 4, (0, 1, 2, 3)),  # BioXTAS RAW
        ("Q(nm^-1) ; Intensity ; Uncertainty ; Q_err ; n_pixels", 5, (0, 1, 2, 3)),
        ("<X> <Y> <dQ> <dY>", 4, (0, 1, 3, 2)),
        ("I(q),err,q", 3, (2, 0, 1, None)),
        ("q(1/A) I(q) sigma(I) sigma(q)", 4, (0, 1, 2, 3)),
        ("q dq I", 3, (0, 2, None, 1)),
        ("time  q  I  err", 4, (1, 2, 3, None)),
    ],
)
def test_names_of_programs(header: str, width: int, places: Places) -> None:
    assert find_places(header, width=width) == places


@pytest.mark.parametrize("order", list(itertools.permutations(("q", "I", "sigma", "dq"))))
def test_any_order_of_known_names(order: tuple[str, ...]) -> None:
    expected = tuple(order.index(name) for name in ("q", "I", "sigma", "dq"))
    assert find_places(" ".join(order), width=4) == expected


@pytest.mark.parametrize("width", [2, 3])
@pytest.mark.parametrize(
    "lines",
    [(), ("",), ("40",), ("some words about the sample at length",), ("1 2 3",), ("lysozyme minus background",)],
)
def test_without_names_the_order_is_the_usual_one(lines: tuple[str, ...], width: int) -> None:
    assert find_places(*lines, width=width) == (0, 1, 2 if width == 3 else None, None)


@pytest.mark.parametrize("name", ["dQ", "sigma(q)", "err_q", "Q_err", "q error", "std Q", "resolution", "dx"])
def test_width_in_q_is_never_the_error_of_the_intensity(name: str) -> None:
    assert find_places(f"Q(1/nm),I,{name}", width=3) == (0, 1, None, 2)


@pytest.mark.parametrize("name", ["sigma", "Error", "ESD", "s.d.", "Fehler", "dI", "err_I", "sigma(I)"])
def test_third_name_may_be_of_any_language(name: str) -> None:
    assert find_places(f"q I {name}", width=3) == (0, 1, 2, None)


@pytest.mark.parametrize(
    "header",
    [
        "q I I_fit",
        "q I background",
        "q I weight",
        "q I n_pixels",
        "q I model",
        "time q I err",  # single blanks stand within names too
        "mean I q",  # the third is q, so it is no error
        "q err",
        "sigma I",
        "q q_err",
        "sample a b c",
        "q I err1 err2",
        "Q R dR dQ",
    ],
)
def test_what_is_not_certain_is_asked_for(header: str) -> None:
    width = len(header.split())
    with pytest.raises(InputError, match=rf"^c\.dat: {width} columns") as caught:
        find_places(header, width=width)
    if find_names([header], width) or find_doubtful([header], width):
        assert header.replace(" ", ", ") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("width", [4, 6, 50])
def test_wide_table_without_names_is_asked_for(width: int) -> None:
    with pytest.raises(InputError, match=f"{width} columns"):
        find_places("B\tC\tD\tE\tF\tG", width=width)


# --- names that the user gives -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "width", "places"),
    [
        ("q,I,sigma", 3, (0, 1, 2, None)),
        ("q,I", 5, (0, 1, None, None)),  # further columns do not count
        ("I,q,-,sigma", 4, (1, 0, 3, None)),
        (" Q , i , SIGMA , dQ", 4, (0, 1, 2, 3)),
        ("-,-,q,I", 4, (2, 3, None, None)),
    ],
)
def test_user_names_the_columns(text: str, width: int, places: Places) -> None:
    roles = assign_columns(parse_columns(text), width, "c.dat")
    assert (roles.q, roles.intensity, roles.sigma, roles.resolution) == places
    assert roles.names == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("q,I,x", "'x'"),
        ("q,I,I", "I twice"),
        ("Q,q,I", "q twice"),
        ("q,sigma", "q and I"),
        ("-,I", "q and I"),
        ("", "''"),
        ("q;I", "'q;I'"),
    ],
)
def test_names_that_are_none(text: str, found: str) -> None:
    with pytest.raises(InputError, match=found):
        parse_columns(text)


def test_more_names_than_columns() -> None:
    with pytest.raises(InputError, match=r"^c\.dat: 3 columns are named, q,I,sigma, and the table has 2"):
        assign_columns(("q", "I", "sigma"), 2, "c.dat")
