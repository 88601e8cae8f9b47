"""One sandbox for all tests of the command line that need AWS."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def _stage_module() -> Any:
    path = Path(__file__).with_name("recovery_stage.py")
    spec = importlib.util.spec_from_file_location("recovery_stage", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault("recovery_stage", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A running sandbox with an environment of declared tables."""
    found = _stage_module().Stage(tmp_path_factory.mktemp("stage"))
    yield found
    found.stop()
