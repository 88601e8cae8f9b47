"""The ledger: whatever happens to a write, the table's true content is among what the ledger admits."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.drill.ledger import (
    Ledger,
    Planned,
    admitted,
    expected_items,
    key_token,
    read_ledger,
    uncertain,
)
from ops.errors import RunFolderUnusable
from ops.model.items import Item, KeySchema

START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
SCHEMA = KeySchema("id")


@dataclass
class StepClock:
    """Moves only when told."""

    at_s: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return START + timedelta(seconds=self.at_s)

    def monotonic(self) -> float:
        return self.at_s

    def sleep(self, seconds: float) -> None:
        self.at_s += seconds


@dataclass(frozen=True)
class Story:
    """What happens to one write: sent at once, applied `work_s` later or never, answered or not."""

    key: int
    value: int | None
    work_s: float
    back_s: float
    fate: str


STORIES = st.lists(
    st.builds(
        Story,
        key=st.integers(0, 5),
        value=st.none() | st.integers(0, 99),
        work_s=st.floats(0.01, 2),
        back_s=st.floats(0.01, 2),
        fate=st.sampled_from(["ok", "ok", "ok", "refused", "lost request", "lost answer"]),
    ),
    max_size=25,
)


def _item(key: int, value: int) -> Item:
    return {"id": {"S": f"k{key}"}, "value": {"N": str(value)}}


def _key(key: int) -> Item:
    return {"id": {"S": f"k{key}"}}


@dataclass
class World:
    """The server's truth: when each change took effect."""

    changes: list[tuple[float, int, int | None]] = field(default_factory=list)

    def at(self, until_s: float, baseline: dict[int, int]) -> dict[str, Item]:
        held: dict[int, int | None] = dict(baseline)
        for when_s, key, value in sorted(self.changes, key=lambda one: one[0]):
            if when_s <= until_s:
                held[key] = value
        return {key_token(_key(key)): _item(key, value) for key, value in held.items() if value is not None}


def _play(stories: list[Story], ledger: Ledger, clock: StepClock, world: World) -> None:
    retired: set[int] = set()
    for story in stories:
        clock.at_s += 0.5
        if story.key in retired:
            continue
        item = None if story.value is None else _item(story.key, story.value)
        numbers = ledger.intend([Planned("delete" if item is None else "update", _key(story.key), item)])
        if story.fate in ("ok", "lost answer"):
            world.changes.append((clock.at_s + story.work_s, story.key, story.value))
        clock.at_s += story.work_s + story.back_s
        if story.fate in ("ok", "refused"):
            ledger.answered(numbers, "ok" if story.fate == "ok" else "fail")
        else:
            retired.add(story.key)


@settings(max_examples=150, deadline=None)
@given(STORIES, st.dictionaries(st.integers(0, 5), st.integers(100, 199)), st.floats(0, 60))
def test_the_truth_of_any_moment_is_admitted(stories: list[Story], baseline: dict[int, int], until_s: float) -> None:
    world, clock = World(), StepClock()
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "ledger.jsonl", clock) as ledger:
        _play(stories, ledger, clock, world)
        writes = ledger.writes
        assert read_ledger(ledger.path) == writes
    base = {key_token(_key(key)): _item(key, value) for key, value in baseline.items()}
    until = START + timedelta(seconds=until_s)
    values = admitted(writes, base, until)
    truth = world.at(until_s, baseline)
    for token, accepted in values.items():
        assert truth.get(token) in accepted
    found = {token: truth.get(token) for token in uncertain(values)}
    expected = {key_token(_key_of(one)): one for one in expected_items(base.values(), SCHEMA, values, found)}
    assert expected == truth


def _key_of(item: Item) -> Item:
    return {"id": item["id"]}


@settings(max_examples=60, deadline=None)
@given(STORIES.filter(bool), st.integers(0, 30))
def test_a_cut_ledger_still_reads_and_never_claims_more(stories: list[Story], cut: int) -> None:
    clock = StepClock()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.jsonl"
        with Ledger(path, clock) as ledger:
            _play(stories, ledger, clock, World())
            writes = ledger.writes
        raw = path.read_bytes()
        path.write_bytes(raw[: max(0, len(raw) - cut)])
        left = read_ledger(path)
    assert len(left) <= len(writes)
    for whole, kept in zip(writes, left, strict=False):
        assert kept in (whole, replace(whole, outcome="unknown", acked=None))


def test_the_intent_is_on_disk_before_the_write_may_be_sent(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.jsonl", StepClock()) as ledger:
        ledger.intend([Planned("update", _key(1), _item(1, 1))])
        (line,) = ledger.path.read_text().splitlines()
        assert json.loads(line)["kind"] == "intent"


def test_a_key_is_not_written_again_before_its_answer(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.jsonl", StepClock()) as ledger:
        ledger.intend([Planned("update", _key(1), _item(1, 1))])
        with pytest.raises(ValueError, match="before the answer"):
            ledger.intend([Planned("delete", _key(1), None)])
        with pytest.raises(ValueError, match="before the answer"):
            ledger.intend([Planned("update", _key(2), _item(2, 1)), Planned("delete", _key(2), None)])


def test_writes_of_the_planted_fault_are_never_expected(tmp_path: Path) -> None:
    clock = StepClock()
    with Ledger(tmp_path / "ledger.jsonl", clock) as ledger:
        ledger.answered(ledger.intend([Planned("delete", _key(1), None, fault=True)]), "ok")
        values = admitted(ledger.writes, {key_token(_key(1)): _item(1, 7)}, clock.now() + timedelta(days=1))
    assert values == {}


def test_a_ledger_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").write_text("kept\n")
    with pytest.raises(RunFolderUnusable), Ledger(tmp_path / "ledger.jsonl", StepClock()):
        pass
    assert (tmp_path / "ledger.jsonl").read_text() == "kept\n"
