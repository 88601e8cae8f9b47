"""What other tools got wrong about backups that nobody restores and failures that nobody sees; see `test_peers.py`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import botocore.session
import pytest

from ops.flows import backing_up, importing, restoring
from ops.flows.protection import newest_proof
from ops.flows.restore_plan import RestoreOptions
from ops.runs import Run, open_run
from tests.cli.recovery_stage import Stage, track
from tests.sandbox.flows.import_kit import Bench, Open

Damage = Callable[[], None]
#: Brings a table back from a kind of backup, which it makes before the damage; the name of the new table.
Way = Callable[[Bench, Run, str, datetime, Damage], str]


def _pitr(bench: Bench, run: Run, manifest: str, moment: datetime, damage: Damage) -> str:
    damage()
    return restoring.restore(bench.session, run, bench.target, RestoreOptions("at", at=moment)).target


def _export(bench: Bench, run: Run, manifest: str, moment: datetime, damage: Damage) -> str:
    damage()
    return importing.import_source(bench.session, run, importing.ImportOptions(manifest, f"{bench.logical}-new")).table


def _user(bench: Bench, run: Run, manifest: str, moment: datetime, damage: Damage) -> str:
    with open_run(bench.folder / "runs", ["backup"], bench.session.clock, bench.session.random) as other:
        made = backing_up.back_up(bench.session, other, bench.target, backing_up.BackupOptions())
    damage()
    done = restoring.restore(bench.session, run, bench.target, RestoreOptions("backup", backup=made.name))
    assert done.proof is not None and done.proof.equal
    return done.target


def _system(bench: Bench, run: Run, manifest: str, moment: datetime, damage: Damage) -> str:
    bench.stage.dynamodb.delete_table(TableName=bench.logical)
    bench.stage.advance(30)
    return restoring.restore(bench.session, run, bench.target, RestoreOptions("deleted")).target


def _vault(bench: Bench, run: Run, manifest: str, moment: datetime, damage: Damage) -> str:
    """AWS Backup restores its own points; ops proves what came of it."""
    api, role, target = bench.stage.client("backup"), "arn:aws:iam::123456789012:role/backup", f"{bench.logical}-new"
    api.create_backup_vault(BackupVaultName=bench.logical)
    point = api.start_backup_job(BackupVaultName=bench.logical, ResourceArn=bench.arn(), IamRoleArn=role)
    bench.stage.advance(15)
    damage()
    ask: dict[str, Any] = {"Metadata": {"targetTableName": target}, "IamRoleArn": role}
    api.start_restore_job(RecoveryPointArn=point["RecoveryPointArn"], **ask)
    bench.stage.advance(30)
    return target


WAYS: dict[str, Way] = {
    "PITR": _pitr, "EXPORT": _export, "USER": _user, "SYSTEM": _system, "AWS_BACKUP": _vault,
}  # fmt: skip


@pytest.mark.parametrize("kind", WAYS)
def test_backup_without_restore(bench: Bench, kind: str) -> None:
    """A tool that backs up and cannot restore: github.com/mapbox/dynamodb-replicator/issues/105.

    Here a table comes back, proven item by item, from every kind of backup that there is of a DynamoDB table.
    """
    bench.stage.put(bench.logical, [track(99)])  # so late that an earlier point does not hold it
    before = bench.items()
    manifest, moment = bench.full()
    with open_run(bench.folder / "runs", ["t"], bench.session.clock, bench.session.random) as run:
        target = WAYS[kind](bench, run, manifest, moment, bench.empty)
    assert bench.stage.items(target) == before
    proven = bench.stage.ops("verify", f"ddb:{target}", "--against", manifest)
    assert proven.code == 0, proven.err


def test_backup_without_restore_of_a_kind_that_is_new() -> None:
    """The same for kinds that AWS may add: one that no test brings a table back from is noticed."""
    model = botocore.session.get_session().get_service_model("dynamodb")
    assert set(model.shape_for("BackupType").enum) | {"PITR", "EXPORT"} == set(WAYS)


def test_silent_dump_failure_is_seen_by_its_absence(stage: Stage, session: Open) -> None:
    """GitLab's dumps failed, and their absence was not seen (about.gitlab.com, postmortem of 10 February 2017).

    Here a table is shown as one without a backup, and without a proof, until there is one: neither a backup that
    failed nor a restore that proved nothing counts.
    """

    def problems() -> str:
        done = stage.ops("status", table, "-o", "json")
        return "; ".join(done.document["result"]["tables"][0]["problems"])

    def proof() -> object:
        return newest_proof(stage.runs, session().table(table), None)

    table = stage.declare(items=3, stem="unseen")
    stage.control.set_fault("denied", operations=("CreateBackup",))
    try:
        assert stage.ops("backup", table).code == 8
    finally:
        stage.control.clear_faults()
    assert "no backup" in problems() and "never proven" in problems()
    assert stage.ops("backup", table).code == 0
    assert "no backup" not in problems() and "never proven" in problems()
    assert stage.ops("restore", table, "--latest", "--expect", "none").code == 0
    assert proof() is None
    assert stage.ops("restore", table, "--latest", "--as", f"{table}-proven").code == 0
    assert proof() is not None
