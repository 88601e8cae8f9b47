"""Repairs and imports while AWS throttles, breaks off, answers half or refuses: nothing lost, nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ops.errors import ExportCorrupt, NotAllowed
from ops.flows import into_outcome, repairing
from ops.flows.put_backs import PutBacks
from ops.flows.repair_plan import RepairOptions
from ops.flows.session import Session
from ops.runs import open_run, resume_run
from ops.verify.patch import patch
from tests.cli.recovery_stage import Stage, track
from tests.sandbox.flows.import_kit import Bench as ImportBench
from tests.sandbox.flows.test_repairing import Bench

Open = Callable[[], Session]
AFTER = ("error500_after_apply", "reset_after_apply", "truncate", "cut", "bad_crc")
BEFORE = ("throttle", "throttling", "error500", "reset")


@pytest.fixture(autouse=True)
def calm(stage: Stage) -> Iterator[None]:
    """No fault outlives its test."""
    yield
    stage.control.clear_faults()


@pytest.mark.parametrize("fault", [*BEFORE, *AFTER])
def test_a_repair_through_faults_gives_what_a_calm_one_gives(
    stage: Stage, session: Open, tmp_path: Path, fault: str
) -> None:
    logical = stage.declare(items=60, stem="stormy")
    bench = Bench(stage, session(), logical, tmp_path)
    wanted = [{**track(number), "popularity": {"N": "4000"}} for number in range(5, 70)]
    path = bench.patch(wanted)
    stage.control.set_fault(
        fault, share=0.2, seed=7, operations=("UpdateItem", "PutItem", "DeleteItem", "GetItem", "BatchGetItem")
    )
    done = bench.repair(patch=path)
    stage.control.clear_faults()
    assert (done.planned, done.applied + done.already, done.conflicts) == (70, 70, 0)
    # what was applied before its answer was lost is found as wanted, and never taken for somebody else's
    assert (done.already > 0) == (fault in AFTER)
    assert list(patch(bench.items().values(), wanted, bench.opened.table.keys)) == []
    assert bench.repair(patch=Path(done.undo)).conflicts == 0
    assert bench.items() == {(f"a{n // 10:04d}", f"t{n:06d}"): track(n) for n in range(60)}
    stage.forget(logical)


def test_a_repair_that_is_refused_midway_goes_on_when_it_is_allowed(
    stage: Stage, session: Open, tmp_path: Path
) -> None:
    logical = stage.declare(items=200, stem="denied")
    bench = Bench(stage, session(), logical, tmp_path)
    wanted = [{**track(number), "popularity": {"N": "4000"}} for number in range(200)]
    options = RepairOptions(patch=bench.patch(wanted))
    runs, opened = tmp_path / "denied", bench.session
    with open_run(runs, ["repair"], opened.clock, Random(1)) as run:
        prepared = repairing.prepare(opened, run, bench.target, options)
        stage.control.set_fault("denied", share=0.02, seed=3, operations=("UpdateItem",))
        with pytest.raises(NotAllowed) as raised:
            repairing.carry_out(opened, run, bench.target, prepared, lambda: 0)
    assert raised.value.exit_code == 8
    assert " changes were applied; undo: " in raised.value.changed
    assert f"--resume {run.id}" in raised.value.fix[-1]
    stage.control.clear_faults()
    with resume_run(runs, run.id, opened.clock) as again:
        prepared = repairing.prepare(opened, again, bench.target, RepairOptions())
        done = repairing.carry_out(opened, again, bench.target, prepared, lambda: 0)
    assert (done.planned, done.applied + done.already) == (200, 200)
    assert list(patch(bench.items().values(), wanted, bench.opened.table.keys)) == []
    stage.forget(logical)


def _interrupted(bench: Bench, held: dict[str, Any]) -> tuple[str, Path, NotAllowed]:
    """A repair that removes two items, one of which holds more by now and may not be put back: run, file, error."""
    path = bench.patch([one for key, one in bench.items().items() if key[1] not in ("t000005", "t000006")])
    with open_run(bench.folder / "taken", ["repair"], bench.session.clock, Random(1)) as run:
        prepared = repairing.prepare(bench.session, run, bench.target, RepairOptions(patch=path))
        bench.put(held)
        bench.stage.control.set_fault("denied", operations=("PutItem",))
        with pytest.raises(NotAllowed) as raised:
            repairing.carry_out(bench.session, run, bench.target, prepared, lambda: 0)
    bench.stage.control.clear_faults()
    return run.id, run.folder / repairing.PUT_BACKS, raised.value


def _resumed(bench: Bench, run_id: str) -> repairing.RepairResult:
    with resume_run(bench.folder / "taken", run_id, bench.session.clock) as again:
        prepared = repairing.prepare(bench.session, again, bench.target, RepairOptions())
        return repairing.carry_out(bench.session, again, bench.target, prepared, lambda: 0)


def test_an_item_that_could_not_be_put_back_is_kept_on_the_disk_until_it_is(
    stage: Stage, session: Open, tmp_path: Path
) -> None:
    logical = stage.declare(items=9, stem="taken")
    bench, added = Bench(stage, session(), logical, tmp_path), {**track(5), "note": {"S": "by another"}}
    run_id, aside, error = _interrupted(bench, added)
    assert f"1 items were removed and are not back yet: {aside}" in error.changed
    assert PutBacks(aside).left() == [added]
    assert aside.stat().st_mode & 0o777 == 0o600
    assert ("a0000", "t000005") not in bench.items()
    done = _resumed(bench, run_id)
    assert (done.planned, done.applied + done.already, done.conflicts) == (2, 1, 1)
    assert bench.items()["a0000", "t000005"] == added
    assert PutBacks(aside).left() == []
    stage.forget(logical)


def test_an_item_that_another_wrote_before_it_could_be_put_back_stays(
    stage: Stage, session: Open, tmp_path: Path
) -> None:
    logical = stage.declare(items=9, stem="retaken")
    bench, newer = Bench(stage, session(), logical, tmp_path), {**track(5), "popularity": {"N": "77777"}}
    run_id, _, _ = _interrupted(bench, {**track(5), "note": {"S": "by another"}})
    bench.put(newer)
    done = _resumed(bench, run_id)
    assert (done.planned, done.applied + done.already, done.conflicts) == (2, 1, 1)
    assert bench.items()["a0000", "t000005"] == newer
    stage.forget(logical)


@pytest.mark.parametrize("fault", ["unprocessed", *BEFORE, *AFTER])
def test_an_import_through_faults_writes_every_item(stage: Stage, session: Open, tmp_path: Path, fault: str) -> None:
    logical = stage.declare(items=200, stem="stormy")
    bench = ImportBench(stage, session(), logical, tmp_path)
    before = bench.items()
    source, _ = bench.full()
    bench.empty()
    stage.control.set_fault(fault, share=0.3, seed=11, operations=("BatchWriteItem",))
    result = bench.run(source)
    stage.control.clear_faults()
    assert (result.counts.read, result.counts.written) == (200, 200)
    assert into_outcome.problems(result) == ()
    assert bench.items() == before
    stage.forget(logical)


@pytest.mark.parametrize("fault", ["s3_flip", "s3_cut", "s3_missing"])
def test_an_object_that_reads_badly_stops_an_import_before_its_first_write(
    stage: Stage, session: Open, tmp_path: Path, fault: str
) -> None:
    logical = stage.declare(items=30, stem="stormy")
    bench = ImportBench(stage, session(), logical, tmp_path)
    source, _ = bench.full()
    bench.empty()
    key = [one for one in stage.objects(f"x/{logical}") if one.endswith(".gz")][-1]
    stage.control.set_fault(fault, match=key)
    with pytest.raises(ExportCorrupt):
        bench.run(source)
    stage.control.clear_faults()
    assert bench.items() == {}
    stage.forget(logical)
