"""Settings when AWS puts changes off, refuses them, or only says that it made them."""

from __future__ import annotations

from typing import Any

import pytest

from ops.errors import (
    NotAllowed,
    OpsError,
    RecoveryFailed,
)
from ops.model.proof import SettingsOutcome
from ops.progress import SilentProgress
from ops.recovery import reapply, tables
from ops.recovery.planning import Change
from ops.recovery.settings import TableSettings, differences, read_settings, wanted_settings, with_lineage
from ops.runs import Run
from tests.unit.recovery.kit import (
    START,
    ManualClock,
    Scripted,
    document,
    not_found,
    refused,
    table,
    window,
)

PROGRESS = SilentProgress()


def test_pitr_is_tried_again_while_the_table_settles(run: Run, clock: ManualClock) -> None:
    control = Scripted(
        {
            "describe_table": table(),
            "update_continuous_backups": [refused("ContinuousBackupsUnavailableException"), not_found(), {}],
        }
    )
    changes = reapply.plan(
        TableSettings(billing_mode="PROVISIONED"), TableSettings(billing_mode="PROVISIONED", pitr_days=7)
    )
    outcome = reapply.apply(control, "t", changes, stage="before_proof", run=run, clock=clock, progress=PROGRESS)
    assert outcome.applied == ("pitr",)
    assert clock.passed_s == 2 * reapply.POLL_S


def test_a_change_that_aws_never_takes_ends_with_a_reason(run: Run, clock: ManualClock) -> None:
    control = Scripted({"describe_table": table(), "update_table": refused("ResourceInUseException")})
    changes = (Change("deletion_protection", "before_proof", "update_table", {"DeletionProtectionEnabled": True}),)
    with pytest.raises(RecoveryFailed, match="deletion_protection"):
        reapply.apply(control, "t", changes, stage="before_proof", run=run, clock=clock, progress=PROGRESS)


def test_a_refusal_for_another_reason_is_raised_as_it_is(run: Run, clock: ManualClock) -> None:
    control = Scripted({"describe_table": table(), "update_table": refused("ValidationException", "no")})
    changes = (Change("table_class", "before_proof", "update_table", {"TableClass": "X"}),)
    with pytest.raises(OpsError, match="ValidationException"):
        reapply.apply(control, "t", changes, stage="before_proof", run=run, clock=clock, progress=PROGRESS)


def test_a_second_class_change_too_soon_waits_for_its_date(run: Run, clock: ManualClock) -> None:
    control = Scripted({"describe_table": table(), "update_table": refused("LimitExceededException")})
    changes = (Change("table_class", "before_proof", "update_table", {"TableClass": "STANDARD"}),)
    outcome = reapply.apply(control, "t", changes, stage="before_proof", run=run, clock=clock, progress=PROGRESS)
    assert outcome.pending == (("table_class", "2026-12-20T10:00:00Z"),)
    assert outcome.applied == ()


@pytest.mark.parametrize("setting", ["table_class", "deletion_protection"])
def test_too_many_operations_at_once_are_no_reason_to_leave_a_setting_undone(
    run: Run, clock: ManualClock, setting: str
) -> None:
    crowd = refused("LimitExceededException", "Subscriber limit exceeded: Only 10 tables can be updated simultaneously")
    control = Scripted({"describe_table": table(), "update_table": [crowd, crowd, {}]})
    changes = (Change(setting, "before_proof", "update_table", {"Any": "value"}),)
    outcome = reapply.apply(control, "t", changes, stage="before_proof", run=run, clock=clock, progress=PROGRESS)
    assert (outcome.applied, outcome.pending) == ((setting,), ())


def test_the_table_is_waited_for_around_each_update(run: Run, clock: ManualClock) -> None:
    control = Scripted({"describe_table": [table(), table(), table("UPDATING"), table()], "update_table": {}})
    changes = (
        Change("deletion_protection", "before_proof", "update_table", {"DeletionProtectionEnabled": True}),
        Change("table_class", "before_proof", "update_table", {"TableClass": "STANDARD"}),
    )
    reapply.apply(control, "t", changes, stage="before_proof", run=run, clock=clock, progress=PROGRESS)
    names = [name for name, _ in control.calls]
    first = names.index("update_table")
    assert names[first + 1 : first + 3] == ["describe_table", "describe_table"]


def test_only_the_asked_for_stage_is_applied(run: Run, clock: ManualClock) -> None:
    control = Scripted({"describe_table": table(), "update_table": {}, "update_time_to_live": {}})
    wanted = TableSettings(billing_mode="PROVISIONED", deletion_protection=True, ttl_attribute="x")
    changes = reapply.plan(TableSettings(billing_mode="PROVISIONED"), wanted)
    before = reapply.apply(control, "t", changes, stage="before_proof", run=run, clock=clock, progress=PROGRESS)
    assert (before.applied, control.asked("update_time_to_live")) == (("deletion_protection",), [])
    after = reapply.apply(control, "t", changes, stage="after_proof", run=run, clock=clock, progress=PROGRESS)
    assert after.applied == ("ttl",)


