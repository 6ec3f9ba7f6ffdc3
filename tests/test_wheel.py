"""What a user installs: wheel and source distribution hold everything, once, and work where the checkout is not."""

from __future__ import annotations

import email
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import pyfai_grf

ROOT = Path(__file__).parents[1]
FOLDERS = ("pyfai_grf", "plugins", "models", "tests", "docs", ".ci")
FILES = (
    *("pyproject.toml", "setup.py", "MANIFEST.in", "LICENSE", "CITATION.cff", ".pre-commit-config.yaml"),
    *(path.name for path in ROOT.glob("*.md")),
)
MODELS = sorted(path.parent.name for path in ROOT.glob("models/*/model.json"))
LIBRARIES = sorted(path.name for path in ROOT.glob("models/library/library-*.h5"))
#: what --help may not wait for
SLOW = {"numpy", "scipy", "h5py", "pyFAI", "fabio", "silx", "xgboost", "matplotlib"}

#: says, as JSON, what an installation has; it runs where the checkout is neither the folder nor on the path
SURVEY = """
import importlib.metadata, json
import pyfai_grf
from pyfai_grf.learn.bundle import find_bundled, load_model
from pyfai_grf.workflows import find_libraries
own = importlib.metadata.distribution("pyfai-grf").entry_points
print(json.dumps({
    "package": pyfai_grf.__file__,
    "version": importlib.metadata.version("pyfai-grf"),
    "entry_points": {f"{e.group}: {e.name}": getattr(e.load(), "__name__", "") for e in own},
    "models": {name: [str(path), load_model(name).name] for name, path in find_bundled().items()},
    "libraries": [str(path) for path in find_libraries()],
}))
"""


@dataclass(frozen=True)
class Installed:
    source: Path
    wheel: Path
    folder: Path

    def run(self, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run Python with this installation in front of all others."""
        return _run([sys.executable, *arguments], cwd, PYTHONPATH=str(self.folder))


def _run(command: list[str], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=cwd, env={**inherited, **environment}, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, f"{command} in {cwd}:\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The source distribution of this checkout, the wheel made from it, and a folder with the wheel installed.

    All from a copy, for setuptools leaves its traces; from the source distribution, as an index would get the wheel.
    """
    pytest.importorskip("build", reason="the package build is not installed (pip install pyfai-grf[test])")
    top = tmp_path_factory.mktemp("wheel")
    checkout = top / "checkout"
    for name in FOLDERS:
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in FILES:
        shutil.copy(ROOT / name, checkout / name)
    _run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(top), str(checkout)], top)
    (source,) = top.glob("*.tar.gz")
    (wheel,) = top.glob("*.whl")
    target = top / "installed"
    install = ["install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check", "--target", str(target)]
    _run([sys.executable, "-m", "pip", *install, str(wheel)], top)
    return Installed(source, wheel, target)


