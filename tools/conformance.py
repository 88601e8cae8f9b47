"""Run two published DynamoDB test suites against the sandbox and against plain moto: tests/conformance/results.json.

    python tools/conformance.py [--folder DIR] [--suite NAME]

`make docs` puts the result into docs/sandbox.md; tests/conformance/reasons.toml says of each failing test why.
Both are downloaded by pip, with their hashes checked, and nothing of them is kept here:
- the tests of moto 5.2.5 that its authors run against AWS itself (decorator `dynamodb_aws_verified`), Apache-2.0;
- the DynamoDB tests of MiniStack 1.5.33, an emulator of other authors, MIT.
Neither is an official conformance suite: AWS publishes none, and the community's (paritysuite) is in no registry.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import platform
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import xml.etree.ElementTree as Xml
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "tests" / "conformance" / "results.json"
LIMIT_S = 1800
SERVER_LIMIT_S = 180

MINISTACK_FIXTURES = """
import os, boto3, pytest
from botocore.config import Config

def make(service):
    return boto3.client(service, endpoint_url=os.environ["MINISTACK_ENDPOINT"], region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test", config=Config(retries={"mode": "standard"}))

@pytest.fixture(scope="session")
def ddb(): return make("dynamodb")
@pytest.fixture(scope="session")
def ddb_streams(): return make("dynamodbstreams")
@pytest.fixture(scope="session")
def s3(): return make("s3")
@pytest.fixture(scope="session")
def kms_client(): return make("kms")
"""
# of MiniStack's file: tests of its own admin routes, of Lambda, Kinesis and IAM, which are not about DynamoDB's answers
OTHER_FIXTURES = frozenset({"lam", "kin", "auth_enabled", "iam_user", "ddb_stream_state", "monkeypatch"})


# what moto's tests import and the project has not
NEEDED = "freezegun==1.5.5 --hash=sha256:cd557f4a75cf074e84bc374249b9dd491eaeacd61376b9eb3c423282211619d2"
# pytest: all passed, or some failed; anything else is a run that says nothing
RUN_CODES = frozenset({0, 1})


@dataclass(frozen=True, slots=True)
class Suite:
    """One published package with tests."""

    name: str
    version: str
    sha256: str
    licence: str
    about: str


SUITES = (
    Suite(
        "moto",
        "5.2.5",
        "391857257d5dac144334013c2c10e599def5f0562f553e979160140bd7bd9cf6",
        "Apache-2.0",
        "tests that moto's authors run against AWS",
    ),
    Suite(
        "ministack",
        "1.5.33",
        "75d36c6d3ce600cf3f93093e8471c0252aae16a411b22716b677a65399ce6f2e",
        "MIT",
        "DynamoDB tests of another emulator",
    ),
)


def fetch(suite: Suite, folder: Path) -> Path:
    """The unpacked source distribution."""
    archive = folder / f"{suite.name}-{suite.version}.tar.gz"
    if not archive.exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                   "--no-build-isolation", "--no-binary", ":all:", "-d", str(folder)]  # fmt: skip
        subprocess.run([*command, f"{suite.name}=={suite.version}"], check=True, timeout=LIMIT_S)
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != suite.sha256:
        sys.exit(f"{archive.name} has the hash {found}, expected {suite.sha256}")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder / f"{suite.name}-{suite.version}"


def fetch_needed(folder: Path) -> Path:
    """A folder to import from, beside the project's own packages."""
    target, wanted = folder / "needed", folder / "needed.txt"
    if not target.exists():
        wanted.write_text(NEEDED + "\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                   "--require-hashes", "--target", str(target), "-r", str(wanted)]  # fmt: skip
        subprocess.run(command, check=True, timeout=LIMIT_S)
    return target


def verified_tests(folder: Path) -> list[str]:
    """Node ids of moto's tests that run against AWS as well."""
    found = []
    for path in sorted((folder / "tests" / "test_dynamodb").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                names = {ast.unparse(one).partition("(")[0] for one in node.decorator_list}
                if "dynamodb_aws_verified" in names:
                    found.append(f"{path.relative_to(folder)}::{node.name}")
    return found


def ministack_tests(folder: Path) -> list[str]:
    """Node ids of the tests of DynamoDB; the fixtures they need are written beside them."""
    path = folder / "tests" / "test_dynamodb.py"
    (folder / "tests" / "conftest.py").write_text(MINISTACK_FIXTURES, encoding="utf-8")
    found = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            needed = {one.arg for one in node.args.args}
            if needed and not needed & OTHER_FIXTURES:
                found.append(f"tests/test_dynamodb.py::{node.name}")
    return found


@contextmanager
def serving(target: str, folder: Path) -> Iterator[str]:
    """The endpoint of the sandbox's AWS or of plain moto."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    state = folder / f"state-{target}"
    command = {
        "sandbox": [sys.executable, "-m", "ops.sandbox.server", "--folder", str(state), "--port", str(port)],
        "moto": [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
    }[target]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "OPS_SANDBOX_RESTORE_S": "0", "OPS_SANDBOX_EXPORT_S": "1", "OPS_SANDBOX_IMPORT_S": "0",
             "OPS_SANDBOX_IMPORT_HIDDEN_S": "0"},
    ) as process:  # fmt: skip
        try:
            endpoint = f"http://127.0.0.1:{port}"
            _await(endpoint)
            yield endpoint
        finally:
            process.terminate()


def _await(endpoint: str) -> None:
    deadline = time.monotonic() + SERVER_LIMIT_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{endpoint}/moto-api/data.json", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    sys.exit(f"{endpoint} did not answer in {SERVER_LIMIT_S} s")


def run(folder: Path, needed: Path, tests: list[str], endpoint: str) -> dict[str, object]:
    """How many passed, and the names of those that did not."""
    report = folder / "report.xml"
    report.unlink(missing_ok=True)
    environ = {
        **os.environ, "TEST_SERVER_MODE": "true", "TEST_SERVER_MODE_ENDPOINT": endpoint,
        "MINISTACK_ENDPOINT": endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1", "PYTHONPATH": os.pathsep.join((str(folder), str(needed))),
    }  # fmt: skip
    options = ["-q", "-c", os.devnull, "--rootdir", str(folder), "-p", "no:cacheprovider", f"--junitxml={report}"]
    command = [sys.executable, "-m", "pytest", *options, *tests]
    done = subprocess.run(command, cwd=folder, env=environ, timeout=LIMIT_S, check=False, capture_output=True)
    if done.returncode not in RUN_CODES:
        sys.exit(f"pytest ended with {done.returncode}:\n{done.stdout.decode()[-3000:]}")
    return score(report.read_bytes())


def score(report: bytes) -> dict[str, object]:
    """Counts and failing names of a JUnit report; a skipped test was not run."""
    skipped, failed, named = set(), set(), set()
    for case in Xml.fromstring(report).iter("testcase"):
        name = str(case.get("name"))
        named.add(name)
        if case.find("skipped") is not None:
            skipped.add(name)
        if case.find("failure") is not None or case.find("error") is not None:
            failed.add(name)
    return {
        "run": len(named - skipped), "passed": len(named - skipped - failed), "failed": sorted(failed),
    }  # fmt: skip


def main() -> None:
    """Both suites, both targets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="keep the downloads here")
    parser.add_argument(
        "--suite", choices=[one.name for one in SUITES], help="only this one; the others stay as they are"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="conformance-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"suites": {}}
        results["date"] = datetime.now(UTC).date().isoformat()
        results["with"] = {name: version(name) for name in ("moto", "boto3", "py-partiql-parser")}
        results["with"]["python"] = platform.python_version()
        for suite in SUITES:
            if options.suite in (None, suite.name):
                results["suites"][suite.name] = measured(suite, folder)
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def measured(suite: Suite, folder: Path) -> dict[str, object]:
    """One suite on both targets."""
    place, needed = fetch(suite, folder), fetch_needed(folder)
    tests = verified_tests(place) if suite.name == "moto" else ministack_tests(place)
    scores = {}
    for target in ("sandbox", "moto"):
        with serving(target, folder) as endpoint:
            scores[target] = run(place, needed, tests, endpoint)
        sys.stdout.write(f"{suite.name} {target}: {scores[target]['passed']} of {scores[target]['run']}\n")
        sys.stdout.flush()
    about = {"version": suite.version, "licence": suite.licence, "about": suite.about}
    return {**about, "scores": scores}


if __name__ == "__main__":
    main()
