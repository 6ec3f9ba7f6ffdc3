"""Tasks that worker processes can import."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def chores(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of tasks, importable here and, through ``sys.path``, in the worker processes."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("chores")
