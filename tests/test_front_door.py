"""The front door: the public names, what a type checker sees of them, and docstrings that tools can read."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pyfai_grf

ROOT = Path(__file__).parents[1]
#: checks of numpydoc that no docstring here has to pass: extended summary, See Also, examples, and (until numpydoc 1.9)
#: a line break before the summary
UNCHECKED = {"ES01", "SA01", "EX01", "GL01"}
#: and that a class need not pass: its fields stand under Attributes, not as parameters of the constructor
UNCHECKED_IN_CLASSES = {"PR01"}


def _read_typed_names() -> dict[str, str]:
    """Return what the block for type checkers imports: public name to module."""
    tree = ast.parse(Path(pyfai_grf.__file__).read_text(encoding="utf-8"))
    (block,) = (n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    found = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            assert alias.asname == alias.name, f"'as {alias.name}' is what makes the name public to a type checker"
            found[alias.name] = str(node.module)
    return found


def test_type_checkers_and_the_interpreter_find_the_same_names() -> None:
    assert _read_typed_names() == pyfai_grf._PUBLIC


def test_all_public_names_are_there() -> None:
    for name in pyfai_grf.__all__:
        assert getattr(pyfai_grf, name) is not None
    assert set(pyfai_grf.__all__) == set(dir(pyfai_grf))
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = pyfai_grf.nonsense  # type: ignore[attr-defined]


def test_every_error_of_the_family_is_public() -> None:
    from pyfai_grf.core import errors

    family = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert family <= set(pyfai_grf.__all__)


def test_a_type_checker_sees_the_types(tmp_path: Path) -> None:
    """As in the code of a user: every public name has its type, and a name that is not there is an error."""
    pytest.importorskip("mypy", reason="mypy is not installed (pip install pyfai-grf[test])")
    lines = ["import pyfai_grf as grf", *(f"reveal_type(grf.{name})" for name in pyfai_grf._PUBLIC), "grf.nonsense"]
    (tmp_path / "user.py").write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "mypy", "--follow-imports=silent", "--ignore-missing-imports"]
    command += ["--cache-dir", str(tmp_path / "cache"), str(tmp_path / "user.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
    said = [line.partition(": ")[2] for line in done.stdout.splitlines()]
    revealed = dict(zip(pyfai_grf._PUBLIC, (line for line in said if "Revealed type" in line), strict=True))
    assert [name for name, text in revealed.items() if '"Any"' in text] == []
    assert re.search(r"q: (Union\[)?numpy.ndarray", revealed["simulate"])  # mypy before 1.16 writes unions so
    assert "-> tuple[numpy.ndarray" in revealed["simulate"]
    assert "-> pyfai_grf.learn.bundle.Model" in revealed["load_model"]
    assert [line for line in said if '"nonsense"' in line], done.stdout


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(pyfai_grf.__file__).parent / "py.typed").is_file()


@pytest.mark.parametrize("name", sorted(pyfai_grf._PUBLIC))
def test_docstring_is_what_tools_parse(name: str) -> None:
    validate = pytest.importorskip("numpydoc.validate", reason="numpydoc is not installed").validate
    found = validate(f"{pyfai_grf._PUBLIC[name]}.{name}")["errors"]
    unchecked = UNCHECKED | (UNCHECKED_IN_CLASSES if isinstance(getattr(pyfai_grf, name), type) else set())
    assert [f"{code}: {text}" for code, text in found if code not in unchecked] == []