def reading(**answers: Any) -> Scripted:
    return Scripted(
        {
            "describe_table": table(),
            "describe_continuous_backups": window(START, START),
            "describe_time_to_live": {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}},
            "list_tags_of_resource": {"Tags": []},
            "describe_scalable_targets": {},
            "describe_scaling_policies": {},
            "get_resource_policy": refused("PolicyNotFoundException"),
            "describe_kinesis_streaming_destination": {},
            "describe_contributor_insights": {},
            "describe_alarms": {},
            **answers,
        }
    )


def test_a_denied_facet_outside_the_contract_is_unknown_not_absent() -> None:
    found = read_settings(reading(describe_alarms=NotAllowed("no"), get_resource_policy={"Policy": "{}"}), "t")
    assert found.unknown == {"alarms": "not readable: not allowed"}
    assert str(found.resource_policy).startswith("sha256")


def test_a_denied_facet_of_the_contract_is_an_error() -> None:
    with pytest.raises(NotAllowed):
        read_settings(reading(describe_time_to_live=NotAllowed("no")), "t")


def test_what_a_200_did_not_change_is_found_by_the_read_back() -> None:
    wanted = TableSettings(
        billing_mode="PROVISIONED", deletion_protection=True, pitr_days=35, unknown={"capacity": "x"}
    )
    claimed = SettingsOutcome(applied=("deletion_protection",))
    outcome = reapply.read_back(reading(), "t", wanted, claimed)
    assert [(one.setting, one.wanted, one.found) for one in outcome.differing] == [("deletion_protection", "on", "off")]
    assert not outcome.restored
    assert {"pitr", "pitr.days"} <= set(outcome.already)


def test_skipped_settings_are_neither_checked_nor_different() -> None:
    wanted = wanted_settings(document(billing_mode="PROVISIONED", deletion_protection=True, stream_view="KEYS_ONLY"))
    everything = reapply.read_back(reading(), "t", wanted, SettingsOutcome())
    rest = reapply.read_back(reading(), "t", wanted, SettingsOutcome(), skip=("deletion_protection", "stream", "index"))
    names = {one.setting for one in everything.differing}
    assert {one.setting for one in rest.differing} == names - {"deletion_protection", "stream", "index.genre_index"}
    assert everything.checked == rest.checked + 3


def test_inherited_scaling_is_a_difference_and_extra_tags_are_not() -> None:
    place = {
        "ServiceNamespace": "dynamodb",
        "ResourceId": "table/t",
        "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
    }
    tracking = {"TargetValue": 70.0, "ScaleInCooldown": 60, "ScaleOutCooldown": 60}
    control = reading(
        describe_scalable_targets={"ScalableTargets": [{**place, "MinCapacity": 1, "MaxCapacity": 9}]},
        describe_scaling_policies={
            "ScalingPolicies": [{**place, "TargetTrackingScalingPolicyConfiguration": tracking}]
        },
        list_tags_of_resource={"Tags": [{"Key": "aws:made-by", "Value": "x"}]},
    )
    wanted = TableSettings(billing_mode="PROVISIONED", pitr_days=35, unknown={"capacity": "x"})
    (one,) = differences(wanted, read_settings(control, "t"))
    assert (one.setting, one.wanted) == ("scaling.table.read", "none")


def test_another_tables_scaling_is_not_taken_for_ours() -> None:
    names = ["table/t", "table/t/index/g", "table/t2", "table/other/index/t"]
    control = Scripted({"describe_scalable_targets": {"ScalableTargets": [{"ResourceId": name} for name in names]}})
    found = tables.scaling_of(control, "t", "describe_scalable_targets", "ScalableTargets")
    assert [one["ResourceId"] for one in found] == names[:2]


def test_lineage_tags_are_added_to_the_declared_ones() -> None:
    wanted = with_lineage(wanted_settings(document(tags={"owner": "music"})), source="t", restored_to="T", run="R")
    assert wanted.tags == {"owner": "music", "ops:source": "t", "ops:restored-to": "T", "ops:run": "R"}


@pytest.mark.parametrize(("declared", "kept"), [(10, 3), (47, 3), (48, 2), (49, 1), (50, 0)])
def test_lineage_takes_only_the_room_that_the_declared_tags_leave(declared: int, kept: int) -> None:
    tags = {f"k{number}": "v" for number in range(declared)}
    wanted = TableSettings(billing_mode="PROVISIONED", tags=tags)
    found = with_lineage(wanted, source="t", restored_to="2026-11-20T10:00:00Z", run="r").tags
    assert (len(found), tags.items() <= found.items()) == (declared + kept, True)
    assert ("ops:run" in found) is (kept > 0)
