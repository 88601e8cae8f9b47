"""The journal against the plainest possible history: a list of everything."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ops.sandbox.aws.items import StoredItem
from ops.sandbox.aws.journal import Journal


def _item(key: str, value: int) -> StoredItem:
    return StoredItem(["pk"], {"pk": {"S": key}, "v": {"N": str(value)}}, 10)


STEPS = st.lists(
    st.tuples(st.floats(0, 5), st.sampled_from("abcd"), st.one_of(st.none(), st.integers(0, 99))), max_size=80
)


def _written(steps: list[Any], journal: Journal) -> list[tuple[float, Any, StoredItem | None]]:
    now, changes = 100.0, []
    for pause, key, value in steps:
        now += pause
        item = None if value is None else _item(key, value)
        journal.append(now, (("S", key),), item)
        changes.append((now, (("S", key),), item))
    return changes


def _replay(changes: list[tuple[float, Any, StoredItem | None]], until: float, *, inclusive: bool) -> dict[Any, Any]:
    state: dict[Any, Any] = {}
    for when, key, item in changes:
        if when < until or (inclusive and when == until):
            state[key] = item
    return {key: item for key, item in state.items() if item is not None}


@given(STEPS, st.floats(90, 500), st.floats(0, 1), st.booleans())
def test_the_journal_is_trimmed_to_the_window_and_every_second_inside_it_stays_exact(
    steps: list[Any], until: float, cut: float, inclusive: bool
) -> None:
    journal = Journal(snapshot_every=7)
    changes = _written(steps, journal)
    earliest = 100.0 + cut * 200
    journal.trim(earliest)
    assert len(journal) == sum(when >= earliest for when, _, _ in changes)
    until = max(until, earliest)
    assert journal.state_at(until, inclusive=inclusive) == _replay(changes, until, inclusive=inclusive)
    touched = {key: when for when, key, _ in changes if earliest <= when < until}
    assert journal.touched_between(earliest, until) == touched


def test_a_restore_replays_no_more_than_the_table_is_large_however_long_its_history() -> None:
    journal = Journal(snapshot_every=100)
    for number in range(20_000):
        journal.append(float(number), (("S", str(number % 250)),), _item(str(number % 250), number))
    worst = max(journal.replayed(float(second)) for second in range(0, 20_000, 37))
    assert worst <= 500
    assert len(journal.state_at(19_999.0)) == 250


def test_a_history_starts_with_the_items_of_its_enabling() -> None:
    journal = Journal()
    journal.append(1.0, (("S", "old"),), _item("old", 1))
    journal.restart([_item("kept", 2)])
    journal.append(5.0, (("S", "new"),), _item("new", 3))
    assert set(journal.state_at(0.0)) == {(("S", "kept"),)}
    assert set(journal.state_at(5.0)) == {(("S", "kept"),), (("S", "new"),)}


def test_a_clock_that_steps_back_does_not_reorder_the_history() -> None:
    journal = Journal()
    journal.append(10.0, (("S", "a"),), _item("a", 1))
    journal.append(9.0, (("S", "a"),), _item("a", 2))
    assert journal.state_at(10.0) == {(("S", "a"),): journal.state_at(11.0)[("S", "a"),]}
    assert journal.state_at(9.5) == {}
