"""SIGKILL anywhere in a bulk write: nothing lost or invented, and in the end the table of an uninterrupted run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import orjson

from ops.aws import Aws
from ops.dynamodb.client import DataPlane
from ops.dynamodb.durable import DeadLetters
from ops.dynamodb.scan import Scan, ScanRequest
from ops.dynamodb.write import WriteCounts
from ops.model.items import Item
from ops.sandbox.control import SandboxControl
from tests.sandbox.dataplane.killed import is_good, lines_of
from tests.sandbox.dataplane.kit import make_table

SEEDS = 50


def test_a_bulk_write_killed_at_random_moments_ends_as_if_it_had_not_been(
    endpoint: str, aws: Aws, plane: DataPlane, sandbox: SandboxControl, tmp_path: Path
) -> None:
    table = make_table(aws, "killed")
    # Leftovers and lost answers stretch the moments in which a kill hurts.
    sandbox.set_fault("unprocessed", share=0.2, seed=11)
    sandbox.set_fault("reset_after_apply", share=0.05, seed=11)
    command = [sys.executable, "-m", "tests.sandbox.dataplane.killed", table.name, str(tmp_path), str(SEEDS)]
    ended = subprocess.run(
        command, env={**os.environ, "AWS_ENDPOINT_URL": endpoint}, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    sandbox.clear_faults()
    kills = [json.loads(line)["kills"] for line in ended.stdout.splitlines()]
    assert len(kills) == SEEDS
    assert sum(kills) >= 3 * SEEDS

    found: dict[str, list[Item]] = {}
    for item in Scan(plane, ScanRequest(table.name, consistent=True)).items():
        found.setdefault(item["artist_id"]["S"], []).append(item)
    for seed in range(SEEDS):
        lines = lines_of(seed)
        last = {one["id"]["N"]: one for one in (orjson.loads(line)["Item"] for line in lines if is_good(line))}
        assert {one["id"]["N"]: one for one in found[f"s{seed}"]} == last, f"seed {seed}"

        counts = WriteCounts(**json.loads((tmp_path / str(seed) / "counts.json").read_text()))
        counts.check()
        rejected = [one["line"] for one in DeadLetters(tmp_path / str(seed) / "dead.jsonl").read()]
        assert sorted(rejected) == [at for at, line in enumerate(lines, 1) if not is_good(line)], f"seed {seed}"
        assert (counts.read, counts.rejected) == (len(lines), len(rejected)), f"seed {seed}"
