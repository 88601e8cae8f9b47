"""`import-s3 --into --bulk`: AWS puts the lines of an export itself; what it cannot do is refused before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ops.errors import BadArgument, CountsDiffer, StillRunning
from ops.flows import into_outcome
from ops.flows.importing_into import IntoOptions, import_into, plan_into
from ops.runs import open_run, resume_run
from tests.cli.recovery_stage import BUCKET, track
from tests.sandbox.flows.import_kit import Bench, hand_made, line


def operations(bench: Bench) -> list[dict[str, Any]]:
    """Bulk operations of the bench's table, as AWS lists them."""
    client = bench.stage.dynamodb
    listed = client.list_bulk_operations()["BulkOperationsSummaryList"]
    return [one for one in listed if f"table/{bench.logical}/" in one["BulkOperationArn"]]


def test_aws_puts_the_lines_and_what_it_put_is_proven(bench: Bench) -> None:
    before = bench.items()
    source, _ = bench.full()
    bench.stage.dynamodb.delete_item(TableName=bench.logical, Key={"artist_id": {"S": "a0000"}, "id": {"S": "t000001"}})
    bench.stage.put(bench.logical, [{**track(2), "popularity": {"N": "-1"}}, track(900)])
    result = bench.run(source, bulk=True, rate="2000")
    assert into_outcome.problems(result) == ()
    assert (result.counts.read, result.counts.written, result.counts.unchanged) == (40, 40, 0)
    assert result.counts.proof is not None
    assert result.counts.proof.equal
    assert bench.items() == {**before, ("a0090", "t000900"): track(900)}
    [made] = operations(bench)
    described = bench.stage.dynamodb.describe_bulk_operation(BulkOperationArn=made["BulkOperationArn"])
    assert described["BulkOperationDescription"]["MaxWriteRequestUnits"] == 2000


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"only_changed": True}, "--only-changed"),
        ({"quarantine": True}, "--quarantine"),
        ({"rate": "100"}, "--rate below 1024"),
        ({"rate": "50%"}, "--rate below 1024"),
        ({"then": True}, "--then"),
    ],
)
def test_what_aws_cannot_do_is_refused_before_it_is_asked(bench: Bench, options: dict[str, Any], told: str) -> None:
    source, reached = bench.full()
    if "then" in options:
        bench.stage.advance(1500)
        until = bench.stage.now()
        bench.stage.advance(400)
        options = {"then": (bench.changes(reached, until),)}
    with pytest.raises(BadArgument, match="--bulk does not go with") as raised:
        bench.run(source, bulk=True, **options)
    assert told in raised.value.what
    with pytest.raises(BadArgument):
        plan_into(bench.session, bench.target, IntoOptions(source, bulk=True, **options))
    assert operations(bench) == []


def test_an_object_beside_the_export_is_never_put(bench: Bench) -> None:
    source, keys = hand_made(bench, [[line(track(100))]])
    stranger = f"{keys[0].rpartition('/')[0]}/stranger.json.gz"
    bench.stage.client("s3").put_object(Bucket=BUCKET, Key=stranger, Body=b"x")
    with pytest.raises(BadArgument, match=r"stranger\.json\.gz"):
        bench.run(source, bulk=True)
    assert operations(bench) == []


def test_a_run_that_stopped_waiting_adopts_its_operation(bench: Bench, tmp_path: Path) -> None:
    source, _ = bench.full()
    before = bench.items()
    bench.empty()
    session, runs = bench.session, tmp_path / "bulk"
    with open_run(runs, ["import-s3"], session.clock, session.random) as run, pytest.raises(StillRunning):
        import_into(session, run, bench.target, IntoOptions(source, bulk=True, timeout_s=1.0))
    bench.stage.advance(60)
    with resume_run(runs, run.id, session.clock) as again:
        result = import_into(session, again, bench.target, IntoOptions(source, bulk=True))
    assert into_outcome.problems(result) == ()
    assert bench.items() == before
    assert len(operations(bench)) == 1


def test_lines_that_aws_did_not_process_are_no_success(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from ops.flows import importing_into
    from ops.recovery.bulk_puts import BulkCounts

    source, _ = bench.full()
    monkeypatch.setattr(importing_into, "put_in_bulk", lambda *_: BulkCounts("arn", 39, 0, "s3://b/r"))
    with pytest.raises(CountsDiffer, match="AWS processed 39 lines, the export has 40"):
        bench.run(source, bulk=True)
    monkeypatch.setattr(importing_into, "put_in_bulk", lambda *_: BulkCounts("arn", 40, 1, "s3://b/r"))
    bench.stage.dynamodb.delete_item(TableName=bench.logical, Key={"artist_id": {"S": "a0000"}, "id": {"S": "t000001"}})
    result = bench.run(source, bulk=True)
    assert (result.counts.written, result.counts.rejected, result.rejects) == (39, 1, "s3://b/r")
    assert [error.exit_code for error in into_outcome.problems(result)] == [4, 3]
