"""Removing what has left the lists. Only after complete answers, never by accident."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from loader.checkpoint import ArtistRecord
from loader.errors import BadLoadRequest, CountsDoNotAddUp, PruneRefused
from loader.items import Item, key_of
from loader.merge import without_entries
from loader.runtime import Runtime

if TYPE_CHECKING:
    from loader.load import SinkReport


class Pruner(Protocol):
    """Deletes items; handed in only when pruning was asked for."""

    def delete(self, keys: Sequence[tuple[str, str]]) -> SinkReport:
        """Return when each deletion is acknowledged or given up; `written` counts the deletions."""


@dataclass(frozen=True, slots=True)
class PruneSteps:
    """Items that lose a market, and keys that have none left."""

    shrink: tuple[Item, ...]
    remove: tuple[tuple[str, str], ...]


def plan_pruning(
    records: Iterable[ArtistRecord], existing: Callable[[str], Sequence[Item]], share: float
) -> PruneSteps:
    """The steps; refused when more than `share` of the artists would lose their last item."""
    shrink: list[Item] = []
    remove: list[tuple[str, str]] = []
    emptied = artists = 0
    for record in records:
        artists += 1
        if not any(record.prunable.values()):
            continue
        held = existing(record.artist_id)
        kept = 0
        for item in held:
            stale = [market for market, ids in record.prunable.items() if key_of(item)[1] in ids]
            left = without_entries(None, item, stale) if stale else item
            kept += left is not None
            if left is None:
                remove.append(key_of(item))
            elif stale:
                shrink.append(left)
        emptied += bool(held) and not kept
    if emptied > share * artists:
        raise PruneRefused(
            f"pruning would leave {emptied} of {artists} artists without any item",
            why=f"more than the allowed {share:.0%}; a failing source looks like empty answers",
        )
    return PruneSteps(tuple(shrink), tuple(remove))


def prune(
    steps: PruneSteps,
    write: Callable[[Sequence[Item]], SinkReport],
    pruner: Pruner | None,
    runtime: Runtime,
) -> int:
    """Apply the steps; how many items were changed or removed."""
    if steps.remove and pruner is None:
        raise BadLoadRequest("pruning needs a table that allows deletions")
    runtime.check()
    changed = 0
    if steps.shrink:
        changed += _counted(write(steps.shrink), len(steps.shrink))
    runtime.check()
    if steps.remove and pruner is not None:
        changed += _counted(pruner.delete(steps.remove), len(steps.remove))
    return changed


def _counted(outcome: SinkReport, given: int) -> int:
    if outcome.written + len(outcome.rejected) != given:
        raise CountsDoNotAddUp(f"{given} items given to the table, {outcome.written} acknowledged")
    return outcome.written
