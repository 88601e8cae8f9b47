"""A session of the library against a sandbox with declared tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import pytest

from ops.aws import Aws
from ops.environment import open_environment
from ops.flows.session import Session
from ops.progress import SilentProgress
from ops.sandbox.control import SandboxClock, SandboxControl
from tests.cli.recovery_stage import Stage


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
