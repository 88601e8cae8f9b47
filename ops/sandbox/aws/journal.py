"""The changes of one table inside its recovery window, and the states they lead to.

docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html: any second between the
earliest and the latest restorable time can be restored, nothing before. What lies before the window is folded into one
base state; snapshots on the way bound what a restore replays by the size of the table, not by its history.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from operator import itemgetter

from ops.sandbox.aws.items import Key, StoredItem

Change = tuple[float, Key, StoredItem | None]
State = dict[Key, StoredItem]

SNAPSHOT_EVERY = 5_000
_WHEN = itemgetter(0)
_PLACE = itemgetter(0)


class Journal:
    """References to immutable items, in the order of their writing."""

    def __init__(self, snapshot_every: int = SNAPSHOT_EVERY) -> None:
        self._every = snapshot_every
        self._base: State = {}
        self._changes: list[Change] = []
        # (number of changes it holds, state): after the base, ascending
        self._snapshots: list[tuple[int, State]] = []
        self._next_snapshot = snapshot_every

    def __len__(self) -> int:
        return len(self._changes)

    def restart(self, items: Iterable[StoredItem]) -> None:
        """A new history that begins with these items."""
        self.clear()
        self._base = {item.key: item for item in items}
        self._plan_snapshot(len(self._base))

    def clear(self) -> None:
        """Forget everything."""
        self._base, self._changes, self._snapshots = {}, [], []
        self._next_snapshot = self._every

    def append(self, when_s: float, key: Key, item: StoredItem | None) -> None:
        """One change; a clock that stands still or steps back does not reorder history."""
        changes = self._changes
        if changes and changes[-1][0] > when_s:
            when_s = changes[-1][0]
        changes.append((when_s, key, item))
        if len(changes) >= self._next_snapshot:
            self._snapshot()

    def _snapshot(self) -> None:
        place = len(self._changes)
        state = self._at(place)
        self._snapshots.append((place, state))
        self._plan_snapshot(len(state))

    def _plan_snapshot(self, items: int) -> None:
        # as far apart as the state is large: time and memory stay proportional to what is written
        self._next_snapshot = len(self._changes) + max(self._every, items)

    def state_at(self, until_s: float, *, inclusive: bool = True) -> State:
        """The items as of `until_s`; changes of exactly that instant count when `inclusive`."""
        find = bisect_right if inclusive else bisect_left
        return self._at(find(self._changes, until_s, key=_WHEN))

    def _at(self, place: int) -> State:
        first, start = self._start(place)
        state = dict(start)
        for _, key, item in self._changes[first:place]:
            if item is None:
                state.pop(key, None)
            else:
                state[key] = item
        return state

    def _start(self, place: int) -> tuple[int, State]:
        """The last snapshot that holds no more than `place` changes, or the base."""
        at = bisect_right(self._snapshots, place, key=_PLACE)
        return self._snapshots[at - 1] if at else (0, self._base)

    def replayed(self, until_s: float) -> int:
        """How many changes a restore to this instant replays."""
        place = bisect_right(self._changes, until_s, key=_WHEN)
        return place - self._start(place)[0]

    def touched_between(self, from_s: float, to_s: float) -> dict[Key, float]:
        """Keys changed in [from, to), each with the time of its last change."""
        first = bisect_left(self._changes, from_s, key=_WHEN)
        last = bisect_left(self._changes, to_s, key=_WHEN)
        return {key: when_s for when_s, key, _ in self._changes[first:last]}

    def trim(self, earliest_s: float) -> None:
        """Fold what happened before the window into the base."""
        place = bisect_left(self._changes, earliest_s, key=_WHEN)
        if place == 0:
            return
        self._base = self._at(place)
        del self._changes[:place]
        self._snapshots = [(held - place, state) for held, state in self._snapshots if held > place]
        self._next_snapshot = max(self._next_snapshot - place, len(self._changes) + 1)
