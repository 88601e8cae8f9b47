"""What every test gets: no real AWS credentials, no real endpoint, own folders for state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.whole_sandbox import WholeSandbox

# A busy machine is no failure: properties are about values, not about how fast they are drawn.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

_FOREIGN = (
    "AWS_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_SESSION_TOKEN",
    "OPS_ENV",
    "OPS_PROJECT",
    "OPS_OUTPUT",
    "OPS_SANDBOX_DIR",
)


@pytest.fixture(autouse=True)
def no_real_account(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whatever the shell of the developer holds, no test may reach an account with it."""
    for name in _FOREIGN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "sandbox")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sandbox")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent/aws-config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/aws-credentials")
    yield


@pytest.fixture
def runs_folder(tmp_path: Path) -> Path:
    """A place for run folders."""
    return tmp_path / "runs"


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeSandbox]:
    """A whole sandbox, as `ops sandbox up` makes it: database, track source, the Pulumi program applied."""
    found = WholeSandbox(tmp_path_factory.mktemp("whole"))
    yield found
    found.stop()
