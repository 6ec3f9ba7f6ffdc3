"""The footer of a .pdh file says the unit of q and the length of the slit, and is never more than that."""

from __future__ import annotations

import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.io.pdh_footer import PdhFooter, is_pdh_footer, read_pdh_footer


def make_footer(
    *, unit: str | None = "n_m^-1", slit: str | None = "0", head: str = '<?xml version="1.0" encoding="utf-8"?>'
) -> list[str]:
    """Return the lines that SAXSquant writes below the table."""
    said = "" if unit is None else f'<value key="unit">{unit}</value><value key="quantity">SCATTERING_VECTOR</value>'
    length = "" if slit is None else f'<value key="value">{slit}</value><value key="unit">n_m^-1</value>'
    return f"""{head}
<fileinfo version="3.00">
  <column key="X">{said}</column>
  <column key="Y"><value key="unit">c_m^-1</value></column>
  <parameter key="CounterSlitLength" type="rc" index="6">
    <value key="name">CounterSlitLength</value>{length}
  </parameter>
</fileinfo>""".splitlines()


@pytest.mark.parametrize(("unit", "said"), [("n_m^-1", "nm^-1"), ("A^-1", "A^-1"), (" nm^-1 ", "nm^-1"), (None, "")])
def test_unit_of_q(unit: str | None, said: str) -> None:
    assert read_pdh_footer(make_footer(unit=unit), "c.pdh") == PdhFooter(said, "")


def test_slit_is_told_with_its_length_and_that_nothing_says_it_was_desmeared() -> None:
    slit = read_pdh_footer(make_footer(slit="5.63905460856387"), "c.pdh").slit
    assert slit.startswith("slit length 5.639 nm^-1, CounterSlitLength")
    assert "desmeared" in slit


@pytest.mark.parametrize("slit", ["0", "0.0", "-1", "nan", "", "none", None])
def test_length_that_is_no_slit(slit: str | None) -> None:
    assert read_pdh_footer(make_footer(slit=slit), "c.pdh").slit == ""


def test_values_elsewhere_say_nothing() -> None:
    lines = ["<fileinfo><column key='X'><more><value key='unit'>A^-1</value></more></column>"]
    lines += ["<value key='unit'>A^-1</value><column key='Z'><value key='unit'>s</value></column></fileinfo>"]
    assert read_pdh_footer(lines, "c.pdh") == PdhFooter("", "")


@pytest.mark.parametrize("declared", ["utf-8", "iso-8859-1", "utf-16"])
def test_encoding_of_the_file_is_no_matter_any_more(declared: str) -> None:
    footer = make_footer(unit="Å^-1", head=f'<?xml version="1.0" encoding="{declared}"?>')
    assert read_pdh_footer(footer, "c.pdh").q_unit == "Å^-1"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (make_footer(), True),
        (["", "  ", *make_footer()], True),
        (["<fileinfo>"], True),
        (["creator: XSACT <fileinfo"], False),
        (["<html>", "</html>"], False),
        ([], False),
    ],
)
def test_what_a_footer_looks_like(lines: list[str], expected: bool) -> None:
    assert is_pdh_footer(lines) is expected


@pytest.mark.parametrize(
    "lines",
    [
        make_footer()[:-1],
        ["<fileinfo>", "</other>"],
        ['<!DOCTYPE fileinfo [<!ENTITY a "aaa">]>', "<fileinfo>&a;</fileinfo>"],
        ["<fileinfo>" * 1000],
    ],
)
def test_damaged_or_hostile_footer_is_one_line(lines: list[str]) -> None:
    with pytest.raises(InputError, match=r"^c\.pdh: ") as caught:
        read_pdh_footer(lines, "c.pdh")
    assert "\n" not in str(caught.value)
