"""The plan of the house: imports run one way, each heavy library stays in its room, the front door is light.

And: one name means one thing, flags are worded in one place, tests stand where one looks for them, and the page that
describes all this is true.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import pyfai_grf
from pyfai_grf.cli import COMMANDS
from pyfai_grf.cli.hints import HINTS

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
    "fit": 3,
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
#: names that two modules still have; may only shrink
NAMES_LEFT: set[str] = set()
#: what looks like a flag and is none: an option of a compiler
NO_FLAGS = ("simulation/cuda.py",)
#: modules that only name things
NOTHING_TO_TEST = ("core/arrays.py",)
#: modules that are tested with the module of which they are twins
TWINS = {
    "simulation/cuda.py": "simulation/test_kernels.py",
    "simulation/distance_compiled.py": "simulation/test_distance.py",
    "simulation/phase_loops.py": "simulation/test_kernels.py",
    "tabulation/film_loops.py": "tabulation/test_depth.py",
    "__main__.py": "cli/test_cli.py",
    "plugins/pyfai_grf_ewoks/tasks.py": "plugins/test_ewoks.py",
}
#: modules without a test file of their own; may only shrink
UNTESTED: set[str] = set()
#: what ``import pyfai_grf`` must not load
HEAVY = ("cupy", "xgboost", "pyFAI", "PySide6", "PyQt6", "PyQt5", "scipy", "matplotlib", "h5py", "silx", "fabio")


def _name_place(path: Path) -> str:
    """Return the path as the house knows it: "core/units.py", "plugins/pyfai_grf_ewoks/tasks.py"."""
    return path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else ROOT).as_posix()


def _find_room(place: str) -> str | None:
    """Return the room of "core/units.py" or of "workflows.py"; None for the front door."""
    room = place.split("/")[0].removesuffix(".py")
    return None if room == "__init__" else GUESTS.get(room, room)


def _read_tree(path: Path) -> ast.Module:
    """Return the module's syntax tree; of the front door without what it shows to type checkers alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if path == PACKAGE / "__init__.py":
        tree.body = [n for n in tree.body if not (isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")]
    return tree


def _find_imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of every import, inside functions too."""
    for node in ast.walk(_read_tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write imports in full, so that the plan can be read"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def _name_target(dotted: str) -> str | None:
    """Return the room that an import reaches, None if it is not ours."""
    top, _, rest = dotted.partition(".")
    if top.startswith("pyfai_grf_") and top != "pyfai_grf_models":
        return "plugins"
    room = GUESTS.get(rest.split(".")[0], rest.split(".")[0])
    if top != "pyfai_grf":
        return None
    assert room in FLOORS, f"{dotted} is imported through the front door: import it from its room"
    return room


@pytest.mark.parametrize("path", MODULES, ids=_name_place)
def test_imports_run_one_way(path: Path) -> None:
    room = _find_room(_name_place(path))
    for line, dotted in _find_imports(path):
        target = _name_target(dotted)
        if target is None or target == room:
            continue
        if room is None:
            assert dotted == "pyfai_grf.core.versions", f"{path.name}:{line}: imports {target} before anybody asked"
            continue
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


def test_no_two_modules_have_one_name() -> None:
    """Not even but for a plural: whoever says "settings" means one module. Commands are named as users call them."""
    places = defaultdict(list)
    for path in MODULES:
        place = _name_place(path)
        if path.stem not in ("__init__", "__main__") and not place.startswith("cli/"):
            places[path.stem.removesuffix("s")].append(place)
    assert {name: same for name, same in places.items() if len(same) > 1 and name not in NAMES_LEFT} == {}
    assert {name for name in NAMES_LEFT if len(places[name]) < 2} == set(), "take it off the list"


# --- messages ---------------------------------------------------------------------------------------------------------


def _find_messages(path: Path) -> Iterator[str]:
    """Yield every text of a module but its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (n for n in ast.walk(tree) if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef))
    docstrings = {id(node.body[0].value) for node in documented if node.body and isinstance(node.body[0], ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


@pytest.mark.parametrize("path", MODULES, ids=_name_place)
def test_only_the_command_line_knows_flags(path: Path) -> None:
    """An error may come out of a Python call or another program: cli/hints.py words what would help in flags."""
    if _name_place(path).startswith(("cli/", *NO_FLAGS)):
        return
    flag = re.compile(rf"(?<![\w-])--[a-z]|\bpyfai-grf (?:{'|'.join(COMMANDS)})\b")
    assert [text for text in _find_messages(path) if flag.search(text)] == [], "word them in cli/hints.py"


def _find_hints() -> Iterator[tuple[str, str, set[str]]]:
    """Yield (place, hint, names of the facts) of every error that is made with a hint, or call that is given one."""
    errors = {name for name in pyfai_grf.__all__ if name.endswith("Error")}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                given = {k.arg: k.value for k in node.keywords}
                is_error = isinstance(node.func, ast.Name) and node.func.id in errors
                hint = node.args[1] if is_error and len(node.args) > 1 else given.pop("hint", None)
                if isinstance(hint, ast.Constant):
                    yield f"{_name_place(path)}:{node.lineno}", str(hint.value), {str(name) for name in given}


def test_every_hint_is_worded_and_has_its_facts() -> None:
    used = set()
    for place, hint, facts in _find_hints():
        assert hint in HINTS, f"{place}: cli/hints.py does not word {hint!r}"
        needed = set(re.findall(r"\{(\w+)", HINTS[hint]))
        assert needed <= facts, f"{place}: the hint {hint!r} needs {sorted(needed)}"
        used.add(hint)
    assert used == set(HINTS), "a hint that no error carries"


# --- tests and pages --------------------------------------------------------------------------------------------------


def test_every_module_has_its_test_file() -> None:
    missing = set()
    for path in MODULES:
        place = _name_place(path)
        room = Path(place).parts[0] if place.startswith("plugins/") else Path(place).parent.as_posix()
        expected = TWINS.get(place, f"{room}/test_{path.name}")
        is_exempt = path.stem == "__init__" or place in NOTHING_TO_TEST
        if not is_exempt and not (ROOT / "tests" / expected).exists():
            missing.add(place)
    assert missing == UNTESTED, "write the test file; take what has one off the list"


def test_the_page_on_the_rooms_is_true() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = {name: int(floor) for name, floor in re.findall(r"^\| `(\w+)` \| (\d+) \|", page, re.MULTILINE)}
    assert rows == FLOORS
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")} | {"workflows", "plugins"}
    assert set(rows) == rooms


PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    """Links, and what looks like a path inside back quotes: from the root, in the package, or in a folder of tests."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    gone = [link for link in links if not (page.parent / link).exists()]
    names = re.findall(r"`([\w.-]+/[\w./-]*|[\w-]+\.(?:md|cff|toml|py))`", text)
    folders = (ROOT, PACKAGE, *(ROOT / "tests").glob("*/"))
    gone += [name for name in names if not any((folder / name).exists() for folder in folders)]
    assert sorted(set(gone) - {"pyfai-grf-demo/", "dist/", "shared/data"}) == []


def test_one_version_everywhere() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    assert pyfai_grf.__version__ == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## {version} " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_citation_names_the_paper() -> None:
    yaml = pytest.importorskip("yaml", reason="no reader of YAML is installed")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= citation.keys()
    assert [reference["doi"] for reference in citation["references"]] == ["10.3389/fmats.2022.956839"]


# --- doors ------------------------------------------------------------------------------------------------------------


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
