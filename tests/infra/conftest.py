"""A sandbox server of its own, programs of a few lines, and one apply function for both."""

import json
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.sandbox.deploy import Deployment, apply

ROOT = Path(__file__).parents[2]
START_S = 30
Apply = Callable[..., Deployment]


def pytest_configure(config: pytest.Config) -> None:
    """pulumi_aws warns of its own deprecated types whenever its modules are imported."""
    config.addinivalue_line("filterwarnings", "ignore::DeprecationWarning:pulumi_aws.*")


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A fresh sandbox server; ended with the module."""
    folder = tmp_path_factory.mktemp("server")
    command = [sys.executable, "-m", "ops.sandbox.server", "--folder", str(folder)]
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, cwd=ROOT)
    try:
        yield f"http://127.0.0.1:{_port(process, folder)}"
    finally:
        process.terminate()
        process.wait(timeout=10)


def _port(process: "subprocess.Popen[bytes]", folder: Path) -> int:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        if (folder / "aws.json").exists():
            return int(json.loads((folder / "aws.json").read_text())["port"])
        time.sleep(0.1)
    raise AssertionError(f"the server did not start: {(folder / 'out').read_text()}")


@pytest.fixture(scope="module")
def stack(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Apply:
    """Apply the project's own program, unmodified, to the module's server."""
    state = tmp_path_factory.mktemp("state") / "deploy.json"

    def run(*, read_all: bool = False, **config: str) -> Deployment:
        return apply(
            read_all=read_all,
            endpoint=endpoint,
            state_file=state,
            project="dynamo-ops",
            stack="sandbox",
            config={"environmentClass": "sandbox", **config},
            program=ROOT / "infra",
        )

    return run


@pytest.fixture
def state_file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "deploy.json"


@pytest.fixture
def tiny(tmp_path: Path, state_file: Path) -> Iterator[Apply]:
    """Apply a few lines of Pulumi to moto in this process; each call is another version of one program."""
    from moto import mock_aws

    def run(text: str, **config: Any) -> Deployment:
        program = tmp_path / "__main__.py"
        header = "import pulumi\nimport pulumi_aws as aws\nfrom pulumi import ResourceOptions\n"
        program.write_text(header + textwrap.dedent(text))
        return apply(endpoint=None, state_file=state_file, project="tiny", stack="test", config=config, program=program)

    with mock_aws():
        yield run
