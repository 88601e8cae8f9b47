"""A load that is killed or interrupted, as a process, against the API over HTTP."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loader.items import settled
from tests.sandbox.loader.kit import LocalApi

PROGRAM = Path(__file__).with_name("load_program.py")


def start(api: LocalApi, folder: Path, table: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(PROGRAM), api.url, str(folder), str(table)])


def run(api: LocalApi, folder: Path, table: Path) -> int:
    with start(api, folder, table) as process:
        return process.wait(timeout=60)


def content(table: Path) -> dict[tuple[str, str], object]:
    session = sqlite3.connect(table)
    try:
        rows = session.execute("SELECT owner, id, body FROM items").fetchall()
    finally:
        session.close()
    return {(owner, track): settled(json.loads(body)) for owner, track, body in rows}


def wait_for_requests(api: LocalApi, count: int) -> None:
    deadline = time.monotonic() + 20
    while api.requests("top-tracks") < count and time.monotonic() < deadline:
        time.sleep(0.005)
    assert api.requests("top-tracks") >= count


def test_a_load_killed_at_random_points_and_resumed_gives_the_table_of_an_uninterrupted_one(
    api: LocalApi, tmp_path: Path
) -> None:
    assert run(api, tmp_path / "whole", tmp_path / "whole.sqlite") == 0
    wanted = content(tmp_path / "whole.sqlite")
    seed = 20261120
    dice = random.Random(seed)
    api.fault("slow", path="top-tracks", seconds=0.02)
    kills = 0
    while kills < 5:
        asked = api.requests("top-tracks")
        with start(api, tmp_path / "cut", tmp_path / "cut.sqlite") as process:
            wait_for_requests(api, asked + dice.randint(1, 8))
            time.sleep(dice.random() * 0.03)
            process.send_signal(signal.SIGKILL)
            if process.wait(timeout=10) != -signal.SIGKILL:
                break
        kills += 1
    assert kills >= 3, f"the load was over too soon, seed {seed}"
    api.api.faults.clear()
    assert run(api, tmp_path / "cut", tmp_path / "cut.sqlite") == 0
    assert content(tmp_path / "cut.sqlite") == wanted, f"seed {seed}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_a_hanging_load_within_a_second_and_the_rest_is_loaded_later(
    api: LocalApi, tmp_path: Path, number: signal.Signals
) -> None:
    api.fault("hang", path="top-tracks", skip=20, seconds=8)
    with start(api, tmp_path / "run", tmp_path / "t.sqlite") as process:
        wait_for_requests(api, 20)
        time.sleep(0.2)
        process.send_signal(number)
        began = time.monotonic()
        assert process.wait(timeout=10) == 128 + number
        assert time.monotonic() - began < 1.0
    done = (tmp_path / "run" / "done.jsonl").read_text().splitlines()
    assert 0 < len(done) < 20
    api.api.faults.clear()
    asked = api.requests("top-tracks")
    assert run(api, tmp_path / "run", tmp_path / "t.sqlite") == 0
    assert api.requests("top-tracks") - asked == 2 * (20 - len(done))


def test_ctrl_c_during_a_long_wait_for_the_source_ends_the_load_within_a_second(api: LocalApi, tmp_path: Path) -> None:
    api.fault("rate-limit", path="top-tracks", skip=2, retry_after="50")
    with start(api, tmp_path / "run", tmp_path / "t.sqlite") as process:
        deadline = time.monotonic() + 20
        while not any(fault["served"] for fault in api.api.faults.describe()) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert process.wait(timeout=10) == 128 + signal.SIGINT
        assert time.monotonic() - began < 1.0
