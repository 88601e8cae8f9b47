"""kill -9 while a request is on its way: the run goes on, nothing is lost, the result is that of an undisturbed run."""

from __future__ import annotations

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
ITEMS = 200


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
