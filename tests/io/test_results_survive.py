"""A results file is readable while it grows, after a kill at any moment, and after the disk was full."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import h5py
import numpy as np
import pytest

from pyfai_grf.core.errors import InputError
from pyfai_grf.io.curves import collect_curves, read_curves
from pyfai_grf.io.results import export, read_results

#: makes row ``index``: every number of it follows from the index, so that a reader can check it
MAKER = """
    import os, signal, sys
    import numpy as np
    from pyfai_grf.core.errors import InputError
    from pyfai_grf.core.provenance import Provenance
    from pyfai_grf.core.records import Curve, Fit, PredictionRow, Result
    from pyfai_grf.io.results import ResultsWriter

    provenance = Provenance("two-phase-low-porosity", "m", "measured", "0" * 64, "1", "s", None, np.ones(3),
                            ("a", "porosity"), created="2026-01-02T03:04:05+01:00")

    def make(index, size=200, has_fit=False):
        size = size - index % 2  # every second curve is on another grid
        q = np.linspace(0.1, 3.0, size)
        value = {"a": 1.0 + index, "porosity": 0.3}
        row = PredictionRow(value, value, value, True)
        if has_fit:
            fit = Fit(value, value, value, value, 1.0, q, q + index, q, q, 0 * q, ("log_a",), np.ones((1, 1)), "fitted",
                      0.0, 0.0, True, "")
            row = PredictionRow(value, value, value, True, "", "fit", row, fit)
        return Result(f"é{index}", index, Curve(q, q + index, q, metadata={"index": index}), row, {"n": float(index)})
"""


def _run(code: str, *arguments: object) -> subprocess.Popen[str]:
    script = textwrap.dedent(MAKER) + textwrap.dedent(code)
    command = [sys.executable, "-c", script, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def _check_rows(path: Path) -> int:
    """Check every row of the file against its index and return their number."""
    _, rows = read_results(path)
    for index, row in enumerate(rows):
        assert row.source == f"é{index}"
        assert row.prediction.values["a"] == 1.0 + index
        assert row.curve.metadata == {"index": index}
        np.testing.assert_array_equal(row.curve.intensity, row.curve.q_nm1 + index)
        np.testing.assert_array_equal(row.curve.sigma, row.curve.q_nm1)
        if (fit := row.prediction.fit) is not None:
            np.testing.assert_array_equal(fit.curve, row.curve.intensity)
            assert fit.values["a"] == 1.0 + index
    return len(rows)


STEPWISE = """
    writer = ResultsWriter(sys.argv[1], provenance)
    for index, line in enumerate(sys.stdin):
        if line.strip() == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        writer.append(make(index))
        print(index, flush=True)
    writer.close()
