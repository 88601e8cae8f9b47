"""Bulk writes that are killed at random moments and begun again until one ends by itself. A process of its own.

It forks each writer, so that fifty of them cost fifty moments and not fifty starts of Python:
`python -m tests.sandbox.dataplane.killed TABLE FOLDER SEEDS`; a line of JSON for each seed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from random import Random

import orjson

from ops.aws import Aws
from ops.clock import SystemClock
from ops.dynamodb.client import DataPlane, data_plane
from ops.dynamodb.durable import Checkpoint, DeadLetters, put_lines
from ops.dynamodb.retry import RetryPolicy
from ops.dynamodb.write import BulkWriter, WriteTarget
from ops.model.items import Item, KeySchema

KEYS = KeySchema("artist_id", "S", "id", "N")
LINES = 250
#: After so many kills a writer is left alone: the test is about what they leave behind, not about their number.
MOST_KILLS = 8


def lines_of(seed: int) -> list[bytes]:
    """Keys repeat, far apart and close together; some lines cannot be written."""
    random = Random(f"lines/{seed}")
    found = []
    for number in range(LINES):
        key = random.randrange(LINES // 2) if random.random() < 0.5 else number % 7
        item: Item = {"artist_id": {"S": f"s{seed}"}, "id": {"N": str(key)}, "version": {"N": str(number)}}
        line = orjson.dumps({"Item": item}) + b"\n"
        wrong = random.random()
        if wrong < 0.02:
            line = line[: random.randrange(len(line) - 2)] + b"\n"
        elif wrong < 0.04:
            line = orjson.dumps({"Item": {**item, "n": {"N": "1" * 39}}}) + b"\n"
        found.append(line)
    return found


def is_good(line: bytes) -> bool:
    """Whether it is one of the lines that can be written."""
    return line.endswith(b"}}}\n") and b'"n":' not in line


def write(plane: DataPlane, table: str, folder: Path, seed: int) -> None:
    """One attempt, from wherever the one before it was killed."""
    checkpoint = Checkpoint(folder / "checkpoint.json", f"lines of {seed} into {table}", SystemClock(), every_s=0.0)
    counts = put_lines(
        BulkWriter(plane, WriteTarget(table, KEYS)), lines_of(seed), checkpoint, DeadLetters(folder / "dead.jsonl")
    )
    (folder / "counts.json").write_text(json.dumps(asdict(counts)))


def killed(plane: DataPlane, table: str, folder: Path, seed: int) -> int:
    """Kill and begin again until an attempt ends well; the number of kills."""
    random = Random(f"kills/{seed}")
    folder.mkdir()
    kills, longest_s = 0, 0.02
    while True:
        child = os.fork()
        if not child:
            try:
                write(plane, table, folder, seed)
            except BaseException:  # noqa: BLE001 - whatever it is, the child must not go on as its parent
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        if kills < MOST_KILLS:
            time.sleep(random.uniform(0.0, longest_s))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            if os.WEXITSTATUS(status):
                raise SystemExit(f"seed {seed}: the writer failed by itself")
            return kills
        kills, longest_s = kills + 1, longest_s * 1.1


def main(table: str, folder: Path, seeds: int) -> None:
    """All seeds, one after another."""
    policy = RetryPolicy(attempts=60, base_s=0.0005, cap_s=0.01, unreached_attempts=60)
    plane = data_plane(Aws(region="us-east-1"), SystemClock(), Random(1), policy=policy)
    for seed in range(seeds):
        kills = killed(plane, table, folder / str(seed), seed)
        sys.stdout.write(json.dumps({"seed": seed, "kills": kills}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
