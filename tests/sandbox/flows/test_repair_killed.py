"""kill -9 while a request is on its way: the run goes on, nothing is lost, the result is that of an undisturbed run."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from ops.flows.session import Session
from ops.verify.patch_file import read_changes, read_head
from tests.cli.gate import Gate
from tests.cli.recovery_stage import Item, Stage, track
from tests.sandbox.flows.import_kit import Bench as ImportBench
from tests.sandbox.flows.test_repairing import Bench

Open = Callable[[], Session]
PROGRAM = Path(__file__).with_name("killed_program.py")
OFTEN = Path(__file__).with_name("killed_often.py")
ITEMS = 200
OFTEN_ITEMS = 100


def start(stage: Stage, endpoint: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), endpoint, *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=stage.environ(AWS_ENDPOINT_URL=endpoint, PYTHONPATH=str(Path.cwd())),
    )  # fmt: skip


def killed(stage: Stage, operation: str, text: str, *words: str) -> None:
    """Kill the program while its request that mentions `text` is on its way, then let that through."""
    gate = Gate(stage.endpoint)
    try:
        gate.hold(operation, text)
        process = start(stage, gate.endpoint, *words)
        reached = gate.reached.wait(60)
        process.kill()
        _, err = process.communicate(timeout=60)
        assert reached, err
    finally:
        gate.stop()


def finished(stage: Stage, *words: str) -> list[int]:
    """Run it to its end; the counts that it prints."""
    process = start(stage, stage.endpoint, *words)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return [int(word) for word in out.split()]


def run_of(runs: Path) -> str:
    [folder] = runs.iterdir()
    return folder.name


@pytest.mark.parametrize("seed", range(6))
def test_a_killed_repair_goes_on_and_loses_nothing(stage: Stage, session: Open, tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    logical = stage.declare(items=ITEMS, stem="killed")
    bench = Bench(stage, session(), logical, tmp_path)
    wanted = [{**track(number), "popularity": {"N": "5000"}} for number in range(ITEMS) if number % 10]
    path, runs = bench.patch(wanted), tmp_path / "killed"
    before = bench.items()
    # twice: once in the first run, once in the one that goes on
    cuts = sorted(random.sample([number for number in range(ITEMS) if number % 10], 2))
    words = (logical, str(runs), "repair", str(path))
    killed(stage, "UpdateItem", f'"t{cuts[0]:06d}"', *words)
    undo = runs / run_of(runs) / "undo.jsonl"
    assert len(list(read_changes(undo, read_head(undo)))) == ITEMS
    good = {**track(cuts[1]), "popularity": {"N": "777"}}
    killed(stage, "UpdateItem", f'"t{cuts[1]:06d}"', *words, run_of(runs))
    stage.put(logical, [good])
    planned, applied, already, conflicts = finished(stage, *words, run_of(runs))
    assert planned == ITEMS == applied + already + conflicts
    assert conflicts == 1
    expected = {(item["artist_id"]["S"], item["id"]["S"]): item for item in wanted}
    expected[good["artist_id"]["S"], good["id"]["S"]] = good
    assert bench.items() == expected
    assert finished(stage, *words, run_of(runs)) == [planned, applied, already, conflicts]
    # the undo of the first run takes all of it back, but not what another writer put
    assert bench.repair(patch=undo).conflicts == 1
    assert bench.items() == {**before, (good["artist_id"]["S"], good["id"]["S"]): good}
    stage.forget(logical)


@pytest.mark.parametrize("kind", ["import", "import-changed"])
@pytest.mark.parametrize("seed", range(3))
def test_a_killed_import_goes_on_and_loses_nothing(
    stage: Stage, session: Open, tmp_path: Path, seed: int, kind: str
) -> None:
    random = Random(seed)
    logical = stage.declare(items=ITEMS, stem="killed")
    bench = ImportBench(stage, session(), logical, tmp_path)
    before: dict[tuple[str, str], Item] = bench.items()
    source, _ = bench.full()
    bench.empty()
    runs = tmp_path / "killed"
    words = (logical, str(runs), kind, source)
    killed(stage, "BatchWriteItem", f'"t{random.randrange(ITEMS):06d}"', *words)
    read, written, unchanged, rest = finished(stage, *words, run_of(runs))
    assert (read, written + unchanged, rest) == (ITEMS, ITEMS, 0)
    assert bench.items() == before
    assert finished(stage, *words, run_of(runs))[0] == ITEMS
    stage.forget(logical)


def lines_of(path: Path, items: list[Item]) -> str:
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return str(path)


@pytest.mark.parametrize(("kind", "seeds"), [("repair", 12), ("import", 10), ("import-changed", 8)])
def test_killed_at_random_moments_it_ends_as_if_it_had_not_been(
    stage: Stage, session: Open, tmp_path: Path, kind: str, seeds: int
) -> None:
    """As many seeds as are set, or those of KILL_SEED alone."""
    logical = stage.declare(items=OFTEN_ITEMS, stem="killed-often")
    whole = [track(number) for number in range(OFTEN_ITEMS)]
    if kind == "repair":
        bench = Bench(stage, session(), logical, tmp_path)
        before, wanted = whole, [{**track(n), "popularity": {"N": "5000"}} for n in range(OFTEN_ITEMS + 20) if n % 10]
        given = str(bench.patch(wanted))
    else:
        given, _ = ImportBench(stage, session(), logical, tmp_path).full()
        # Some are gone, some are others, some were made since: these stay.
        since = [track(number) for number in range(OFTEN_ITEMS, OFTEN_ITEMS + 5)]
        before = [{**track(n), "popularity": {"N": "1"}} for n in range(0, OFTEN_ITEMS, 3)] + since
        wanted = whole + since
    one = os.environ.get("KILL_SEED")
    first, last = (0, seeds) if one is None else (int(one), int(one) + 1)
    words = (str(tmp_path), kind, given, lines_of(tmp_path / "b", before), lines_of(tmp_path / "w", wanted))
    ended = subprocess.run(
        [sys.executable, str(OFTEN), stage.endpoint, logical, *words, str(first), str(last)],
        env=stage.environ(PYTHONPATH=str(Path.cwd())), capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    told = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.returncode == 0, f"KILL_SEED={told[-1]['seed'] + 1 if told else first} {ended.stderr}"
    undisturbed, *found = told
    assert len(found) == last - first
    assert all(one["counts"] == undisturbed["counts"] for one in found), found
    assert sum(one["kills"] for one in found) >= (last - first) // 2
    stage.forget(logical)


@pytest.mark.parametrize("kind", ["load", "load-changed", "load-new", "load-newer"])
@pytest.mark.parametrize("seed", range(3))
def test_a_killed_load_goes_on_and_loses_nothing(
    stage: Stage, session: Open, tmp_path: Path, seed: int, kind: str
) -> None:
    random = Random(seed)
    logical = stage.declare(items=40, stem="killed")
    path, runs = tmp_path / "items.jsonl.gz", tmp_path / "killed"
    given = [track(number) for number in range(20, ITEMS)]
    path.write_bytes(gzip.compress("".join(json.dumps({"Item": one}) + "\n" for one in given).encode()))
    words = (logical, str(runs), kind, str(path))
    operation = "PutItem" if kind in ("load-new", "load-newer") else "BatchWriteItem"
    cuts = random.sample(range(40, ITEMS), 2)
    killed(stage, operation, f'"t{min(cuts):06d}"', *words)
    read, written, unchanged, rest = finished(stage, *words, run_of(runs))
    assert (read, written + unchanged, rest) == (len(given), len(given), 0)
    assert stage.items(logical) == {(one["artist_id"]["S"], one["id"]["S"]): one for one in map(track, range(ITEMS))}
    assert finished(stage, *words, run_of(runs))[0] == len(given)
    stage.forget(logical)
