"""The plan of the house: imports run one way, each heavy library stays in its room, the front door is light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pyfai_grf

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pyfai_grf"
MODULES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "plugins").rglob("*.py")])

#: room -> floor; a room imports from floors below its own and from itself
FLOORS = {
    "core": 0,
    "theory": 1,
    "frames": 1,
    "workers": 1,
    "simulation": 2,
    "features": 2,
    "reduce": 2,
    "tabulation": 3,
    "library": 3,
    "virtual_instrument": 3,
    "report": 3,
    "io": 3,
    "learn": 4,
    "analysis": 5,
    "workflows": 6,
    "cli": 7,
    "plugins": 7,
}
#: modules at the top level of the package that count with a room
GUESTS = {"__main__": "cli"}
#: library -> the only place that may import it
OWNERS = {
    "cupy": ("core/backend.py",),
    "cupyx": ("core/backend.py",),
    "pyFAI": ("reduce", "virtual_instrument"),
    "distributed": ("workers/cluster.py",),
    "xgboost": ("learn",),
    "PySide6": ("plugins",),
    "PyQt6": ("plugins",),
}
#: what ``import pyfai_grf`` must not load
HEAVY = ("cupy", "xgboost", "pyFAI", "PySide6", "PyQt6", "PyQt5", "scipy", "matplotlib", "h5py", "silx", "fabio")


def _name_place(path: Path) -> str:
    """Return the path as the house knows it: "core/units.py", "plugins/pyfai_grf_ewoks/tasks.py"."""
    return path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else ROOT).as_posix()


def _find_room(place: str) -> str | None:
    """Return the room of "core/units.py" or of "workflows.py"; None for the front door."""
    room = place.split("/")[0].removesuffix(".py")
    return None if room == "__init__" else GUESTS.get(room, room)


def _find_imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of every import, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write imports in full, so that the plan can be read"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def _name_target(dotted: str) -> str | None:
    """Return the room that an import reaches, None if it is not ours or only the front door (its version)."""
    top, _, rest = dotted.partition(".")
    if top.startswith("pyfai_grf_") and top != "pyfai_grf_models":
        return "plugins"
    room = GUESTS.get(rest.split(".")[0], rest.split(".")[0])
    return room if top == "pyfai_grf" and room in FLOORS else None


@pytest.mark.parametrize("path", MODULES, ids=_name_place)
def test_imports_run_one_way(path: Path) -> None:
    room = _find_room(_name_place(path))
    for line, dotted in _find_imports(path):
        target = _name_target(dotted)
        if target is None or target == room:
            continue
        assert room is not None, f"{path.name}:{line}: the front door imports {target} before anybody asked"
        assert room in FLOORS, f"{_name_place(path)}: a room that is not on the plan"
        assert FLOORS[target] < FLOORS[room], f"{_name_place(path)}:{line}: {room} imports {target}"


@pytest.mark.parametrize("path", MODULES, ids=_name_place)
def test_each_library_stays_in_its_room(path: Path) -> None:
    place = _name_place(path)
    for line, dotted in _find_imports(path):
        owners = OWNERS.get(dotted.split(".")[0], ("",))
        assert place.startswith(owners), f"{place}:{line} imports {dotted}: only {' and '.join(owners)} may"


@pytest.mark.parametrize("path", MODULES, ids=_name_place)
def test_only_the_command_line_prints(path: Path) -> None:
    if _find_room(_name_place(path)) == "cli":
        return
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    printed = [node.lineno for node in calls if isinstance(node.func, ast.Name) and node.func.id == "print"]
    assert not printed, f"{_name_place(path)} prints on lines {printed}"


@pytest.mark.parametrize("path", MODULES, ids=_name_place)
def test_a_module_is_named_for_what_it_holds(path: Path) -> None:
    assert not {path.stem, path.parent.name} & {"utils", "helpers", "common", "misc", "util", "tools"}


def _list_loaded(statement: str) -> set[str]:
    """Return the top-level modules that ``statement`` loads in a fresh interpreter."""
    code = f"{statement}\nimport sys\nsys.stdout.write(' '.join({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_front_door_is_light() -> None:
    assert _list_loaded("import pyfai_grf; dir(pyfai_grf)").isdisjoint(HEAVY)


def test_help_is_light() -> None:
    """``pyfai-grf --help`` answers in under half a second: none of the slow libraries may load."""
    if not (PACKAGE / "__main__.py").exists():
        pytest.skip("the command line is not there yet")
    statement = "import contextlib, io\nfrom pyfai_grf.cli import main\n"
    statement += (
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n    main(['--help'])"
    )
    assert _list_loaded(statement).isdisjoint({"cupy", "xgboost", "pyFAI", "scipy", "matplotlib", "silx", "fabio"})


def _list_modules(room: str) -> list[str]:
    return [
        f"pyfai_grf.{room}.{path.stem}" for path in sorted((PACKAGE / room).glob("*.py")) if path.stem != "__init__"
    ]


def test_simulating_needs_no_pyfai_and_no_xgboost() -> None:
    """A cluster node that grows a library has neither detector nor trees."""
    modules = [
        module
        for room in ("theory", "simulation", "tabulation", "workers", "library")
        for module in _list_modules(room)
    ]
    loaded = _list_loaded("\n".join(f"import {name}" for name in modules))
    assert loaded.isdisjoint({"pyFAI", "xgboost", "cupy", "matplotlib", "silx"})


def _list_public() -> list[str]:
    """Return the public names whose module is there: the rooms are built one after the other."""
    return [n for n, module in pyfai_grf._PUBLIC.items() if (ROOT / (module.replace(".", "/") + ".py")).exists()]


@pytest.mark.parametrize("name", _list_public())
def test_public_name_is_documented(name: str) -> None:
    public = getattr(pyfai_grf, name)
    assert public.__doc__, f"{name} has no docstring"
    assert callable(public), f"{name} is a {type(public).__name__}, not a function or a class"


@pytest.mark.parametrize("name", _list_public())
def test_room_does_not_hide_a_public_name(name: str) -> None:
    """Loading pyfai_grf.simulation, the room, must leave pyfai_grf.simulate, the function, callable."""
    rooms = "\n".join(f"import pyfai_grf.{room}" for room in ("core", "theory", "simulation", "features"))
    for order in (f"{rooms}\nimport pyfai_grf", f"import pyfai_grf\npyfai_grf.{name}\n{rooms}"):
        _list_loaded(f"{order}\nassert callable(pyfai_grf.{name})")


@pytest.mark.parametrize(
    "name", [n for n in _list_public() if n in ("simulate", "expected_intensity", "make_structure", "reduce_frame")]
)
def test_public_function_says_its_units(name: str) -> None:
    assert "nm" in getattr(pyfai_grf, name).__doc__, f"the docstring of {name} states no unit"