@pytest.fixture(scope="session")
def survey(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    done = installed.run("-c", SURVEY, cwd=tmp_path_factory.mktemp("elsewhere"))
    return dict(json.loads(done.stdout))


def test_wheel_holds_what_the_checkout_holds(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        licences = [name for name in archive.namelist() if name.endswith(".dist-info/licenses/LICENSE")]
        assert [archive.read(name).decode() for name in licences] == [(ROOT / "LICENSE").read_text()]
    places = {"pyfai_grf": "pyfai_grf", "models": "pyfai_grf_models"}
    places |= {f"plugins/{path.name}": path.name for path in (ROOT / "plugins").iterdir() if path.is_dir()}
    expected = {
        f"{package}/{path.relative_to(ROOT / folder).as_posix()}"
        for folder, package in places.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert sorted(names) == sorted(expected)  # nothing is missing, nothing there twice


def test_source_distribution_holds_what_the_checkout_holds(installed: Installed) -> None:
    """Tests and documentation too, so that whoever packages it can run the one and build the other."""
    with tarfile.open(installed.source) as archive:
        names = [member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()]
    expected = {
        path.relative_to(ROOT).as_posix()
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and not any(part == "__pycache__" or part.endswith(".egg-info") for part in path.parts)
    }
    made = {"PKG-INFO", "setup.cfg"}  # by setuptools
    found = [name for name in names if not name.startswith("pyfai_grf.egg-info/")]
    assert sorted(found) == sorted(expected | made | set(FILES))


def test_description_leads_nowhere_that_an_index_does_not_have(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    assert metadata["Description-Content-Type"] == "text/markdown"
    content = metadata.get_payload(decode=True)
    assert isinstance(content, bytes)
    described = content.decode().strip()
    for target in re.findall(r"\]\(([^)]*)\)", described):
        assert target.startswith(("https://", "#")), f"{target} is not on an index"
    # every line of README.md is there as it is, but for those with links into this folder
    for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines():
        for path in re.findall(r"(?<!!)\[[^\]]*\]\((?!https:|#)([^)]*)\)", line):
            assert f"(`{path}` in the source distribution)" in described
        assert line in described or re.search(r"\]\((?!https:|#)", line), f"the description lacks {line!r}"


def test_wheel_works_without_the_checkout(installed: Installed, survey: dict[str, Any]) -> None:
    assert survey["version"] == pyfai_grf.__version__
    paths = [survey["package"], *survey["libraries"], *(path for path, _ in survey["models"].values())]
    for path in paths:
        assert Path(path).is_relative_to(installed.folder), f"{path} is not of the wheel"
    assert sorted(survey["models"]) == MODELS
    assert sorted(Path(path).name for path in survey["libraries"]) == LIBRARIES


def test_models_are_loaded_under_their_names(survey: dict[str, Any]) -> None:
    """Loading compares every file with its hash."""
    assert survey["models"]
    for name, (_, said) in survey["models"].items():
        assert said == name


def test_every_entry_point_loads(survey: dict[str, Any]) -> None:
    pytest.importorskip("ewokscore", reason="ewokscore is not installed (pip install pyfai-grf[ewoks])")
    assert survey["entry_points"] == {
        "console_scripts: pyfai-grf": "main",
        "ewoks.tasks.class: pyfai_grf_ewoks.tasks": "pyfai_grf_ewoks",
    }


def test_command_predicts(installed: Installed, tmp_path: Path) -> None:
    """The script that pip made, on a curve of the bundled model's own material."""
    made = (
        "import sys, numpy, pyfai_grf as g; q = g.load_model(sys.argv[1]).q_nm1\n"
        "i = g.expected_intensity(q, a=3.0, porosity=0.3)\n"
        "numpy.savetxt('curve.dat', numpy.c_[q, i, 0.01 * i], header='q_nm^-1 I sigma')"
    )
    installed.run("-c", made, "two-phase-low-porosity", cwd=tmp_path)
    script = str(installed.folder / "bin" / "pyfai-grf")
    done = installed.run(script, "predict", "curve.dat", "--material", "two-phase-low-porosity", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["values"]["a"] == pytest.approx(3.0, rel=0.05)


@pytest.mark.parametrize("arguments", [["--help"], ["predict", "--help"]])
def test_help_loads_nothing_slow(installed: Installed, tmp_path: Path, arguments: list[str]) -> None:
    script = str(installed.folder / "bin" / "pyfai-grf")
    done = installed.run("-X", "importtime", script, *arguments, cwd=tmp_path)
    assert done.stdout.startswith("usage: pyfai-grf")
    loaded = {line.split("|")[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "pyfai_grf" in loaded
    assert loaded.isdisjoint(SLOW)


def test_module_is_the_command(installed: Installed, tmp_path: Path) -> None:
    done = installed.run("-m", "pyfai_grf", "--version", cwd=tmp_path)
    assert done.stdout == f"pyfai-grf {pyfai_grf.__version__}\n"


def test_this_environment_has_them_too(tmp_path: Path) -> None:
    """However the project is installed here (for a developer: editable), from any folder."""
    found = json.loads(_run([sys.executable, "-c", SURVEY], tmp_path).stdout)
    assert sorted(found["models"]) == MODELS
    assert sorted(Path(path).name for path in found["libraries"]) == LIBRARIES
    assert "console_scripts: pyfai-grf" in found["entry_points"]
