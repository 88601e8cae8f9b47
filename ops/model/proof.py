"""What a comparison of two sets of items found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ops.model.items import Item

DifferenceKind = Literal["missing", "extra", "changed", "duplicate", "shape"]


@dataclass(frozen=True, slots=True)
class SideInfo:
    """One side of a comparison, and what it cannot show."""

    kind: Literal["table", "export", "seal", "ledger", "lines", "altered"]
    where: str
    moment: str | None = None
    weakness: str = ""


@dataclass(frozen=True, slots=True)
class SideCount:
    """What was read on one side: items, and the order-free digest over them (64 hex digits)."""

    info: SideInfo
    items: int
    digest: str
    declared: int | None = None


@dataclass(frozen=True, slots=True)
class AttributeChange:
    """A differing attribute at `path`; values are texts in DynamoDB JSON, None when absent."""

    path: str
    expected: str | None
    found: str | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """One differing key. `key` is None only when a side knows the key by its digest alone."""

    kind: DifferenceKind
    key_digest: str
    key: Item | None
    changes: tuple[AttributeChange, ...] = ()


@dataclass(frozen=True, slots=True)
class ControlOutcome:
    """Differences planted on purpose, and those of them that the verifier reported."""

    planted: tuple[Difference, ...]
    found: tuple[Difference, ...]

    @property
    def caught(self) -> bool:
        """Whether each planted difference, at least one, was reported with its kind and key."""
        reported = {(one.kind, one.key_digest) for one in self.found}
        return bool(self.planted) and all((one.kind, one.key_digest) in reported for one in self.planted)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Exact comparison of two sets of items at level `items`.

    Counts are complete; `differences` may be cut (`listed_all` False) but never empty when a count is not 0.
    `ignored` counts items left out by a rule (`ttl`, `boundary`), apart from the differences.
    """

    expected: SideCount
    found: SideCount
    missing: int
    extra: int
    changed: int
    duplicates: int = 0
    shape: int = 0
    ignored: dict[str, int] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()
    listed_all: bool = True

    @property
    def differing(self) -> int:
        """Number of differing keys."""
        return self.missing + self.extra + self.changed + self.duplicates + self.shape

    @property
    def void(self) -> bool:
        """Nothing was compared, or a side was not read whole: proves nothing, whatever the differences."""
        return self.expected.items == 0 or self.all_ignored or not _whole(self.expected) or not _whole(self.found)

    @property
    def all_ignored(self) -> bool:
        """Every item, on both sides, was left out by a rule: none has met its counterpart."""
        return 0 < self.expected.items + self.found.items <= sum(self.ignored.values())

    @property
    def equal(self) -> bool:
        """Proven equal: something was compared, both sides whole, no difference."""
        return self.differing == 0 and not self.void


def _whole(side: SideCount) -> bool:
    return side.declared is None or side.declared == side.items


@dataclass(frozen=True, slots=True)
class SettingDifference:
    """A setting that is not what the contract wants; values as short texts."""

    setting: str
    wanted: str
    found: str


@dataclass(frozen=True, slots=True)
class SettingsOutcome:
    """What re-applying the contract did, and what a read-back found afterwards."""

    applied: tuple[str, ...] = ()
    already: tuple[str, ...] = ()
    pending: tuple[tuple[str, str], ...] = ()
    differing: tuple[SettingDifference, ...] = ()
    checked: int = 0

    @property
    def restored(self) -> bool:
        """Every setting was read back as wanted, or waits for a date that AWS imposes."""
        waiting = {name for name, _ in self.pending}
        return self.checked > 0 and all(one.setting in waiting for one in self.differing)
