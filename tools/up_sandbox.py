"""`make up-sandbox`: the real Pulumi CLI and the real AWS provider against a running sandbox.

The sandbox applies the program in process and needs no CLI. This is the other way round: the same program, with the
engine and the provider that AWS gets, against the same stand-in. It keeps its state in `.cache/pulumi-sandbox`, which
belongs to one sandbox and is to be deleted with it, uses a stack of its own and credentials that are worth nothing
anywhere else. Nothing is installed: what is missing is named.
Not every call of the real provider is known to the sandbox; a failure there is a gap of the sandbox, not of `infra/`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
STACK = "sandbox-cli"
MINIMUM = (3, 231)  # what pulumi_aws 7.51 asks of the CLI
# The provider asks AWS who it is and where it runs unless it is told not to; without these it waits for ever.
PROVIDER = {
    "aws:region": "us-east-1",
    "aws:skipCredentialsValidation": "true",
    "aws:skipRequestingAccountId": "true",
    "aws:skipMetadataApiCheck": "true",
    "aws:skipRegionValidation": "true",
    "aws:s3UsePathStyle": "true",
    "aws:maxRetries": "1",
}
# Paths: the CLI refuses a text where Pulumi.yaml says array.
PROGRAM = {"environmentClass": "sandbox", "replicaRegions[0]": "us-west-2", "deletionProtection": "false"}


def version_of(text: str) -> tuple[int, int]:
    """`v3.272.0` as (3, 272); (0, 0) when it is no version."""
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def missing(environ: Mapping[str, str], cli: str | None, version: str) -> list[str]:
    """What stands in the way, each with the way out; empty when nothing does."""
    found = []
    if cli is None:
        found.append("the Pulumi CLI is not on the PATH: https://www.pulumi.com/docs/install/")
    elif version_of(version) < MINIMUM:
        wanted = ".".join(map(str, MINIMUM))
        found.append(f"the Pulumi CLI is {version.strip() or 'of an unknown version'}, {wanted} or newer is needed")
    endpoint = urlsplit(environ.get("AWS_ENDPOINT_URL", ""))
    if not endpoint.hostname:
        found.append('no sandbox is named: ops sandbox up, then eval "$(ops sandbox status --export)"')
    elif endpoint.hostname not in ("127.0.0.1", "localhost", "::1"):
        found.append(f"AWS_ENDPOINT_URL names {endpoint.hostname}: this is for a sandbox on this machine only")
    return found


def environment(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment of the CLI: a file backend, dummy credentials, no question asked, no profile used."""
    kept = {name: value for name, value in environ.items() if not name.startswith(("AWS_", "PULUMI_"))}
    return {
        **kept,
        "AWS_ENDPOINT_URL": environ["AWS_ENDPOINT_URL"],
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_REGION": "us-east-1",
        "PULUMI_BACKEND_URL": folder.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "sandbox",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_SKIP_CONFIRMATIONS": "true",
    }


def commands(cli: str) -> list[list[str]]:
    """What is run, in order."""
    values = [f"{key}={value}" for key, value in (*PROVIDER.items(), *PROGRAM.items())]
    settings = [argument for value in values for argument in ("--plaintext", value)]
    return [
        [cli, "stack", "select", "--create", STACK],
        [cli, "config", "set-all", "--stack", STACK, "--path", *settings],
        [cli, "up", "--yes", "--diff", "--stack", STACK],
    ]


def main() -> None:
    """Say what is missing, or run the CLI; its exit code is this program's."""
    cli = shutil.which("pulumi")
    version = subprocess.run([cli, "version"], capture_output=True, text=True, check=False).stdout if cli else ""
    lacking = missing(os.environ, cli, version)
    if lacking or cli is None:
        sys.exit("\n".join(["up-sandbox cannot run:", *(f"  - {entry}" for entry in lacking)]))
    folder = ROOT / ".cache" / "pulumi-sandbox"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for command in commands(cli):
        code = subprocess.run(command, cwd=ROOT, env=environment(os.environ, folder), check=False).returncode
        if code:
            sys.exit(code)


if __name__ == "__main__":
    main()
