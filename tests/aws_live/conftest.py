"""`pytest tests/aws_live --live ACCOUNT`: the sandbox's claims on a real account.

Without --live every test is skipped. ACCOUNT must be the account of the credentials: nobody runs this by accident.
What passes and what fails is written to confirmed.json, from which `make docs` fills a column of docs/sandbox.md.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.aws_live.cases import CASES, Place
from tests.aws_live.live_lab import LiveLab, live

CONFIRMED = Path(__file__).parent / "confirmed.json"
COST = """
Live run {run} in account {account}, {region}: {count} cases.
  Each makes at most 3 on-demand tables of less than 2 MB (a few with point-in-time recovery, a backup, a restore, an
  export or an import), tags them ops-live={run}, and deletes them before the next case begins.
  Restores cost about 0.15 USD per GB, exports 0.10, imports 0.15; AWS bills 10 MB at least for an incremental export.
  All cases together cost less than 1 USD. Restores, exports and imports take 2 to 15 minutes each, all cases some
  hours: choose with -k.
"""
RUN: pytest.StashKey[dict[str, dict[str, str]]] = pytest.StashKey()


@dataclass(frozen=True, slots=True)
class Account:
    """Where to run, and the run's tag."""

    session: boto3.Session
    region: str
    run: str

    def place(self) -> Place:
        """An empty place."""
        return Place(
            self.client("dynamodb", self.region), self.client("s3", self.region), self.region,
            f"{self.run}-{uuid.uuid4().hex[:4]}", now=lambda: datetime.now(UTC), wait=time.sleep,
        )  # fmt: skip

    def client(self, service: str, region: str, config: Config | None = None) -> Any:
        """A client with the credentials that the run began with."""
        return self.session.client(service, region_name=region, config=config)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--live", metavar="ACCOUNT", help="run on this real AWS account (12 digits)")


@pytest.fixture(scope="session")
def account(request: pytest.FixtureRequest) -> Account:
    wanted = request.config.getoption("--live", default=None)
    if not wanted:
        pytest.skip("needs a real AWS account: pytest tests/aws_live --live ACCOUNT")
    if not re.fullmatch("[0-9]{12}", wanted):
        pytest.exit(
            f"--live takes the 12 digits of an AWS account, not '{wanted}'", returncode=pytest.ExitCode.USAGE_ERROR
        )
    session = boto3.Session()
    try:
        found = session.client("sts", region_name=session.region_name or "us-east-1").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        pytest.exit(
            f"--live {wanted}: no usable credentials, nothing was made: {error}", returncode=pytest.ExitCode.USAGE_ERROR
        )
    if found != wanted:
        pytest.exit(
            f"--live says account {wanted}, but the credentials belong to {found}; nothing was made",
            returncode=pytest.ExitCode.USAGE_ERROR,
        )
    made = _held(session)
    count = sum("aws_live" in item.nodeid for item in request.session.items)
    _say(request.config, COST.format(run=made.run, account=wanted, region=made.region, count=count))
    request.config.stash[RUN] = {}
    return made


def _held(session: boto3.Session) -> Account:
    """Credentials as they are now: each test puts others into the environment."""
    keys = session.get_credentials().get_frozen_credentials()
    region = session.region_name or "us-east-1"
    held = boto3.Session(keys.access_key, keys.secret_key, keys.token, region)
    return Account(held, region, uuid.uuid4().hex[:8])


def _say(config: pytest.Config, text: str) -> None:
    """To the terminal, past the capture."""
    capture, reporter = (
        config.pluginmanager.getplugin("capturemanager"),
        config.pluginmanager.getplugin("terminalreporter"),
    )
    if capture is not None and reporter is not None:
        with capture.global_and_fixture_disabled():
            reporter.write_line(text)


@pytest.fixture
def place(account: Account) -> Iterator[Place]:
    made = account.place()
    yield made
    left = list(made.clean_up())
    if left:
        pytest.fail("not deleted, delete by hand: " + ", ".join(left))


@pytest.fixture
def lab(account: Account) -> Iterator[LiveLab]:
    yield from live(account.place(), account.client)


@pytest.fixture(scope="module")
def shared_lab(account: Account) -> Iterator[LiveLab]:
    """For what only reads a table that a module has filled."""
    yield from live(account.place(), account.client)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    seen = item.config.stash.get(RUN, None)
    if seen is not None and report.when == "call" and not report.skipped:
        region, today = item.funcargs["account"].region if "account" in item.funcargs else "", datetime.now(UTC)  # type: ignore[attr-defined]
        for claim in _claims(item):
            # of several parameters all must pass
            result = "confirmed" if report.passed and seen.get(claim, {}).get("result") != "refuted" else "refuted"
            seen[claim] = {"result": result, "date": today.date().isoformat(), "region": region}
    return report


def _claims(item: pytest.Item) -> tuple[str, ...]:
    """Names of the claims, without `test_`, that this test confirms."""
    case = item.callspec.params.get("case") if hasattr(item, "callspec") else None
    if case in CASES:
        return CASES[case]
    return (str(item.originalname).removeprefix("test_"),)  # type: ignore[attr-defined]


def pytest_sessionfinish(session: pytest.Session) -> None:
    seen = session.config.stash.get(RUN, None)
    if seen:
        before = json.loads(CONFIRMED.read_text(encoding="utf-8")) if CONFIRMED.exists() else {}
        CONFIRMED.write_text(json.dumps(dict(sorted({**before, **seen}.items())), indent=1) + "\n", encoding="utf-8")