"""


@pytest.mark.skipif(os.name == "nt", reason="no replacing of open files")
def test_others_read_while_it_grows(tmp_path):
    silx_io = pytest.importorskip("silx.io")
    nxdata = pytest.importorskip("silx.io.nxdata")
    path = tmp_path / "live.h5"
    with _run(STEPWISE, path) as run:
        for index in range(3):
            run.stdin.write("go\n")
            run.stdin.flush()
            assert run.stdout.readline() == f"{index}\n"
            assert _check_rows(path) == index + 1
        with silx_io.open(str(path)) as h5:  # as silx view opens it
            shown = nxdata.get_default(h5)
            assert shown.group.name == "/prediction/curves"
            assert shown.axes_dataset_names == ["frame", "q"]
            assert shown.signal.shape == shown.errors.shape == (3, 200)
            assert shown.plot_style.axes_scale_types == (None, "log")
            assert shown.plot_style.signal_scale_type == "log"
        with h5py.File(path, "r", libver="latest", swmr=True) as h5:
            column = h5["prediction/a/value"]
            run.stdin.write("go\n")
            run.stdin.flush()
            run.stdout.readline()
            column.refresh()
            assert column[()].tolist() == [1.0, 2.0, 3.0, 4.0]
            # a reader that stays does not hinder the end of the run, and keeps what it has
            _, problems = run.communicate()
            assert (run.returncode, problems) == (0, "")
            assert column[()].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert _check_rows(path) == 4
    with h5py.File(path) as h5:
        assert h5["entry00003/sasdata/I"].shape == (199,)


@pytest.mark.skipif(os.name == "nt", reason="no replacing of open files")
def test_first_fit_is_seen_by_who_opens_the_file_anew(tmp_path):
    """Room for it is made in a new file; whoever has the old one open keeps its rows."""
    path = tmp_path / "live.h5"
    code = STEPWISE.replace("make(index)", "make(index, has_fit=index > 1)")
    with _run(code, path) as run:
        for index in range(2):
            run.stdin.write("go\n")
            run.stdin.flush()
            assert run.stdout.readline() == f"{index}\n"
        with h5py.File(path, "r", libver="latest", swmr=True) as h5:
            frame = h5["prediction/frame"]
            for index in range(2, 5):
                run.stdin.write("go\n")
                run.stdin.flush()
                assert run.stdout.readline() == f"{index}\n"
                assert _check_rows(path) == index + 1
            frame.refresh()
            assert frame[()].tolist() == [0, 1]
        with h5py.File(path, "r", libver="latest", swmr=True) as h5:
            fit = h5["prediction/fit/a/value"]
            run.stdin.write("go\n")
            run.stdin.flush()
            run.stdout.readline()
            fit.refresh()
            np.testing.assert_array_equal(fit[()], [np.nan, np.nan, 3.0, 4.0, 5.0, 6.0])
            _, problems = run.communicate()
            assert (run.returncode, problems) == (0, "")
    assert _check_rows(path) == 6


@pytest.mark.kills
@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
@pytest.mark.parametrize("count", [0, 1, 5])
def test_kill_between_rows_keeps_them(tmp_path, count):
    path = tmp_path / "killed.h5"
    with _run(STEPWISE, path) as run:
        run.communicate("go\n" * count + "kill\n")
    assert run.returncode == -signal.SIGKILL
    assert _check_rows(path) == count
    assert export(path) == count
    assert _check_rows(path) == count
    with h5py.File(path) as h5:  # opens like any file
        assert len(h5) == 1 + count
        assert h5["prediction/frame" if count else "prediction/process/model"].shape == ((count,) if count else ())
    before = path.read_bytes()
    assert export(path) == count
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["killed.h5"]


@pytest.mark.kills
@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
@pytest.mark.parametrize(
    ("fits", "stop", "count"),
    [
        *(("False", stop, 3) for stop in (1, 8, 15, 24)),
        ("False", 25, 4),
        *(("True", stop, 3) for stop in (1, 20, 40, 57)),
        ("True", 58, 4),
        *(("index == 3", stop, 3) for stop in (0, 1, 57)),  # 0: while room for the fit is made
        ("index == 3", 58, 4),
    ],
)
def test_kill_within_a_row_keeps_the_others(tmp_path, fits, stop, count):
    """The process dies at the ``stop``-th write to a dataset of its fourth row; the last of all makes it count."""
    path = tmp_path / "killed.h5"
    code = """
        from pyfai_grf.io import growing_columns, results
        has_fit = lambda index: FITS
        writer = ResultsWriter(sys.argv[1], provenance)
        for index in range(3):
            writer.append(make(index, has_fit=has_fit(index)))
        write, left = growing_columns._put, [int(sys.argv[2])]
        def die():
            os.kill(os.getpid(), signal.SIGKILL)
        def write_and_die(dataset, *arguments):
            write(dataset, *arguments)
            left[0] -= 1
            if not left[0]:
                dataset.file.flush()  # what is half done reaches the disk
                die()
        growing_columns._put = write_and_die
        if not left[0]:
            results.create_fits = lambda *_: die()
        writer.append(make(3, has_fit=has_fit(3)))
        raise AssertionError(f"{left[0]} writes left")
    """.replace("FITS", fits)
    with _run(code, path, stop) as run:
        _, problems = run.communicate()
    assert run.returncode == -signal.SIGKILL, problems
    assert _check_rows(path) == count
    assert export(path) == count
    with h5py.File(path) as h5:
        entry = h5["prediction"]
        assert {entry[n].shape[0] for n in ("frame", "a/value", "curves/intensity", "rows/n", "log/end")} == {count}
    assert _check_rows(path) == count


@pytest.mark.kills
def test_export_elsewhere_leaves_the_killed_file(tmp_path):
    path = tmp_path / "killed.h5"
    with _run(STEPWISE, path) as run:
        run.communicate("go\ngo\nkill\n" if os.name != "nt" else "go\ngo\n")
    before = path.read_bytes()
    assert export(path, tmp_path / "whole.h5") == 2
    assert path.read_bytes() == before
    assert _check_rows(tmp_path / "whole.h5") == 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the size of files as Linux does")
def test_full_disk_keeps_the_rows_before(tmp_path):
    """A limit on the file size stands for the full disk: the write fails inside HDF5 alike."""
    path = tmp_path / "full.h5"
    code = """
        import resource
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        writer = ResultsWriter(sys.argv[1], provenance)
        writer.append(make(0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
        # what gives the reserve back on a real disk: from then on there is room again
        release = writer._reserve.release
        def give_back():
            release()
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        writer._reserve.release = give_back
        try:
            with writer:
                for index in range(1, 10_000):
                    writer.append(make(index))
        except InputError as problem:
            print(index, problem)
    """
    with _run(code, path) as run:
        said, problems = run.communicate()
    assert (run.returncode, problems) == (0, "")
    count, _, message = said.partition(" ")
    assert message == (
        f"cannot write {path}: File too large; its first {count} rows are kept, "
        "export completes it once that is mended\n"
    )
    assert int(count) > 10
    assert _check_rows(path) == int(count)
    assert export(path) == int(count)
    with h5py.File(path) as h5:
        assert f"entry{int(count) - 1:05d}" in h5


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the size of files as Linux does")
@pytest.mark.parametrize("after", ["soft", "300_000"], ids=["the reserve suffices", "not even the reserve"])
def test_no_room_for_the_entries_keeps_the_rows(tmp_path, after):
    path = tmp_path / "full.h5"
    code = """
        import resource
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        from pyfai_grf.io import results
        class Reserve(results.DiskReserve):
            def __init__(self, folder):
                super().__init__(folder)
                resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
            def release(self):
                super().release()
                resource.setrlimit(resource.RLIMIT_FSIZE, (AFTER, hard))
        writer = ResultsWriter(sys.argv[1], provenance)
        for index in range(60):
            writer.append(make(index))
        results.DiskReserve = Reserve
        try:
            writer.close()
        except InputError as problem:
            print(problem)
    """
    with _run(code.replace("AFTER", after), path) as run:
        said, problems = run.communicate()
    assert (run.returncode, problems) == (0, "")
    assert said.startswith(f"cannot write {path}: File too large; the rows in {path} are kept")
    assert _check_rows(path) == 60
    assert [p.name for p in tmp_path.iterdir()] == ["full.h5"]
    assert export(path) == 60


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the size of files as Linux does")
def test_no_room_at_all_is_said_at_the_start(tmp_path):
    code = """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            ResultsWriter(sys.argv[1], provenance)
        except InputError as problem:
            print(problem)
    """
    with _run(code, tmp_path / "none.h5") as run:
        said, problems = run.communicate()
    assert (run.returncode, problems) == (0, "")
    assert said == f"no room in {tmp_path} (2 MiB to start with): File too large; free space or choose another folder\n"
    assert not list(tmp_path.iterdir())


def _write(path: Path, count: int, is_killed: bool, swmr: bool = True) -> bytes:
    code = """
        writer = ResultsWriter(sys.argv[1], provenance, swmr=sys.argv[3] == "True")
        for index in range(int(sys.argv[2])):
            writer.append(make(index, 40, has_fit=True))
        if sys.argv[4] == "True":
            os.kill(os.getpid(), signal.SIGKILL)
        writer.close()
    """
    with _run(code, path, count, swmr, is_killed) as run:
        run.communicate()
    return path.read_bytes()


@pytest.mark.kills
@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
@pytest.mark.parametrize(("is_killed", "swmr"), [(False, True), (True, True), (True, False)])
def test_a_damaged_file_gives_all_rows_or_one_line(tmp_path, is_killed, swmr):
    """Cut, zeroed, flipped at twenty places each: never rows that are not true, and a bad file is not copied."""
    path, copy = tmp_path / "bad.h5", tmp_path / "copy.h5"
    content = _write(path, 4, is_killed, swmr)
    rng = np.random.default_rng(1)
    outcomes = set()
    for number, place in enumerate(rng.integers(0, len(content), 60)):
        bad = bytearray(content)
        if number % 3 == 0:
            del bad[place:]
        elif number % 3 == 1:
            bad[place : place + 512] = bytes(len(bad[place : place + 512]))
        else:
            bad[place] ^= 1 << number % 8
        path.write_bytes(bad)
        found: list[int | str] = []
        for attempt in (lambda: _check_rows(path), lambda: export(path, copy), lambda: export(path)):
            try:
                found.append(attempt())
            except InputError as problem:
                found.append(str(problem))
        assert all(count == 4 for count in found if isinstance(count, int)), (number, place, found)
        # an export looks at all of the file, also at what the rows do not need
        assert isinstance(found[1], int) == isinstance(found[2], int), (number, place, found)
        assert not any("\n" in line for line in found if isinstance(line, str))
        assert copy.exists() == isinstance(found[1], int)
        if copy.exists():
            assert _check_rows(copy) == 4
            copy.unlink()
        else:
            assert path.read_bytes() == bad
        outcomes.add(isinstance(found[1], int))
        assert [p.name for p in tmp_path.iterdir()] == ["bad.h5"]
    assert outcomes == {True, False}


def test_a_heap_of_zeros_is_not_a_trap(tmp_path):
    """On zeros where its texts lie HDF5 itself never comes back."""
    path = tmp_path / "bad.h5"
    content = bytearray(_write(path, 1, is_killed=False))
    place = content.index(b"GCOL\x01") + 16
    content[place : place + 256] = bytes(256)
    path.write_bytes(content)
    with pytest.raises(InputError, match="is damaged: a heap of texts"):
        read_results(path)


@pytest.mark.kills
@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_a_second_writer_is_refused_until_the_first_is_gone(tmp_path):
    path = tmp_path / "out.h5"
    second = """
        try:
            ResultsWriter(sys.argv[1], provenance, overwrite=True).close()
            print("written")
        except InputError as problem:
            print(problem)
    """
    with _run(STEPWISE, path) as first:
        for _ in range(2):
            first.stdin.write("go\n")
            first.stdin.flush()
            first.stdout.readline()
        with _run(second, path) as run:
            said, _ = run.communicate()
        assert said.startswith(f"{path} is being written by process {first.pid} on ")
        with pytest.raises(InputError, match=f"is being written by process {first.pid}"):
            export(path)
        assert export(path, tmp_path / "copy.h5") == 2
        first.communicate("kill\n")
    assert _check_rows(path) == 2
    with _run(second, path) as run:
        said, _ = run.communicate()
    assert said == "written\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy.h5", "out.h5"]


def test_ctrl_c_while_the_file_is_completed_is_obeyed_afterwards(tmp_path):
    path = tmp_path / "out.h5"
    code = """
        from pyfai_grf.io import results
        write, left = results.write_sas_entry, [1]
        def interrupt(h5, name, *rest):
            if name == "entry00001" and left:
                left.pop()
                raise KeyboardInterrupt
            return write(h5, name, *rest)
        results.write_sas_entry = interrupt
        try:
            with ResultsWriter(sys.argv[1], provenance) as writer:
                for index in range(3):
                    writer.append(make(index))
        except KeyboardInterrupt:
            print("stopped")
    """
    with _run(code, path) as run:
        said, problems = run.communicate()
    assert (said, problems) == ("stopped\n", "")
    with h5py.File(path) as h5:
        assert "entry00002" in h5
        assert "end_time" in h5["prediction"]
    assert [p.name for p in tmp_path.iterdir()] == ["out.h5"]


def test_a_disk_that_is_really_full(small_disk):
    """What the system says, the rows before it in the file, and nothing half beside it."""
    path = small_disk / "out.h5"
    code = """
        try:
            with ResultsWriter(sys.argv[1], provenance) as writer:
                for index in range(10_000):
                    writer.append(make(index))
        except InputError as problem:
            print(index, problem)
    """
    with _run(code, path) as run:
        said, problems = run.communicate()
    assert (run.returncode, problems) == (0, "")
    count, _, message = said.partition(" ")
    assert message.startswith(f"cannot write {path}: No space left on device; its first {count} rows are kept")
    assert _check_rows(path) == int(count) > 10
    assert [p.name for p in small_disk.iterdir()] == ["out.h5"]
    with pytest.raises(InputError, match="No space left on device"):
        export(path)
    assert _check_rows(path) == int(count)
    assert export(path, small_disk.parent / "whole.h5") == int(count)


def test_overwriting_on_a_full_disk_keeps_the_old_file(small_disk):
    path = small_disk / "out.h5"
    _write(path, 2, is_killed=False)
    (small_disk / "ballast").write_bytes(bytes(shutil.disk_usage(small_disk).free - 4096))
    before = path.read_bytes()
    code = """
        try:
            ResultsWriter(sys.argv[1], provenance, overwrite=True)
        except InputError as problem:
            print(problem)
    """
    with _run(code, path) as run:
        said, problems = run.communicate()
    assert (run.returncode, problems) == (0, "")
    assert said.startswith(f"no room in {small_disk}")
    assert path.read_bytes() == before


def test_damaged_file_is_one_line(tmp_path):
    path = tmp_path / "cut.h5"
    with _run(STEPWISE, path) as run:
        run.communicate("go\ngo\n")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"cannot read .*cut\.h5 as HDF5") as caught:
        read_results(path)
    assert "\n" not in str(caught.value)


@pytest.mark.kills
@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_curves_of_a_killed_run_are_read_again(tmp_path):
    """On every grid, with the checksum of each: a flipped bit in the numbers does not pass for a measurement."""
    path = tmp_path / "killed.h5"
    content = bytearray(_write(path, 4, is_killed=True))
    curves = read_curves(path)
    assert [curve.q_nm1.size for curve in curves] == [40, 39, 40, 39]
    for index, curve in enumerate(curves):
        assert curve.metadata["title"] == f"é{index} frame {index}"
        np.testing.assert_array_equal(curve.intensity, curve.q_nm1 + index)
        np.testing.assert_array_equal(curve.sigma, curve.q_nm1)
    place = content.index(np.array([2.1]).tobytes())  # the first intensity of the third row
    content[place] ^= 1
    path.write_bytes(content)
    good, (problem,) = collect_curves(path)
    assert len(good) == 2
    assert "the checksum of row 2 is wrong" in str(problem)


@pytest.mark.kills
@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_a_killed_run_without_rows_has_no_curves(tmp_path):
    _write(tmp_path / "killed.h5", 0, is_killed=True)
    with pytest.raises(InputError, match="no one-dimensional curve"):
        read_curves(tmp_path / "killed.h5")
