"""Whole drills over HTTP: they pass when the data comes back, and turn red for each single thing that does not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from ops.drill.cleanup import collect
from ops.drill.ledger import key_token, read_ledger
from ops.drill.verdict import error_of
from ops.errors import (
    BadArgument,
    ControlMissed,
    DrillFailed,
    Interrupted,
    NotAllowed,
    PitrOff,
    RtoMissed,
    SignalReceived,
)
from ops.model.drill import VERDICT_EXIT
from ops.model.items import Item, KeySchema, key_of, key_text
from ops.model.proof import Comparison, SideCount
from ops.progress import SilentProgress
from ops.recovery import tables
from ops.runs import open_run, read_journal, resume_run
from ops.verify.compare import LISTED, TtlRule, compare
from ops.verify.sides import Side

if TYPE_CHECKING:
    from tests.sandbox.drill.conftest import DrillLab

# Keep-alive connections of ended scan threads are closed by the garbage collector, which Python reports.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"),
]
SCENARIOS = ["mass-delete", "table-deleted"]
SCHEMA = KeySchema("artist_id", "S", "id", "S")


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_drill_passes_on_the_sandbox(lab: DrillLab, scenario: str) -> None:
    report = lab.drill(scenario)
    assert report.verdict == "pass", report.reasons
    assert report.level == "service"
    assert error_of(report) is None
    assert [mark.name for mark in report.marks] == [f"T{number}" for number in range(9)]
    assert report.rpo_items == 0
    assert report.proof.equal
    assert report.proof.expected.digest == report.proof.found.digest
    assert [one.equal for one in report.index_proof] == [True]
    assert report.resources_before == report.resources_after
    assert {one.code for one in report.planted} >= {"C19", "C22", "C23"}
    assert all(one.caught for one in report.planted)
    assert len(report.control.planted) >= 3
    assert report.control_proof.differing == len(report.control.planted)
    assert report.settings.restored
    assert report.settings_after["deletion_protection"] == "on"
    assert report.settings_restored["pitr"] == "off"
    assert report.settings_after["ttl"] == "expires_at"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_evidence_of_a_drill_checks_out(lab: DrillLab, scenario: str) -> None:
    report = lab.drill(scenario)
    folder = lab.last_run
    for line in (folder / "digests.sha256").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
    document = json.loads((folder / "report.json").read_text())
    assert document["verdict"] == report.verdict
    lines, _ = read_journal(folder / "journal.jsonl")
    assert {line.data["name"] for line in lines if line.kind == "mark"} == {f"T{number}" for number in range(9)}
    writes = read_ledger(folder / "ledger.jsonl")
    assert {one.outcome for one in writes if not one.fault} <= {"ok", "fail"}
    assert sum(one.fault for one in writes) == report.damage.get("keys deleted", 0)
    assert report.subject_table in (folder / "report.html").read_text()


def test_the_same_seed_repeats_the_same_damage_and_controls(lab: DrillLab) -> None:
    def faults() -> set[str]:
        return {key_token(one.key) for one in read_ledger(lab.last_run / "ledger.jsonl") if one.fault}

    first = lab.drill("mass-delete", seed=21)
    damaged = faults()
    second = lab.drill("mass-delete", seed=21)
    assert faults() == damaged
    assert second.control.planted == first.control.planted
    assert [one.code for one in second.planted] == [one.code for one in first.planted]
    third = lab.drill("mass-delete", seed=22)
    assert faults() != damaged
    assert third.verdict == "pass"


@dataclass
class Vandal:
    """The real comparison, which damages one item of the recovered table before its first proof."""

    lab: DrillLab
    damage: Callable[[Any, str, Item], None]
    key: str = ""

    def __call__(
        self, expected: Side, found: Side, *, keys: KeySchema, ttl: TtlRule | None = None, listed: int = LISTED
    ) -> Comparison:
        where = found.info.where
        if expected.info.kind == "ledger" and where.startswith("drill-") and not self.key:
            item = self._victim(where)
            self.key = key_text(key_of(item, SCHEMA))
            self.damage(self.lab.dynamodb, where, item)
        return compare(expected, found, keys=keys, ttl=ttl, listed=listed)

    def _victim(self, table: str) -> Item:
        """An item that the drill itself did not touch: neither written by the ledger nor planted."""
        source = self.lab.scan()
        rows = self.lab.scan(table)
        return next(item for name, item in sorted(rows.items()) if source.get(name) == item and "genre" in item)


def _change_attribute(dynamodb: Any, table: str, item: Item) -> None:
    dynamodb.put_item(TableName=table, Item={**item, "name": {"S": "another name"}})


def _remove(dynamodb: Any, table: str, item: Item) -> None:
    dynamodb.delete_item(TableName=table, Key=key_of(item, SCHEMA))


def _add(dynamodb: Any, table: str, item: Item) -> None:
    dynamodb.put_item(TableName=table, Item={**item, "id": {"S": f"{item['id']['S']}+"}})


def _change_type(dynamodb: Any, table: str, item: Item) -> None:
    dynamodb.put_item(TableName=table, Item={**item, "popularity": {"S": item["popularity"]["N"]}})


DAMAGES = [
    pytest.param(_change_attribute, "changed", "", id="one changed attribute"),
    pytest.param(_remove, "missing", "", id="one missing item"),
    pytest.param(_add, "extra", "+", id="one extra item"),
    pytest.param(_change_type, "changed", "", id="one changed number type"),
]


@pytest.mark.parametrize(("damage", "kind", "suffix"), DAMAGES)
def test_one_damaged_item_alone_turns_the_drill_red_and_is_named(
    lab: DrillLab, damage: Callable[[Any, str, Item], None], kind: str, suffix: str
) -> None:
    vandal = Vandal(lab, damage)
    report = lab.drill("mass-delete", comparer=vandal)
    assert report.verdict == "fail"
    assert report.control.caught
    (difference,) = report.proof.differences
    assert difference.kind == kind
    assert difference.key is not None
    assert key_text(difference.key) == vandal.key + suffix
    assert vandal.key + suffix in (lab.last_run / "report.html").read_text()
    error = error_of(report)
    assert isinstance(error, DrillFailed)
    assert (error.exit_code, VERDICT_EXIT[report.verdict]) == (4, 4)


def _says_equal(
    expected: Side, found: Side, *, keys: KeySchema, ttl: TtlRule | None = None, listed: int = LISTED
) -> Comparison:
    """A verifier that was broken on purpose: whatever it is given, everything is fine."""
    count = sum(1 for _ in expected.records())
    return Comparison(
        SideCount(expected.info, count, "0" * 64, count), SideCount(found.info, count, "0" * 64, count), 0, 0, 0
    )


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_verifier_that_always_says_equal_is_void(lab: DrillLab, scenario: str) -> None:
    report = lab.drill(scenario, comparer=_says_equal)
    assert report.verdict == "void"
    error = error_of(report)
    assert isinstance(error, ControlMissed)
    assert error.exit_code == 1
    assert {one.code for one in report.planted if not one.caught} >= {"C22"}
    assert "VOID" in (lab.last_run / "report.html").read_text()


@dataclass(frozen=True)
class _Half:
    """A side that stops early and says nothing of it: a scan that took an empty page for the end."""

    side: Side

    @property
    def info(self) -> Any:
        return self.side.info

    @property
    def live(self) -> bool:
        return self.side.live

    def records(self) -> Iterator[Any]:
        for number, record in enumerate(self.side.records()):
            if number % 2:
                yield record

    def declared(self) -> int | None:
        return self.side.declared()

    def items_for(self, keys: Any) -> dict[bytes, Item]:
        return self.side.items_for(keys)


def _reads_half(
    expected: Side, found: Side, *, keys: KeySchema, ttl: TtlRule | None = None, listed: int = LISTED
) -> Comparison:
    return compare(_Half(expected), _Half(found), keys=keys, ttl=ttl, listed=listed)


def test_a_comparison_that_reads_half_of_both_sides_is_void(lab: DrillLab) -> None:
    report = lab.drill("mass-delete", comparer=_reads_half)
    assert report.verdict == "void"
    assert any("declared" in reason for reason in report.reasons)


def test_a_setting_that_does_not_come_back_fails_the_drill_and_is_named(
    lab: DrillLab, declare: Callable[..., Any]
) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    report = lab.drill("mass-delete", environment=declare("other-key", sse_kms_key_arn=key))
    assert report.verdict == "fail"
    assert [one.setting for one in report.settings.differing] == ["sse"]
    assert any("sse" in reason for reason in report.reasons)


def test_a_missed_target_is_late_and_still_proven(lab: DrillLab) -> None:
    report = lab.drill("table-deleted", rto_s=1.0)
    assert report.verdict == "late"
    assert report.proof.equal
    error = error_of(report)
    assert isinstance(error, RtoMissed)
    assert error.exit_code == 5


def test_a_source_without_point_in_time_recovery_ends_the_drill_before_it_makes_anything(
    lab: DrillLab, declare: Callable[..., Any], plain_table: str
) -> None:
    backup = lab.dynamodb.create_backup(TableName=plain_table, BackupName="nightly")["BackupDetails"]
    with pytest.raises(PitrOff) as refusal:
        lab.drill("mass-delete", environment=declare("no-pitr", physical=plain_table))
    assert refusal.value.exit_code == 6
    assert backup["BackupArn"] in refusal.value.why
    assert lab.drill_tables() == []


def test_an_empty_source_is_refused_because_nothing_would_be_proven(
    lab: DrillLab, declare: Callable[..., Any], empty_table: str
) -> None:
    with pytest.raises(BadArgument, match="held no item"):
        lab.drill("table-deleted", environment=declare("empty", physical=empty_table))


class _Interrupting(SilentProgress):
    """Ctrl-C when a phase begins."""

    def __init__(self, at: str) -> None:
        self.at = at

    @contextmanager
    def phase(self, name: str, detail: str = "") -> Iterator[None]:
        if name == self.at:
            self.at = ""
            raise Interrupted("interrupted")
        yield


@pytest.mark.parametrize("phase", ["baseline", "fault", "settings", "canary"])
def test_an_interrupted_drill_removes_what_it_made(lab: DrillLab, phase: str) -> None:
    with pytest.raises(Interrupted) as stop:
        lab.drill("mass-delete", progress=_Interrupting(phase))
    assert stop.value.exit_code == 130
    assert "removed" in stop.value.changed
    assert lab.drill_tables() == []
    assert not (lab.last_run / "report.json").exists()


class _Signalled(SilentProgress):
    """A signal each time the clean-up begins, as often as told."""

    def __init__(self, times: int) -> None:
        self.left = times

    @contextmanager
    def phase(self, name: str, detail: str = "") -> Iterator[None]:
        if name == "clean up" and self.left:
            self.left -= 1
            raise SignalReceived(15)
        yield


def test_a_signal_in_the_clean_up_of_a_finished_drill_does_not_leave_its_tables(lab: DrillLab) -> None:
    with pytest.raises(Interrupted) as stop:
        lab.drill("mass-delete", progress=_Signalled(1))
    assert stop.value.exit_code == 143
    assert "removed" in stop.value.changed
    assert lab.drill_tables() == []


def test_a_clean_up_that_was_cut_short_names_what_is_left_and_the_command_that_removes_it(lab: DrillLab) -> None:
    with pytest.raises(Interrupted) as stop:
        lab.drill("mass-delete", progress=_Signalled(2))
    left = lab.drill_tables()
    assert left
    assert all(name in stop.value.changed for name in left)
    assert stop.value.fix == (f"ops drill gc {lab.last_run.name}",)
    with resume_run(lab.runs, lab.last_run.name, lab.clock) as run:
        collect(run, aws=lab.aws, environment=lab.environment, clock=lab.clock, progress=SilentProgress())


def test_a_kept_drill_is_collected_later_by_its_journal_and_nothing_else_is(lab: DrillLab) -> None:
    report = lab.drill("mass-delete", keep=True)
    assert report.verdict == "pass"
    kept = lab.drill_tables()
    assert set(kept) == {report.subject_table, report.restored_table}
    stranger = f"{report.subject_table}-of-somebody-else"
    lab.dynamodb.create_table(
        TableName=stranger,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    with resume_run(lab.runs, report.run, lab.clock) as run:
        options: dict[str, Any] = {
            "aws": lab.aws, "environment": lab.environment, "clock": lab.clock, "progress": SilentProgress()
        }  # fmt: skip
        planned = collect(run, **options, dry_run=True)
        assert set(lab.drill_tables()) == {*kept, stranger}
        collected = collect(run, **options)
    assert planned == collected
    assert set(kept) <= set(collected.removed)
    assert [name for name, _ in collected.left] == [stranger]
    assert lab.drill_tables() == [stranger]
    lab.dynamodb.delete_table(TableName=stranger)
    scaling = tables.scaling_of(lab.aws, report.restored_table, "describe_scalable_targets", "ScalableTargets")
    assert scaling == []


def test_a_run_that_made_nothing_collects_nothing(lab: DrillLab) -> None:
    with open_run(lab.runs, ["drill", "gc"], lab.clock, Random(5)) as run:
        collected = collect(run, aws=lab.aws, environment=lab.environment, clock=lab.clock, progress=SilentProgress())
    assert collected.removed == ()


def test_throttles_and_lost_answers_on_the_way_do_not_change_the_verdict(lab: DrillLab) -> None:
    lab.control.set_fault("throttle", share=0.1, seed=3)
    lab.control.set_fault("unprocessed", share=0.2, seed=4)
    try:
        report = lab.drill("mass-delete")
    finally:
        lab.control.clear_faults()
    assert report.verdict == "pass", report.reasons


def test_a_write_whose_answer_never_came_is_admitted_both_ways_and_listed(lab: DrillLab) -> None:
    lab.control.set_fault("cut", share=1.0, count=10, operations=("PutItem",))
    try:
        report = lab.drill("mass-delete")
    finally:
        lab.control.clear_faults()
    unknown = [one for one in read_ledger(lab.last_run / "ledger.jsonl") if one.outcome == "unknown"]
    assert len(unknown) == report.ambiguous == 1
    assert report.verdict == "pass", report.reasons


class _DeniesDeletion:
    """An account whose rights do not include DeleteTable."""

    def before(self, service: str, operation: str, params: dict[str, Any]) -> None:
        if operation == "DeleteTable":
            raise NotAllowed(f"not allowed: {service}:{operation} on {params['TableName']}")

    def after(self, service: str, operation: str, params: dict[str, Any], outcome: str) -> None:
        """Nothing to note."""


def test_a_clean_up_that_fails_fails_the_drill_and_names_what_is_left(lab: DrillLab) -> None:
    report = lab.drill("mass-delete", aws=lab.aws.observed_by(_DeniesDeletion()))
    assert report.verdict == "fail"
    assert report.proof.equal
    left = {f"table:{report.subject_table}", f"table:{report.restored_table}"}
    assert left <= set(report.resources_after) - set(report.resources_before)
    assert any(report.restored_table in reason for reason in report.reasons)
    assert any(code == "OPS-W008" and f"ops drill gc {report.run}" in text for code, text in report.warnings)
    with resume_run(lab.runs, report.run, lab.clock) as run:
        collect(run, aws=lab.aws, environment=lab.environment, clock=lab.clock, progress=SilentProgress())
