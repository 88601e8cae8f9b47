"""`ops sandbox` as a process: up twice, what it says, what it leaves, what breaks it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ops.sandbox.state import private_folder
from tests.whole_sandbox import WholeSandbox, processes_of


def ops(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ops", *words],
        capture_output=True,
        text=True,
        env={**os.environ, "OPS_SANDBOX_DIR": str(folder)},
        timeout=120,
    )


def result(done: subprocess.CompletedProcess[str]) -> Any:
    """What a command that succeeded answered."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["result"]


def test_up_twice_does_nothing_twice(whole: WholeSandbox) -> None:
    before = [one["pid"] for one in whole.status["parts"]]
    again = result(whole.ops("sandbox", "up", "--items", "300", "--json"))
    assert again["action"] == "unchanged"
    assert [one["pid"] for one in again["parts"]] == before


def test_status_names_every_part_and_export_gives_lines_for_a_shell(whole: WholeSandbox) -> None:
    found = result(whole.ops("sandbox", "status", "--json"))
    assert {one["name"]: one["ok"] for one in found["parts"]} == {"postgres": True, "spotify": True, "aws": True}
    lines = whole.ops("sandbox", "status", "--export").stdout.splitlines()
    assert all(line.startswith("export ") for line in lines)
    names = {line.split()[1].split("=")[0] for line in lines}
    assert {"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "OPS_ENV"} <= names


def test_the_clock_steps_forwards_without_waiting(whole: WholeSandbox) -> None:
    before = result(whole.ops("sandbox", "clock", "--json"))["offset_s"]
    after = result(whole.ops("sandbox", "clock", "--advance", "2h", "--json"))["offset_s"]
    assert after - before == pytest.approx(7200, abs=1)


def test_a_fault_is_set_seen_and_cleared(whole: WholeSandbox) -> None:
    assert whole.ops("sandbox", "fault", "set", "throttle", "--share", "0.5", "--seed", "7").returncode == 0
    found = result(whole.ops("sandbox", "fault", "list", "--json"))["faults"]
    assert [one["name"] for one in found] == ["throttle"]
    assert whole.ops("sandbox", "fault", "clear").stdout == "no faults\n"
    assert whole.ops("sandbox", "fault", "set", "no-such-fault").returncode == 2


def test_a_fault_takes_its_region_calls_key_and_delay_and_counts_its_strikes(whole: WholeSandbox) -> None:
    refused = whole.ops("sandbox", "fault", "set", "region_down")
    assert refused.returncode == 2 and "needs a region" in refused.stderr
    try:
        assert whole.ops("sandbox", "fault", "set", "region_down", "--in", "eu-west-1").returncode == 0
        assert whole.ops("sandbox", "fault", "set", "s3_missing", "--match", "data/").returncode == 0
        more = ("--operation", "DescribeTable", "--count", "1", "--delay", "0s")
        assert whole.ops("sandbox", "fault", "set", "slow", *more).returncode == 0
        assert whole.ops("status", "top_tracks").returncode == 0
        found = result(whole.ops("sandbox", "fault", "list", "--json"))["faults"]
        by_name = {one["name"]: one for one in found}
        assert by_name["region_down"]["region"] == "eu-west-1" and by_name["s3_missing"]["match"] == "data/"
        assert (by_name["slow"]["operations"], by_name["slow"]["injected"]) == (["DescribeTable"], 1)
        rows = whole.ops("sandbox", "fault", "list").stdout.splitlines()
        assert rows[0].split() == ["name", "share", "seed", "struck"]
        assert next(row for row in rows if row.startswith("slow")).split()[-1] == "1"
        assert any(row.split()[:1] == ["error500_after_apply"] for row in rows)
    finally:
        whole.ops("sandbox", "fault", "clear")


def test_throttling_by_capacity_is_off_until_it_is_switched_on(whole: WholeSandbox) -> None:
    def limits(*words: str) -> object:
        return result(whole.ops("sandbox", "limits", *words, "--json"))

    assert limits() == {"throughput": False, "burst_s": 300.0}
    assert limits("--throughput", "--burst", "60s") == {"throughput": True, "burst_s": 60.0}
    assert limits("--no-throughput") == {"throughput": False, "burst_s": 300.0}


def test_replication_is_delayed_paused_and_goes_on(whole: WholeSandbox) -> None:
    def replication(*words: str) -> object:
        return result(whole.ops("sandbox", "replication", *words, "--json"))

    assert replication("--lag", "90s", "--pause") == {"lag_s": 90.0, "paused": True, "pending": 0}
    assert replication("--lag", "0s", "--go-on") == {"lag_s": 0.0, "paused": False, "pending": 0}


def test_no_sandbox_running_says_how_to_start_one(tmp_path: Path) -> None:
    for words in (("sandbox", "status"), ("sandbox", "status", "--export"), ("sandbox", "clock")):
        done = ops(tmp_path / "none", *words)
        assert done.returncode == 10
        assert "next: ops sandbox up" in done.stderr
        assert done.stdout == ""
    assert ops(tmp_path / "none", "sandbox", "down").returncode == 0


def test_a_taken_port_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    folder = private_folder()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = ops(folder, "sandbox", "up", "--port", port)
    assert done.returncode == 9
    assert f"{port}" in done.stderr
    assert "OPS-E905" in done.stderr
    assert not folder.exists()


def test_ctrl_c_during_up_leaves_no_process_and_no_folder() -> None:
    folder = private_folder()
    process = subprocess.Popen(
        [sys.executable, "-m", "ops", "sandbox", "up"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OPS_SANDBOX_DIR": str(folder)},
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("  provision"):
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert not folder.exists()
    assert not processes_of(folder)


def test_a_killed_child_is_named_and_a_lost_aws_needs_a_new_start_and_down_leaves_nothing() -> None:
    folder = private_folder()
    up = json.loads(ops(folder, "sandbox", "up", "--items", "50", "--json").stdout)["result"]
    try:
        pids = {one["name"]: one["pid"] for one in up["parts"]}
        os.kill(pids["spotify"], signal.SIGKILL)
        time.sleep(0.3)
        status = ops(folder, "sandbox", "status")
        assert status.returncode == 1
        assert "spotify" in status.stderr
        assert json.loads(ops(folder, "sandbox", "up", "--json").stdout)["result"]["action"] == "repaired"
        os.kill(pids["aws"], signal.SIGKILL)
        time.sleep(0.3)
        lost = ops(folder, "sandbox", "up")
        assert lost.returncode == 1
        assert "ops sandbox down && ops sandbox up" in lost.stderr
        (folder / "state.json").write_text('{"half')
        half = ops(folder, "sandbox", "status")
        assert half.returncode == 1
        assert "next: ops sandbox down" in half.stderr
    finally:
        assert ops(folder, "sandbox", "down").returncode == 0
    assert not folder.exists()
    assert not processes_of(folder)
