"""A complete drill report, as data, for the renderers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ops.model.drill import (
    AwsCall,
    Condition,
    CountSample,
    DrillReport,
    LostWrite,
    Mark,
    Objective,
    Planted,
)
from ops.model.proof import (
    AttributeChange,
    Comparison,
    ControlOutcome,
    Difference,
    SettingsOutcome,
    SideCount,
    SideInfo,
)
from ops.model.recovery import PhaseTime

START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
NAME = "drill-ab12cd34-20261120T1600Z-top_tracks"
KEY = {"artist_id": {"S": "43ZHCT0cAZBISjO8DG9PnE"}, "id": {"S": "t1"}}
PLANTED = (
    Difference("missing", "1" * 64, KEY),
    Difference("changed", "2" * 64, {**KEY, "id": {"S": "t2"}}, (AttributeChange("popularity", "71", '"71"', "type"),)),
)
OFFSETS = (0.0, 9.2, 96.4, 398.1, 458.6, 466.0, 471.3, 471.5, 472.1)
MEANINGS = (
    "fault", "detected", "decided", "recovery call accepted", "restored table usable",
    "settings re-applied and read back", "items proven", "traffic switched", "canary healthy",
)  # fmt: skip


def _comparison(kind: str, where: str, differences: tuple[Difference, ...] = ()) -> Comparison:
    expected = SideCount(
        SideInfo("ledger", "baseline and 60 acknowledged writes", "2026-11-20T10:09:58Z"), 2010, "ab" * 32, 2010
    )
    found = SideCount(SideInfo("table", where), 2009 if differences else 2010, "ab" * 32, 2009 if differences else 2010)
    kinds = [one.kind for one in differences]
    return Comparison(
        expected, found, kinds.count("missing"), kinds.count("extra"), kinds.count("changed"), differences=differences
    )


@pytest.fixture
def report() -> DrillReport:
    return DrillReport(
        run="01JD7Q0000000000000AB12CD34"[:26],
        scenario="mass-delete",
        title="60 % of the items are deleted within 90 seconds",
        verdict="pass",
        reasons=(),
        backend="sandbox",
        seed=7,
        environment="dynamo-ops/sandbox",
        region="us-east-1",
        source_table="top_tracks",
        subject_table=NAME,
        restored_table=f"{NAME}-restored",
        source_point="PITR of the subject at 2026-11-20T10:09:58Z",
        started=START,
        seconds=1290.4,
        level="service",
        marks=tuple(
            Mark(f"T{i}", MEANINGS[i], START + timedelta(seconds=600 + at), at, "clock of the environment")
            for i, at in enumerate(OFFSETS)
        ),
        phases=(PhaseTime("restore", START, 60.5),),
        objectives=(Objective("RTO", 900, 472.1), Objective("RPO", 300, 0), Objective("lost items", 0, 0)),
        rto_service_s=472.1,
        rto_tool_s=374.9,
        detect_s=9.2,
        rpo_bound_s=2.0,
        rpo_items=0,
        rpo_time_s=0.0,
        proof=_comparison("table", f"{NAME}-restored"),
        index_proof=(_comparison("table", "genre_index"),),
        control=ControlOutcome(PLANTED, PLANTED),
        control_proof=_comparison("table", f"{NAME}-restored", PLANTED),
        setting_control=(),
        settings_before={"pitr": "on", "tags.owner": "data", "ttl": "expires_at"},
        settings_restored={"pitr": "off", "tags.owner": "", "ttl": "off"},
        settings_after={"pitr": "on", "tags.owner": "data", "ttl": "expires_at"},
        settings=SettingsOutcome(applied=("pitr", "tags.owner", "ttl"), checked=14),
        counts=tuple(
            CountSample(at, 2010, present, note)
            for at, present, note in (
                (-12, 2010, "before the fault"),
                (0, 2010, "fault begins"),
                (45, 1402, "during the fault"),
                (92, 804, "after the fault"),
                (460, 2010, "restored table"),
                (471, 2010, "proven"),
            )
        ),
        conditions=(
            Condition("the verifier finds what was planted", True, "7 planted, 7 answered rightly"),
            Condition("everything was compared", True, "2,010 expected, 2,010 found"),
        ),
        calls=(
            AwsCall("dynamodb:RestoreTableToPointInTime", NAME, "3f2504e0-4f89-11d3-9a0c-0305e82c3301"),
            AwsCall("dynamodb:BatchWriteItem", NAME, "51 answered"),
        ),
        decisions=("60.0 % of the items are damaged: PITR to a new table", "selective repair refused: above 20 %"),
        resources_before=("table:top_tracks", "scaling-target:table/top_tracks:dynamodb:table:ReadCapacityUnits"),
        resources_after=("table:top_tracks", "scaling-target:table/top_tracks:dynamodb:table:ReadCapacityUnits"),
        residue=(f"SYSTEM backup of {NAME}: AWS deletes it after 35 days",),
        not_proven=("people and approvals",),
        versions={"ops": "0.1.0", "python": "3.11.9"},
        warnings=(("OPS-W003", "sandbox figures are not AWS figures"),),
        clock_advances=(("waiting for the restorable window", 301.0),),
        replay="ops drill run mass-delete top_tracks --seed 7",
        load={"insert": 20, "update": 30, "delete": 10},
        planted=(
            Planted("C01", "item removed", "43ZHCT0cAZBISjO8DG9PnE/t1", True, "missing"),
            Planted("C15", "PITR days 35 to 34", "pitr.days", True, "wanted 35, found 34"),
        ),
        account="123456789012",
        operator="arn:aws:iam::123456789012:user/operator",
        people_s=0.0,
        restore_s=60.5,
        control_s=3.2,
        damage={"keys deleted": 1206, "waves": 20},
        sandbox_cannot=("durations", "throttling"),
    )


@pytest.fixture
def lost() -> tuple[LostWrite, ...]:
    return (LostWrite("a/b", "update", START),)
