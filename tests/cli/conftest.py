"""One sandbox for all tests of the command line that need AWS."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def _load(name: str) -> Any:
    """A helper module beside this file: pytest's importlib mode puts no test folder on the path."""
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A running sandbox with an environment of declared tables."""
    _load("gate")
    found = _load("recovery_stage").Stage(tmp_path_factory.mktemp("stage"))
    yield found
    found.stop()


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A whole sandbox, as `ops sandbox up` makes it: database, track source, the Pulumi program applied."""
    found = _load("whole_sandbox").WholeSandbox(tmp_path_factory.mktemp("whole"))
    yield found
    found.stop()
