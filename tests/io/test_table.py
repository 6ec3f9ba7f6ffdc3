"""The table begins with the promised columns, survives awkward text, and keeps its rows when the disk is full."""

from __future__ import annotations

import csv
import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.core.records import PredictionRow
from pyfai_grf.io.table import TableWriter

HEADER = (
    "source,frame,material,a_nm,a_nm_lower,a_nm_upper,porosity,porosity_lower,porosity_upper,"
    "layer_fraction,layer_fraction_lower,layer_fraction_upper,is_applicable,reason"
)


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_rows_read_back(tmp_path, provenance, make_result):
    path = tmp_path / "out.csv"
    odd = 'Å, "quoted",\n\u65e5\u672c.edf'
    with TableWriter(path, provenance) as table:
        table.append(make_result(0, source=odd))
        assert path.read_text(encoding="utf-8").startswith(
            HEADER + ",answer_from,q_max_nm1,counts,porod_constant,warnings,model,"
        )
        assert len(_read(path)) == 1  # a row is on the disk when append returns
        table.append(make_result(1, is_predicted=False, reason="outside, far"))
    first, second = _read(path)
    assert first["source"] == odd
    assert (first["frame"], first["material"]) == ("0", "three-phase-high-porosity")
    assert float(first["a_nm"]) == 4.0
    # nine digits are written
    assert float(first["layer_fraction_upper"]) == pytest.approx(0.23, rel=1e-9)
    assert (first["is_applicable"], second["is_applicable"]) == ("true", "false")
    assert (first["reason"], second["reason"]) == ("", "outside, far")
    assert (first["porod_constant"], second["a_nm"], second["porosity_lower"]) == ("", "", "")
    assert float(first["counts"]) == 1e7
    assert first["model_sha256"] == provenance.model_sha256
    assert first["command"] == provenance.command
    assert f"numpy={np.__version__}" in first["versions"].split()


def test_table_says_whose_answer_it_is(tmp_path, provenance, make_result):
    row = make_result(0, has_fit=True)
    with TableWriter(tmp_path / "out.csv", provenance) as table:
        table.append(row)
        table.append(dataclasses.replace(row, prediction=dataclasses.replace(row.prediction, source="")))
    assert [found["answer_from"] for found in _read(tmp_path / "out.csv")] == ["model and fit", ""]


def test_two_phases_leave_the_layer_empty(tmp_path, provenance, make_result):
    provenance = dataclasses.replace(
        provenance, material="two-phase-low-porosity", parameters=("a", "porosity"), layer_density=None
    )
    row = make_result(0)
    said = row.prediction
    values, lower, upper = ({k: part[k] for k in ("a", "porosity")} for part in (said.values, said.lower, said.upper))
    row = dataclasses.replace(row, prediction=PredictionRow(values, lower, upper, is_applicable=True))
    with TableWriter(tmp_path / "out.csv", provenance) as table:
        table.append(row)
    (found,) = _read(tmp_path / "out.csv")
    layer = [value for name, value in found.items() if name.startswith("layer_")]
    assert layer == [""] * 4
    assert float(found["porosity"]) == 0.7


def test_numpy_numbers_are_numbers(tmp_path, provenance, make_result):
    extras = {"x": np.float32(0.5), "y": np.float32("nan"), "n": np.int64(3), "flag": np.bool_(True)}
    with TableWriter(tmp_path / "out.csv", provenance) as table:
        table.append(dataclasses.replace(make_result(0), extras=extras))
    (found,) = _read(tmp_path / "out.csv")
    assert [found[name] for name in extras] == ["0.5", "", "3", "true"]


def test_table_without_rows_has_its_header(tmp_path, provenance):
    TableWriter(tmp_path / "out.csv", provenance).close()
    assert (tmp_path / "out.csv").read_text().startswith(HEADER + ",answer_from,model,")
    assert _read(tmp_path / "out.csv") == []


