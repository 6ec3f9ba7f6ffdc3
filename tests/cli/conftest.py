"""The command line in this process, and files that a user might name: good ones, and each kind of bad one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import fabio
import h5py
import numpy as np
import pytest

from pyfai_grf.cli import main
from pyfai_grf.theory.closed_form import expected_intensity

Q_NM1 = np.linspace(0.05, 2.5, 200)
#: with the noise that the errors in the files state
INTENSITY = expected_intensity(Q_NM1, 3.0, 0.3) * np.random.default_rng(8).normal(1, 0.01, Q_NM1.size)


class Done(NamedTuple):
    """What a command came to; ``run(...) == (0, "", "")`` for one that went well and said nothing."""

    status: int
    out: str
    err: str

    @property
    def complaints(self) -> list[str]:
        return [line for line in self.err.splitlines() if not line.startswith("pyfai-grf: warning: ")]

    @property
    def warnings(self) -> list[str]:
        return [line for line in self.err.splitlines() if line not in self.complaints]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """``run("predict", ...)``: the command in this process; an exception that gets out fails the test."""

    def call(*arguments: object) -> Done:
        capsys.readouterr()
        try:
            status = main([str(a) for a in arguments])
        except SystemExit as stop:
            status = int(stop.code or 0)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        if status != 2:  # argparse adds the usage
            assert all(line.startswith("pyfai-grf") for line in err.splitlines()), err
        return Done(status, out, err)

    return call


@pytest.fixture(scope="session")
def curves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of text curves: good ones, and each kind of bad one."""
    folder = tmp_path_factory.mktemp("curves")
    holes = INTENSITY.copy()
    holes[50:52], holes[150], holes[160] = np.nan, -INTENSITY[150], 0.0
    columns = {
        "nm": (Q_NM1, INTENSITY, "q(1/nm)"),
        "angstrom": (Q_NM1 / 10, INTENSITY, "q(1/A)"),
        "unknown": (Q_NM1, INTENSITY, ""),
        "angle": (Q_NM1, INTENSITY, "2th_deg"),
        "holes": (Q_NM1, holes, "q(1/nm)"),
        "negative": (Q_NM1, -INTENSITY, "q(1/nm)"),
        "zero": (Q_NM1, 0 * INTENSITY, "q(1/nm)"),
        "nan": (Q_NM1, np.nan * INTENSITY, "q(1/nm)"),
        "short": (Q_NM1[60:], INTENSITY[60:], "q(1/nm)"),
    }
    for name, (q, intensity, unit) in columns.items():
        table = np.column_stack([q, intensity, 0.01 * np.abs(np.interp(q, q, INTENSITY[-q.size :]))])
        if name == "holes":  # points that are not positive are hardly known
            table[[150, 160], 2] = INTENSITY[[150, 160]]
        np.savetxt(folder / f"{name}.dat", table, header=f"{unit} I sigma" if unit else "")
    (folder / "empty.dat").touch()
    (folder / "noise.dat").write_bytes(bytes(range(256)) * 8)
    with h5py.File(folder / "nothing.h5", "w") as h5:
        h5["a"] = 1
    (folder / "cut.h5").write_bytes((folder / "nothing.h5").read_bytes()[:600])
    return folder


@pytest.fixture(scope="session")
def frames(tmp_path_factory: pytest.TempPathFactory, setup: Any) -> Path:
    """A folder of EDF frames with setup.poni: three good ones, and each kind of bad one."""
    folder = tmp_path_factory.mktemp("frames")
    setup.integrator.save(str(folder / "setup.poni"))
    expected = setup.expect_material(3e6, 3.0, 0.3)
    rng = np.random.default_rng(7)
    images = {f"good_{n}": rng.poisson(expected) for n in (1, 2, 3)}
    images |= {"wrong": rng.poisson(expected[:100]), "zero": np.zeros(setup.shape)}
    for name, image in images.items():
        fabio.edfimage.EdfImage(data=image.astype(np.int32)).write(str(folder / f"{name}.edf"))
    (folder / "cut.edf").write_bytes((folder / "good_1.edf").read_bytes()[:2000])
    (folder / "text.edf").write_text("no image at all\n" * 40)
    (folder / "empty.edf").touch()
    return folder
