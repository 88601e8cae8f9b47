"""What other tools got wrong about restores and about what they leave, by name; see `test_peers.py`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.aws import Aws
from ops.clock import SystemClock
from ops.drill.guard import is_known_read
from ops.errors import BadArgument, NotADrillName, OpsError, StillRunning
from ops.flows import backing_up, exporting, importing, restoring
from ops.flows.restore_plan import RestoreOptions
from ops.flows.session import Session
from ops.model.recovery import RestoreResult
from ops.recovery import tables
from ops.runs import Run, open_run, resume_run
from tests.cli.gate import Gate
from tests.cli.recovery_stage import ACCOUNT, Stage
from tests.cli.rights import needs
from tests.sandbox.flows.import_kit import Bench

ROOT = Path(__file__).resolve().parents[2]
READING = ("Describe", "List", "Get", "BatchGet", "Query", "Scan")


class Recorder:
    """Every call, in order; does something after one of them."""

    def __init__(self, operation: str = "", act: Callable[[], object] = lambda: None) -> None:
        self.seen: list[tuple[str, str, dict[str, Any]]] = []
        self._operation, self._act = operation, act

    def before(self, service: str, operation: str, params: dict[str, Any]) -> None:
        self.seen.append((service, operation, params))

    def after(self, service: str, operation: str, params: dict[str, Any], outcome: str) -> None:
        if operation == self._operation:
            self._act()

    @property
    def writes(self) -> list[tuple[str, dict[str, Any]]]:
        return [(name, params) for service, name, params in self.seen if not is_known_read(service, name)]


def restored(bench: Bench, aws: Aws | None = None, **options: Any) -> RestoreResult:
    session = replace(bench.session, aws=aws or bench.session.aws)
    with open_run(bench.folder / "runs", ["restore"], session.clock, session.random) as run:
        return restoring.restore(session, run, bench.target, RestoreOptions("latest", **options))


def actions(gate: Gate) -> set[str]:
    return {action for request in gate.seen for action, _ in needs(request, ACCOUNT)}


def test_delete_before_check(stage: Stage) -> None:
    """dynamodump 1.11.1 deletes the destination and then looks for the dump (github.com/bchew/dynamodump/issues/311).

    Here no restore and no import ever deletes; one that cannot be done has asked for nothing but reads.
    """
    table, destination = stage.declare(items=3), stage.declare(items=8)
    held, gate = stage.items(destination), Gate(stage.endpoint)
    into = ("--as", destination)
    try:
        for words in (
            ("restore", table, "--backup", "never-made", *into),
            ("restore", table, "--at", "2020-01-01T00:00:00Z", *into),
            ("restore", table, "--deleted", *into),
            ("restore", table, "--latest", *into),
            ("import-s3", "s3://music-exports/none/manifest-summary.json", *into),
            ("import-s3", str(stage.folder / "none.jsonl"), *into, "--schema-from", table),
        ):
            gate.seen.clear()
            assert stage.ops(*words, AWS_ENDPOINT_URL=gate.endpoint).code in (2, 6, 7, 10), words
            assert all(one.split(":")[1].startswith(READING) for one in actions(gate)), words
        assert stage.items(destination) == held
        gate.seen.clear()
        done = stage.ops("restore", table, "--latest", AWS_ENDPOINT_URL=gate.endpoint)
        assert done.code == 0, done.err
        assert "dynamodb:RestoreTableToPointInTime" in actions(gate)
        assert not any("Delete" in one or "Deregister" in one for one in actions(gate))
    finally:
        gate.stop()


def deletions(path: Path) -> Iterator[str]:
    """`file:function operation` of every call that deletes in AWS."""
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                word = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
                if word.startswith(("delete_", "deregister_")):
                    yield f"{path.relative_to(ROOT / 'ops')}:{function.name} {word}"


def test_delete_before_check_has_no_other_way() -> None:
    """The same over the source: whatever deletes a resource is of a drill, and refuses every name but a drill's."""
    rooms = [path for path in sorted((ROOT / "ops").rglob("*.py")) if "sandbox" not in path.parts]
    assert [one for path in rooms for one in deletions(path)] == [
        "drill/cleanup.py:_delete_alarms delete_alarms",
        "drill/faults.py:_delete_table delete_table",
        "recovery/cutover.py:delete_pointer delete_parameter",
        "recovery/tables.py:delete_drill_table delete_table",
        "recovery/tables.py:delete_scaling delete_scaling_policy",
        "recovery/tables.py:delete_scaling deregister_scalable_target",
    ]
    with pytest.raises(NotADrillName):
        tables.delete_drill_table(Aws(region="us-east-1"), "top_tracks", None, SystemClock())
    with pytest.raises(NotADrillName):
        tables.delete_scaling(Aws(region="us-east-1"), "top_tracks")


