"""A slit is found where programs state it, and none where it does not matter or was taken out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyfai_grf.io.slit import (
    describe_length,
    describe_width,
    find_in_header,
    find_in_notes,
    is_smeared_name,
)

Q = np.linspace(0.05, 3.0, 40)


# --- a length ----------------------------------------------------------------------------------------------------


def test_a_slit_that_is_passed_over_hardly_moves_q() -> None:
    """Along the slit q is sqrt(q^2 + x^2): its mean over the longest that is passed over is 0.2 % too large at most."""
    longest = max(part for part in np.linspace(0.0, 1.0, 1001) if not describe_length(part * Q[0], Q, "dQl"))
    x = np.linspace(0.0, longest, 10_001)
    shift = np.mean(np.sqrt(1 + x**2)) - 1
    # 1 + x^2 / 6 for short slits: a tenth moves q by 0.17 %
    assert 0.0015 < shift < 0.002


@pytest.mark.parametrize("length", [0.0, np.nan, np.inf, -np.inf, [], np.full(40, np.nan), np.zeros((2, 3))])
def test_no_length_is_no_slit(length: Any) -> None:
    assert describe_length(length, Q, "dQl") == ""


@pytest.mark.parametrize("length", [0.26, -0.26, [0.1, 0.26, np.nan], np.full((1, 40), 0.26, np.float32)])
def test_the_longest_counts_whatever_its_sign(length: Any) -> None:
    assert describe_length(length, Q, "dQl", "1/nm") == "slit length 0.26 1/nm, dQl"


def test_the_smallest_q_above_zero_counts() -> None:
    q = np.concatenate([[-1.0, 0.0], Q])
    assert describe_length(0.1 * Q[0], q, "dQl") == ""
    assert describe_length(0.2 * Q[0], q, "dQl") == "slit length 0.01, dQl"
    assert describe_length(1.0, np.array([-1.0, 0.0, np.nan]), "dQl") == ""  # no q that it could move


@pytest.mark.parametrize(
    ("resolution", "slit"),
    [
        (np.full(40, -1.17), "slit length 1.17 1/A, written as a negative sigmaQ"),
        (np.full(40, 1.17), ""),
        (np.full(40, -0.001), ""),
        (np.linspace(-1.0, -1.1, 40), ""),  # NIST writes one number throughout
        (np.where(np.arange(40) == 3, np.nan, -1.17), ""),
        (0.02 * Q, ""),
    ],
)
def test_length_hidden_in_a_resolution(resolution: np.ndarray, slit: str) -> None:
    assert describe_width(resolution, Q, "sigmaQ", "1/A") == slit


# --- names, notes and headers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Rh3_SMR", True),
        ("SMR_Int", True),
        (" smr ", True),
        ("a_smr_b", True),
        ("DSM_Int", False),
        ("smrt", False),
        ("asmr", False),
        ("M_DSM_Int", False),
        ("", False),
    ],
)
def test_irenas_mark(name: str, expected: bool) -> None:
    assert is_smeared_name(name) is expected


@pytest.mark.parametrize(
    ("notes", "start"),
    [
        ({"SlitLength": 0.0234}, "slit length 0.0234, SlitLength; nothing says"),
        ({"slit_length": np.float32(0.5)}, "slit length 0.5, slit_length; nothing says"),
        ({"Slit Length": 1}, "slit length 1, Slit Length; nothing says"),
        ({"SlitLength": 0.0234, "Wname": "SMR_Int"}, "the data are SMR_Int"),
        ({"Smearing": "Slit"}, "smearing: Slit"),
        ({"smearing": "slit " * 100}, "smearing: slit slit"),
        ({"SlitLength": 0.0234, "DataDesmeared": "no"}, "slit length 0.0234"),
    ],
)
def test_notes_that_tell_of_a_slit(notes: dict[str, Any], start: str) -> None:
    found = find_in_notes(notes)
    assert found.startswith(start)
    assert len(found) < 150


@pytest.mark.parametrize(
    "notes",
    [
        {},
        {"SlitLength": 0.0234, "Wname": "DSM_Int"},
        {"SlitLength": 0.0234, "DataDesmeared": "yes"},
        {"SlitLength": 0.0234, "data_desmeared": 1},
        {"SlitLength": 0.0},
        {"SlitLength": -1.0},
        {"SlitLength": np.nan},
        {"SlitLength": np.inf},
        {"SlitLength": "long"},
        {"SlitLength": None},
        {"smearing": "none"},
        {"smearing": "pinhole"},
    ],
)
def test_notes_that_tell_of_none(notes: dict[str, Any]) -> None:
    assert find_in_notes(notes) == ""


@pytest.mark.parametrize(
    ("header", "start"),
    [
        ("# slit-smeared data", "says the header"),
        ("Slit smeared", "says the header"),
        ("# slit_length 1/nm = 0.26", "slit length 0.26 in the header; nothing says"),
        ("SlitLength=0.0234", "slit length 0.0234 in the header; nothing says"),
        ("slit height: 1.5e-1", "slit length 0.15 in the header; nothing says"),
    ],
)
def test_headers_that_tell_of_a_slit(header: str, start: str) -> None:
    assert find_in_header(["title", header, "# q I dI"]).startswith(start)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "slit length = 0",
        "slit length = -1",
        "slit length = .e-",
        "slit length = nan",
        "slit length = unknown",
        "SlitLength=0.0234 DataDesmeared=yes",
        "slit-smeared, then de-smeared",
        "DSM_Int, slit length = 1",
        "the slits were 0.3 mm wide",
    ],
)
def test_headers_that_tell_of_none(header: str) -> None:
    assert find_in_header([header]) == ""
