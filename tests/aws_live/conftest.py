"""`pytest tests/aws_live --live ACCOUNT`: the sandbox's claims on a real account, which this costs a few cents.

Without --live every test is skipped. ACCOUNT must be the account of the credentials: nobody runs this by accident.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import boto3
import pytest

from tests.aws_live.cases import Place

COST = """
Live run {run} in account {account}, {region}. Made, tagged ops-live={run}, and deleted again:
  7 on-demand tables of at most 400 KB, 3 of them with point-in-time recovery, 1 backup, 2 restores, 1 export, 1 bucket.
  About 0.15 USD per GB restored and 0.10 USD per GB exported, of less than 1 MB: below 0.05 USD in all.
  It takes 20 minutes to 2 hours: AWS restores an empty table in 2 to 12 minutes.
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--live", metavar="ACCOUNT", help="run on this real AWS account")


@pytest.fixture(scope="session")
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    account = request.config.getoption("--live", default=None)
    if not account:
        pytest.skip("needs a real AWS account: pytest tests/aws_live --live ACCOUNT")
    session = boto3.Session()
    found = session.client("sts").get_caller_identity()["Account"]
    if found != account:
        pytest.fail(f"--live says account {account}, but the credentials belong to {found}")
    region, run = session.region_name or "us-east-1", uuid.uuid4().hex[:8]
    sys.__stderr__.write(COST.format(run=run, account=account, region=region))  # type: ignore[union-attr]
    keys = session.get_credentials().get_frozen_credentials()
    held = boto3.Session(keys.access_key, keys.secret_key, keys.token, region)
    live = Place(
        held.client("dynamodb"), held.client("s3"), region, run, now=lambda: datetime.now(UTC), wait=time.sleep
    )
    try:
        yield live
    finally:
        left = list(live.clean_up())
        if left:
            sys.__stderr__.write("NOT DELETED, delete by hand:\n  " + "\n  ".join(left) + "\n")  # type: ignore[union-attr]
