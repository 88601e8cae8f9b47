"""The real CLI against a sandbox: what is missing is said, and nothing of a real account is ever passed on."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[3]
SANDBOX = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("up_sandbox", ROOT / "tools" / "up_sandbox.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_nothing_is_missing_with_a_cli_and_a_sandbox(tool: ModuleType) -> None:
    assert tool.missing(SANDBOX, "/usr/bin/pulumi", "v3.272.0\n") == []


@pytest.mark.parametrize(
    ("environ", "cli", "version", "said"),
    [
        (SANDBOX, None, "", "not on the PATH"),
        (SANDBOX, "/usr/bin/pulumi", "v3.100.0", "3.231 or newer"),
        (SANDBOX, "/usr/bin/pulumi", "", "unknown version"),
        ({}, "/usr/bin/pulumi", "v3.272.0", "no sandbox is named"),
        ({"AWS_ENDPOINT_URL": "https://dynamodb.us-east-1.amazonaws.com"}, "p", "v3.272.0", "on this machine only"),
    ],
)
def test_what_is_missing_is_named(
    tool: ModuleType, environ: dict[str, str], cli: str | None, version: str, said: str
) -> None:
    (found,) = tool.missing(environ, cli, version)
    assert said in found


def test_no_real_credential_or_profile_reaches_the_cli(tool: ModuleType, tmp_path: Path) -> None:
    mine = {"AWS_PROFILE": "prod", "AWS_SESSION_TOKEN": "t", "PULUMI_ACCESS_TOKEN": "p", "PATH": "/bin", **SANDBOX}
    found = tool.environment(mine, tmp_path)
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "PULUMI_ACCESS_TOKEN"} & set(found)
    assert (found["AWS_ACCESS_KEY_ID"], found["PATH"]) == ("sandbox", "/bin")
    assert found["PULUMI_BACKEND_URL"].startswith("file://")


def test_the_stack_is_one_of_its_own(tool: ModuleType) -> None:
    for command in tool.commands("pulumi"):
        assert "sandbox-cli" in command


def test_every_setting_is_of_the_type_that_the_cli_demands(tool: ModuleType) -> None:
    """The CLI refuses a text where Pulumi.yaml says array; one entry of an array is set by its path."""
    documented = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    for setting in tool.PROGRAM:
        name, _, index = setting.partition("[")
        assert (documented[name]["type"] == "array") == bool(index), setting
    assert "--path" in tool.commands("pulumi")[1]


@pytest.mark.parametrize(("fails_at", "code", "ran"), [("never", 0, 3), ("config", 7, 2)])
def test_with_a_cli_its_commands_run_in_order_until_one_fails(
    tmp_path: Path, fails_at: str, code: int, ran: int
) -> None:
    cli, said = tmp_path / "pulumi", tmp_path / "said"
    cli.write_text(
        "#!/bin/sh\n"
        '[ "$1" = version ] && echo v3.272.0 && exit 0\n'
        f'echo "$1 $PULUMI_BACKEND_URL $AWS_ENDPOINT_URL" >> {said}\n'
        f'[ "$1" = {fails_at} ] && exit 7\n'
        "exit 0\n"
    )
    cli.chmod(0o755)
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "up_sandbox.py")],
        env={**SANDBOX, "PATH": f"{tmp_path}:/bin:/usr/bin"},
        check=False,
    )
    lines = said.read_text().splitlines()
    assert (done.returncode, len(lines)) == (code, ran)
    assert [line.split()[0] for line in lines] == ["stack", "config", "up"][:ran]
    assert all(line.endswith(SANDBOX["AWS_ENDPOINT_URL"]) and " file://" in line for line in lines)


def test_without_a_cli_it_says_so_and_ends_with_1(tmp_path: Path) -> None:
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "PATH": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "up_sandbox.py")],
        capture_output=True,
        text=True,
        env=environ,
        check=False,
    )
    assert done.returncode == 1
    assert "not on the PATH" in done.stderr and "no sandbox is named" in done.stderr