PATTERNS = ("*", "tracks*", "t?acks", "tracks_[0-9]", "%", "ddb:*", "ddb:tracks*", "ddb:", "tracks_1,tracks_2")


def test_wildcard_strangers(stage: Stage, bench: Bench, tmp_path: Path) -> None:
    """dynamodump's `-m restore -s '*'` deletes every matching table, also those that were never dumped (measured).

    Here a command takes names; a pattern is a usage error before anything is asked about a table.
    """
    for pattern in (*PATTERNS, "arn:aws:dynamodb:us-east-1:123456789012:table/*"):
        with pytest.raises(BadArgument):
            bench.session.table(pattern)
    before = stage.tables_now()
    file = tmp_path / "items.jsonl"
    file.write_text('{"Item":{"artist_id":{"S":"a"},"id":{"S":"b"}}}\n')
    for words in (
        ("restore", "ddb:filled*", "--latest"),
        ("restore", bench.logical, "--latest", "--as", "filled*"),
        ("load", str(file), "--to", "ddb:filled*"),
        ("drill", "run", "mass-delete", "*"),
    ):
        assert stage.ops(*words).code == 2, words
    assert stage.ops("drill", "gc", "*").code in (2, 10)
    assert stage.tables_now() == before


def test_pinned_window(stage: Stage) -> None:
    """ "Latest", right after PITR was switched on, restores nothing and calls it a success (seen on AWS by others).

    Here it is refused with W005 until its second is named; and zero items are no proof even then.
    """
    table = stage.declare(items=0, pitr=False, stem="young")
    stage.change(table, pitr_days=35)
    stage.dynamodb.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    stage.put(table, [{"artist_id": {"S": "a"}, "id": {"S": "b"}}])
    before = stage.tables_now()
    refused = stage.ops("restore", table, "--latest")
    assert (refused.code, refused.out) == (6, "")
    assert "OPS-W005" in refused.err
    assert stage.tables_now() == before
    line = next(one for one in refused.err.splitlines() if "--at" in one)
    done = stage.ops(*line.split("ops ", 1)[1].split())
    assert done.code == 4
    assert "warning OPS-W005" in done.err
    assert "zero items compared is never a proof" in done.err
    assert "VOID: nothing proven" in done.out


class Forgetful(Aws):
    """Answers 200 to one kind of change and does nothing."""

    def __init__(self, operation: str, member: str) -> None:
        super().__init__(region="us-east-1")
        self._operation, self._member = operation, member

    def call(self, service: str, operation: str, *, region: str | None = None, **params: Any) -> dict[str, Any]:
        if operation == self._operation and self._member in params:
            return {}
        return super().call(service, operation, region=region, **params)


FORGOTTEN = [
    ("update_continuous_backups", "PointInTimeRecoverySpecification", {"pitr", "pitr.days"}),
    ("update_time_to_live", "TimeToLiveSpecification", {"ttl"}),
    ("tag_resource", "Tags", {"tags.owner", "tags.stack", "tags.ops:source", "tags.ops:restored-to", "tags.ops:run"}),
    ("update_table", "StreamSpecification", {"stream"}),
    ("update_table", "DeletionProtectionEnabled", {"deletion_protection"}),
    (
        "put_scaling_policy", "PolicyName",
        {f"scaling.{of}.{way}" for of in ("table", "genre_index") for way in ("read", "write")},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "member", "lost"), FORGOTTEN, ids=[str(one[1]) for one in FORGOTTEN])
def test_settings_forgotten(bench: Bench, operation: str, member: str, lost: set[str]) -> None:
    """After a restore by dynamodump, dynein or ddbsh, TTL, tags, PITR, streams and scaling are missing.

    Here they are put back and read back: each that is missing all the same is named, and the exit is not 0.
    """
    result = restored(bench, Forgetful(operation, member))
    assert result.proof is not None
    assert result.proof.equal
    assert {one.setting for one in result.settings.differing} == lost
    (problem,) = restoring.problems(result, proof_waived=False)
    assert (problem.code, problem.exit_code) == ("OPS-E402", 4)
    assert all(name in problem.why for name in lost)


Verb = Callable[[Session, Run, Bench, float | None], object]


def _imported(session: Session, run: Run, bench: Bench, timeout_s: float | None) -> object:
    target = f"{bench.logical}-{run.id8}"
    options = importing.ImportOptions(bench.full()[0], target, timeout_s=timeout_s)
    importing.import_source(session, run, options)
    return bench.stage.dynamodb.describe_table(TableName=target)["Table"]["TableStatus"]


