"""What a drill did, measured and proved."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from ops.model.proof import Comparison, ControlOutcome, SettingDifference, SettingsOutcome
from ops.model.recovery import PhaseTime

Verdict = Literal["pass", "late", "fail", "unrecoverable", "void", "refused", "aborted"]

#: Exit code of each verdict of a finished drill.
VERDICT_EXIT: dict[str, int] = {
    "pass": 0,
    "late": 5,
    "fail": 4,
    "unrecoverable": 6,
    "void": 1,
    "refused": 7,
    "aborted": 9,
}


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment of the drill (`T0` fault .. `T8` canary healthy) and where it was taken from."""

    name: str
    meaning: str
    at: datetime
    offset_s: float
    source: str


@dataclass(frozen=True, slots=True)
class CountSample:
    """Items seen at a moment: for the plot of counts over time."""

    offset_s: float
    expected: int
    present: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Objective:
    """A target beside its measured value; seconds, or a count for `max_lost_items`."""

    name: str
    target: float
    measured: float

    @property
    def met(self) -> bool:
        """Whether the measured value is within the target."""
        return self.measured <= self.target


@dataclass(frozen=True, slots=True)
class Condition:
    """One of the conditions that a pass needs, and whether it held."""

    name: str
    held: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AwsCall:
    """A mutating call the drill made: operation, target, request id or outcome."""

    operation: str
    target: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Planted:
    """A control that was planted (`C01` .. `C24`), what it did, and what the verifier said to it."""

    code: str
    what: str
    subject: str
    caught: bool
    reported: str = ""


@dataclass(frozen=True, slots=True)
class LostWrite:
    """An acknowledged good write that the recovery did not bring back."""

    key: str
    operation: str
    acked: datetime


@dataclass(frozen=True, slots=True)
class DrillReport:
    """Everything the JSON and HTML reports show; computed from what was measured, nothing else."""

    run: str
    scenario: str
    title: str
    verdict: Verdict
    reasons: tuple[str, ...]
    backend: str
    seed: int
    environment: str
    region: str
    source_table: str
    subject_table: str
    restored_table: str
    source_point: str
    started: datetime
    seconds: float
    level: str
    marks: tuple[Mark, ...]
    phases: tuple[PhaseTime, ...]
    objectives: tuple[Objective, ...]
    rto_service_s: float
    rto_tool_s: float
    detect_s: float
    rpo_bound_s: float
    rpo_items: int
    rpo_time_s: float
    proof: Comparison
    index_proof: tuple[Comparison, ...]
    control: ControlOutcome
    control_proof: Comparison
    setting_control: tuple[SettingDifference, ...]
    settings_before: dict[str, str]
    settings_restored: dict[str, str]
    settings_after: dict[str, str]
    settings: SettingsOutcome
    counts: tuple[CountSample, ...]
    conditions: tuple[Condition, ...]
    calls: tuple[AwsCall, ...]
    decisions: tuple[str, ...]
    resources_before: tuple[str, ...]
    resources_after: tuple[str, ...]
    residue: tuple[str, ...]
    not_proven: tuple[str, ...]
    versions: dict[str, str]
    warnings: tuple[tuple[str, str], ...] = ()
    clock_advances: tuple[tuple[str, float], ...] = ()
    replay: str = ""
    load: dict[str, int] = field(default_factory=dict)
    planted: tuple[Planted, ...] = ()
    lost: tuple[LostWrite, ...] = ()
    account: str = ""
    operator: str = ""
    demanded: str = "service"
    people_s: float = 0.0
    restore_s: float = 0.0
    control_s: float = 0.0
    damage: dict[str, int] = field(default_factory=dict)
    ambiguous: int = 0
    sandbox_cannot: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    baseline: Comparison | None = None
