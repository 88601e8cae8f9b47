"""`ops load` as a process: good days, bad sources, a lost database, Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.whole_sandbox import WholeSandbox

LOAD = ("load", "spotify", "--to", "top_tracks", "--market", "SE", "--market", "US")


@pytest.fixture(autouse=True)
def good_days(whole: WholeSandbox) -> Iterator[None]:
    yield
    whole.clear_source()


def scan_count(whole: WholeSandbox, *words: str) -> int:
    done = whole.ops("scan", "top_tracks", "--all", "--fields", "artist_id,id", "--json", *words)
    assert done.returncode == 0, done.stderr
    return int(json.loads(done.stdout)["result"]["count"])


def test_every_artist_and_row_is_accounted_for_and_a_second_load_writes_nothing(whole: WholeSandbox) -> None:
    first = json.loads(whole.ops(*LOAD, "--json").stdout)
    result = first["result"]
    assert first["exit"] == 0
    assert result["read"] == sum(result[name] for name in ("written", "unchanged", "duplicates", "rejected"))
    assert result["finished"]
    for market in result["markets"].values():
        counted = sum(market[name] for name in ("loaded", "empty", "refused", "quarantined", "pending"))
        assert market["artists"] == counted == result["artists"]
        assert market["loaded"] > 0
        assert market["pending"] == 0
    assert scan_count(whole) == result["distinct_keys"]
    assert scan_count(whole, "--index", "genre_index") == result["distinct_keys"]
    again = json.loads(whole.ops(*LOAD, "--json").stdout)["result"]
    assert (again["written"], again["distinct_keys"]) == (0, result["distinct_keys"])


@pytest.mark.parametrize(
    ("fault", "parameters", "code", "told"),
    [
        ("premium", {}, 8, "Active premium subscription required"),
        ("forbidden", {}, 8, "spotify-search"),
        ("quota", {"retry_after": "48925"}, 9, "resume at"),
        ("rate-limit-text", {"retry_after": "4397"}, 9, "resume at"),
    ],
)
def test_a_source_that_refuses_ends_with_its_reason_and_the_way_out(
    whole: WholeSandbox, fault: str, parameters: dict[str, object], code: int, told: str
) -> None:
    whole.source_fault(fault, path="top-tracks", **parameters)
    began = time.monotonic()
    done = whole.ops(*LOAD)
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    assert "next: " in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - began < 30


def test_a_wait_for_the_source_is_told_with_its_reason_and_its_end(whole: WholeSandbox) -> None:
    whole.source_fault("rate-limit", path="top-tracks", retry_after="1", count=1)
    done = whole.ops(*LOAD)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("  waiting ")]
    assert re.search(r" 1 s for the track source: HTTP 429 API rate limit exceeded \(\d+ s more at most", line)


def test_an_unknown_artist_is_quarantined_and_the_others_are_loaded(whole: WholeSandbox) -> None:
    whole.source_fault("not-found", path="top-tracks", count=1)
    done = whole.ops(*LOAD, "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 3
    assert document["result"]["quarantined"] == 1
    assert document["result"]["finished"]
    with open(document["result"]["quarantine"], encoding="utf-8") as dead:
        assert "non existing id" in dead.read() or "reason" in document["errors"][0]["why"]


@contextmanager
def other_secret(whole: WholeSandbox, part: str, **members: str) -> Iterator[str]:
    """Put another value into the secret of the database or the source; the right one is put back."""
    import boto3

    def client(service: str) -> Any:
        return boto3.client(service, endpoint_url=whole.status["endpoint"], region_name="us-east-1")

    document = client("ssm").get_parameter(Name="/dynamo-ops/sandbox/environment")["Parameter"]["Value"]
    arn = json.loads(document)[part]["secret_arn"]
    right = client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    wrong = json.dumps({**json.loads(right), **members})
    client("secretsmanager").put_secret_value(SecretId=arn, SecretString=wrong)
    try:
        yield arn
    finally:
        client("secretsmanager").put_secret_value(SecretId=arn, SecretString=right)


def test_a_wrong_client_secret_is_refused_and_never_shown(whole: WholeSandbox) -> None:
    with other_secret(whole, "source", client_secret="a-wrong-and-secret-value"):
        done = whole.ops(*LOAD)
    assert done.returncode == 8, done.stderr
    assert "invalid_client" in done.stderr
    assert "a-wrong-and-secret-value" not in done.stdout + done.stderr


def test_a_wrong_database_password_is_refused_and_never_shown(whole: WholeSandbox) -> None:
    with other_secret(whole, "database", password="a-wrong-and-secret-value"):
        done = whole.ops(*LOAD)
    assert done.returncode == 8, done.stderr
    assert "OPS-E803" in done.stderr
    assert "nothing was written" in done.stderr
    assert "a-wrong-and-secret-value" not in done.stdout + done.stderr


def test_a_database_that_is_down_is_named_and_nothing_is_written(whole: WholeSandbox) -> None:
    pid = next(one["pid"] for one in whole.status["parts"] if one["name"] == "postgres")
    os.kill(pid, signal.SIGINT)  # PostgreSQL's fast shutdown
    time.sleep(1.0)
    try:
        done = whole.ops(*LOAD)
        assert done.returncode == 9, done.stderr
        assert "OPS-E906" in done.stderr
        assert "nothing was written" in done.stderr
    finally:
        repaired = whole.ops("sandbox", "up", "--items", "300", "--json")
    assert json.loads(repaired.stdout)["result"]["action"] == "repaired"
    whole.status = json.loads(repaired.stdout)["result"]
    assert whole.ops(*LOAD).returncode == 0


def test_ctrl_c_keeps_what_was_written_and_resume_finishes(whole: WholeSandbox) -> None:
    whole.source_fault("slow", path="top-tracks", seconds=0.2)
    process = whole.begin("load", "spotify", "--to", "top_tracks", "--market", "SE", "--market", "DE", "--market", "US")
    said = ""
    assert process.stderr is not None
    for line in process.stderr:
        said += line
        if line.startswith("  load"):
            break
    time.sleep(0.6)
    asked = time.monotonic()
    process.send_signal(2)
    _, rest = process.communicate(timeout=30)
    assert process.returncode == 130, said + rest
    assert time.monotonic() - asked < 3
    run = re.search(r"--resume (\w{26})", rest)
    assert run is not None, rest
    whole.clear_source()
    done = whole.ops(
        *("load", "spotify", "--to", "top_tracks", "--market", "SE", "--market", "DE", "--market", "US"),
        *("--resume", run.group(1), "--json"),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"]["finished"]


def test_secrets_reach_no_output_and_no_run_folder(whole: WholeSandbox) -> None:
    state = json.loads((whole.folder / "state.json").read_text())
    secrets = [state["client_secret"], state["postgres"]["password"]]
    assert all(len(one) > 12 for one in secrets)
    done = whole.ops(*LOAD, "-vv")
    texts = [done.stdout, done.stderr]
    texts += [path.read_text(errors="replace") for path in whole.runs.rglob("*") if path.is_file()]
    assert not [one for one in secrets if any(one in text for text in texts)]


def test_a_load_without_a_market_or_with_an_unknown_one_is_a_usage_error(whole: WholeSandbox) -> None:
    assert whole.ops("load", "spotify", "--to", "top_tracks").returncode == 2
    done = whole.ops("load", "spotify", "--to", "top_tracks", "--market", "XX")
    assert done.returncode == 2
    assert "XX" in done.stderr