def test_file_names_that_are_not_utf8(tmp_path, provenance, make_result):
    with TableWriter(tmp_path / "out.csv", provenance) as table:
        table.append(make_result(0, source="latin1-\udce9.edf"))
    assert _read(tmp_path / "out.csv")[0]["source"] == r"latin1-\udce9.edf"


def test_existing_and_unwritable_files_are_refused(tmp_path, provenance, make_result):
    path = tmp_path / "out.csv"
    path.write_text("precious")
    with pytest.raises(InputError, match="exists already: choose another name or remove it"):
        TableWriter(path, provenance)
    assert path.read_text() == "precious"
    TableWriter(path, provenance, overwrite=True).close()
    assert path.read_text().startswith("source,")
    with pytest.raises(InputError, match=r"cannot write .*: No such file or directory"):
        TableWriter(tmp_path / "absent" / "out.csv", provenance)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full is Linux's")
def test_full_disk_is_one_line(provenance, make_result):
    table = TableWriter("/dev/full", provenance)
    with pytest.raises(InputError, match=r"cannot write /dev/full: No space left on device; its first 0 rows are kept"):
        table.append(make_result(0))
    table.close()  # says nothing a second time
    with pytest.raises(InputError, match="is closed"):
        table.append(make_result(1))


def test_half_a_row_is_cut_off(tmp_path, provenance, make_result, monkeypatch):
    path = tmp_path / "out.csv"
    table = TableWriter(path, provenance)
    table.append(make_result(0))
    whole = path.read_bytes()

    def flush_half() -> None:
        with path.open("a") as other:
            other.write("frames.h5,1,three-phase-high-porosity,4.01")
        raise OSError(28, "No space left on device")

    class HalfFile:
        """The table's file, whose disk is full in the middle of a row."""

        def __getattr__(self, name: str) -> object:
            return flush_half if name == "flush" else getattr(file, name)

        def write(self, text: str) -> int:
            return len(text)

    file = table._file
    monkeypatch.setattr(table, "_file", HalfFile())
    monkeypatch.setattr(table, "_csv", csv.writer(table._file))
    with pytest.raises(InputError, match="its first 1 rows are kept"):
        table.append(make_result(1))
    assert path.read_bytes() == whole


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\n", "\uff1d"])
def test_no_text_is_a_formula(tmp_path, provenance, make_result, start):
    """A file name, a reason or a title must not become a command in somebody's spreadsheet."""
    evil = f"{start}HYPERLINK(1)"
    row = make_result(0, source=evil, is_predicted=False, reason=evil)
    row = dataclasses.replace(row, extras={**row.extras, "warnings": evil, "counts": -1.5})
    with TableWriter(tmp_path / "out.csv", dataclasses.replace(provenance, command=evil, model=evil)) as table:
        table.append(row)
    (read,) = _read(tmp_path / "out.csv")
    for name in ("source", "reason", "warnings", "command", "model"):
        assert read[name] == f"'{evil}", name
    assert float(read["counts"]) == -1.5  # a number is not a text


def test_control_characters_are_spelled_out(tmp_path, provenance, make_result):
    """For whoever looks at the table in a terminal; a bare carriage return would also end the row for some readers."""
    with TableWriter(tmp_path / "out.csv", provenance) as table:
        table.append(make_result(0, source="\r\x1b[2Ja\x00b"))
    (read,) = _read(tmp_path / "out.csv")
    assert read["source"] == "\\r\\u001b[2Ja\\u0000b"


def test_two_tables_do_not_write_one_file(tmp_path, provenance, make_result):
    path = tmp_path / "out.csv"
    with TableWriter(path, provenance) as table:
        table.append(make_result(0))
        with pytest.raises(InputError, match="is being written by process"):
            TableWriter(path, provenance, overwrite=True)
        table.append(make_result(1))
    assert len(_read(path)) == 2
    TableWriter(path, provenance, overwrite=True).close()
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"]