def _restored(session: Session, run: Run, bench: Bench, timeout_s: float | None) -> object:
    done = restoring.restore(session, run, bench.target, RestoreOptions("latest", timeout_s=timeout_s))
    assert done.proof is not None and done.proof.equal
    return bench.stage.dynamodb.describe_table(TableName=done.target)["Table"]["TableStatus"]


def _backed_up(session: Session, run: Run, bench: Bench, timeout_s: float | None) -> object:
    done = backing_up.back_up(session, run, bench.target, backing_up.BackupOptions(timeout_s=timeout_s))
    found = bench.stage.dynamodb.describe_backup(BackupArn=done.arn)["BackupDescription"]
    return found["BackupDetails"]["BackupStatus"]


def _exported(session: Session, run: Run, bench: Bench, timeout_s: float | None) -> object:
    done = exporting.export_table(session, run, bench.target, exporting.ExportOptions(timeout_s=timeout_s))
    return bench.stage.dynamodb.describe_export(ExportArn=done.arn)["ExportDescription"]["ExportStatus"]


VERBS: list[tuple[Verb, str]] = [
    (_backed_up, "AVAILABLE"), (_exported, "COMPLETED"), (_imported, "ACTIVE"), (_restored, "ACTIVE"),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "finished"), VERBS, ids=["backup", "export", "import", "restore"])
def test_returned_early(bench: Bench, verb: Verb, finished: str) -> None:
    """dynein and ddbsh start a restore and return: nobody waits, nobody looks.

    Here a command that returns has waited for AWS's own word; one that may not wait says so, and is no success.
    """
    session = bench.session
    with open_run(bench.folder / "runs", ["t"], session.clock, session.random) as run:
        assert verb(session, run, bench, None) == finished
    if finished == "AVAILABLE":
        return  # a backup is there at once: there is nothing to give up waiting for
    bench.stage.control.set_durations(export_s=120)
    try:
        with (
            open_run(bench.folder / "runs", ["t"], session.clock, session.random) as run,
            pytest.raises(StillRunning) as caught,
        ):
            verb(session, run, bench, 0.1)
    finally:
        bench.stage.control.set_durations(export_s=5)
    assert caught.value.exit_code == 12
    assert caught.value.fix[0].endswith(f"--resume {run.id} --env dev")


def test_ttl_on_source(bench: Bench) -> None:
    """Digito's design of a runbook hands the source's name to the step that sets TTL on the restored table.

    Here the source is read, exported and restored from; every change is one of the new table.
    """
    found = bench.stage.dynamodb.describe_table(TableName=bench.logical)["Table"]
    recorder = Recorder()
    result = restored(bench, bench.session.aws.observed_by(recorder))
    assert "UpdateTimeToLive" in {name for name, _ in recorder.writes}
    for name, params in recorder.writes:
        aimed = {
            key: str(params[key]).removeprefix("table/").split(":table/")[-1].split("/")[0]
            for key in ("TableName", "TargetTableName", "ResourceArn", "ResourceId", "SourceTableName", "TableArn")
            if key in params
        }
        read_from = {key for key, of in aimed.items() if of == bench.logical}
        assert read_from <= {"SourceTableName"} or name == "ExportTableToPointInTime", name
        assert name == "ExportTableToPointInTime" or result.target in aimed.values(), name
    assert bench.stage.dynamodb.describe_table(TableName=bench.logical)["Table"] == found


@pytest.mark.parametrize("fault", ["denied", "expired_token"])
def test_role_mid_restore(bench: Bench, fault: str) -> None:
    """A role that is changed, or an `aws:SourceIp` rule, breaks a running restore (AWS's page Restore.Tutorial).

    Here it ends with exit 8 and what was asked for; the same run goes on when it may again, and asks for nothing twice.
    """
    session, control = bench.session, bench.stage.control
    watching = Recorder(
        "RestoreTableToPointInTime", lambda: control.set_fault(fault, operations=("DescribeTable", "DescribeExport"))
    )
    watched = replace(session, aws=session.aws.observed_by(watching))
    with open_run(bench.folder / "runs", ["restore"], session.clock, session.random) as run:
        try:
            with pytest.raises(OpsError) as caught:
                restoring.restore(watched, run, bench.target, RestoreOptions("latest"))
        finally:
            control.clear_faults()
    assert caught.value.exit_code == 8
    assert "RestoreTableToPointInTime" in caught.value.changed
    assert caught.value.fix[-1].endswith(f"--resume {run.id} --env dev")
    again = Recorder()
    watched = replace(session, aws=session.aws.observed_by(again))
    with resume_run(bench.folder / "runs", run.id, session.clock) as resumed:
        result = restoring.restore(watched, resumed, bench.target, RestoreOptions("latest"))
    assert "RestoreTableToPointInTime" not in {name for name, _ in again.writes}
    assert restoring.problems(result, proof_waived=False) == ()
