"""What exists before and after a drill: the proof that nothing was left behind and nothing was taken away."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ops.aws import ControlPlane
from ops.recovery import tables
from ops.recovery.backups import list_backups

_SCALING = "application-autoscaling"


def list_resources(control: ControlPlane, parameters: str) -> tuple[str, ...]:
    """Tables, scaling targets and policies, alarms, USER backups, and the parameters below `parameters`, sorted.

    SYSTEM backups are left out: AWS makes and deletes them, nobody else can.
    """
    found = [f"table:{name}" for name in tables.list_tables(control)]
    for one in control.pages(
        _SCALING, "describe_scalable_targets", "ScalableTargets", ServiceNamespace=tables.SCALING_NAMESPACE
    ):
        found.append(f"scaling-target:{one['ResourceId']}:{one['ScalableDimension']}")
    for one in control.pages(
        _SCALING, "describe_scaling_policies", "ScalingPolicies", ServiceNamespace=tables.SCALING_NAMESPACE
    ):
        found.append(f"scaling-policy:{one['ResourceId']}:{one['PolicyName']}")
    found += [f"alarm:{one['AlarmName']}" for one in control.pages("cloudwatch", "describe_alarms", "MetricAlarms")]
    found += [f"backup:{one.arn}" for one in list_backups(control) if one.kind == "USER"]
    for one in control.pages(
        "ssm", "get_parameters_by_path", "Parameters", Path=parameters.rstrip("/"), Recursive=True
    ):
        found.append(f"parameter:{one['Name']}")
    return tuple(sorted(found))


def system_backups(control: ControlPlane, run8: str) -> tuple[str, ...]:
    """Backups that AWS keeps of this drill's deleted tables, for 35 days."""
    mine = [one for one in list_backups(control) if one.kind == "SYSTEM" and one.table.startswith(f"drill-{run8}-")]
    return tuple(sorted(f"SYSTEM backup of {one.table}, made by AWS at its deletion, kept 35 days" for one in mine))


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is gone, what this drill left, and what others made meanwhile."""

    gone: tuple[str, ...]
    left: tuple[str, ...]
    foreign: tuple[str, ...]


def compare_resources(before: Iterable[str], after: Iterable[str], run8: str) -> Comparison:
    """Everything new that holds this drill's run id is its own; the rest belongs to somebody else."""
    earlier, later = set(before), set(after)
    fresh = sorted(later - earlier)
    mine = [one for one in fresh if run8 in one]
    return Comparison(
        gone=tuple(sorted(earlier - later)),
        left=tuple(mine),
        foreign=tuple(one for one in fresh if one not in mine),
    )
