"""A session of the library against a sandbox with declared tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from ops.aws import Aws
from ops.environment import open_environment
from ops.flows.session import Session
from ops.progress import SilentProgress
from ops.sandbox.control import SandboxClock, SandboxControl
from tests.cli.recovery_stage import Stage
from tests.sandbox.flows.import_kit import Bench, Open


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A running sandbox with an environment of declared tables."""
    found = Stage(tmp_path_factory.mktemp("flows"))
    yield found
    found.stop()


@pytest.fixture
def session(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Session]:
    """Opens the environment as it is declared at that moment."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", stage.endpoint)

    def opened() -> Session:
        aws = Aws(region="us-east-1")
        clock = SandboxClock(SandboxControl(stage.endpoint))
        return Session(aws, open_environment(aws, "music", "dev"), clock, SilentProgress(), Random(7))

    return opened


@pytest.fixture
def bench(stage: Stage, session: Open, tmp_path: Path) -> Iterator[Bench]:
    """A table of forty items."""
    logical = stage.declare(items=40, stem="filled")
    yield Bench(stage, session(), logical, tmp_path)
    stage.forget(logical)
