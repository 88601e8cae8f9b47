"""The pipeline with scripted answers: counts, order of events, resumption, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from loader.errors import (
    AnswerRefused,
    BadLoadRequest,
    CheckpointMismatch,
    CountsDoNotAddUp,
    LoadLocked,
    PruneRefused,
    SourceForbidden,
    UnknownArtist,
)
from loader.files import lock
from loader.items import Item
from loader.load import LoadRequest, SinkReport, load, plan
from loader.models import Answer, Artist, BadArtist, RejectedRow
from loader.report import LoadReport
from tests.unit.loader.kit import (
    ManualClock,
    MemoryTable,
    ScriptedSource,
    answer,
    artist,
    artist_id,
    track,
    track_id,
)

Script = dict[tuple[str, str], Answer | BaseException]


def script(artists: int, markets: Sequence[str] = ("SE", "US")) -> Script:
    return {
        (artist_id(number), market): answer(track(number * 10, artist=number), track(number * 10 + 1, 2, artist=number))
        for number in range(artists)
        for market in markets
    }


def request(folder: Path, artists: Sequence[Artist | BadArtist], markets: Sequence[str] = ("SE", "US")) -> LoadRequest:
    return LoadRequest(artists, markets, "run-1", "table", folder, workers=2)


@pytest.fixture
def run(clock: ManualClock, table: MemoryTable, tmp_path: Path) -> Callable[..., LoadReport]:
    def start(answers: Script, artists: Sequence[Artist | BadArtist], **more: object) -> LoadReport:
        wanted = replace(request(tmp_path / "load", artists), **more)  # type: ignore[arg-type]
        return load(wanted, ScriptedSource(answers), table, clock.runtime(), pruner=table)

    return start


def test_every_artist_is_counted_once_per_market_whatever_became_of_it(run: Callable[..., LoadReport]) -> None:
    answers = script(4)
    answers[artist_id(0), "SE"] = answer()
    answers[artist_id(1), "SE"] = UnknownArtist("HTTP 404 non existing id")
    answers[artist_id(2), "US"] = AnswerRefused("HTTP 451")
    bad = BadArtist("Q42", "not an artist id")
    report = run(answers, [*(artist(number) for number in range(4)), bad])
    assert report.finished
    se, us = report.markets["SE"], report.markets["US"]
    assert (se.artists, se.loaded, se.empty, se.refused, se.quarantined, se.pending) == (5, 2, 1, 0, 2, 0)
    assert (us.artists, us.loaded, us.empty, us.refused, us.quarantined, us.pending) == (5, 3, 0, 1, 1, 0)
    rows = report.rows
    assert rows.read == rows.written + rows.unchanged + rows.duplicates + rows.rejected == 10
    assert report.quarantined == 2


def test_the_dead_letter_file_names_every_artist_and_item_that_was_left_out(
    run: Callable[..., LoadReport], table: MemoryTable
) -> None:
    answers = script(2)
    answers[artist_id(0), "SE"] = UnknownArtist("HTTP 404 non existing id")
    answers[artist_id(1), "US"] = replace(answer(track(11, artist=1)), rejected=(RejectedRow("", "no id"),))
    table.refuse[artist_id(1), track_id(10)] = "ValidationException"
    report = run(answers, [artist(0), artist(1), BadArtist("Q42", "not an artist id")])
    assert report.dead_letter is not None
    entries = [json.loads(line) for line in report.dead_letter.read_text().splitlines()]
    reasons = sorted(entry["reason"] for entry in entries)
    assert reasons == ["HTTP 404 non existing id", "ValidationException", "no id", "not an artist id"]
    assert report.rows.rejected == 2


def test_a_second_load_of_the_same_answers_writes_nothing(
    clock: ManualClock, table: MemoryTable, tmp_path: Path
) -> None:
    artists = [artist(number) for number in range(3)]
    load(request(tmp_path / "1", artists), ScriptedSource(script(3)), table, clock.runtime())
    before = len(table.writes)
    again = load(request(tmp_path / "2", artists), ScriptedSource(script(3)), table, clock.runtime())
    assert len(table.writes) == before
    assert (again.rows.written, again.rows.unchanged) == (0, 6)


def test_a_forbidden_source_ends_the_load_and_keeps_what_was_done(
    clock: ManualClock, table: MemoryTable, tmp_path: Path
) -> None:
    answers = script(3)
    answers[artist_id(2), "SE"] = SourceForbidden("top-tracks is not open to this application")
    wanted = replace(request(tmp_path / "l", [artist(number) for number in range(3)]), workers=1)
    report = load(wanted, ScriptedSource(answers), table, clock.runtime())
    assert isinstance(report.error, SourceForbidden)
    assert not report.finished
    assert report.markets["SE"].pending == 1
    assert report.rows.written == 4


def test_a_resumed_load_asks_only_for_what_is_not_done(clock: ManualClock, table: MemoryTable, tmp_path: Path) -> None:
    answers = script(3)
    answers[artist_id(2), "SE"] = SourceForbidden("closed")
    wanted = replace(request(tmp_path / "l", [artist(number) for number in range(3)]), workers=1)
    load(wanted, ScriptedSource(answers), table, clock.runtime())
    rest = ScriptedSource(script(3))
    report = load(wanted, rest, table, clock.runtime())
    assert {owner for owner, _ in rest.asked} == {artist_id(2)}
    assert report.finished
    assert report.rows.written == 6


def test_a_finished_load_resumes_to_nothing(run: Callable[..., LoadReport], table: MemoryTable) -> None:
    first = run(script(2), [artist(0), artist(1)])
    writes = len(table.writes)
    second = run({}, [artist(0), artist(1)])
    assert len(table.writes) == writes
    assert replace(second, seconds=0, dead_letter=None) == replace(first, seconds=0, dead_letter=None)


def test_a_market_in_which_nobody_has_a_track_is_named(run: Callable[..., LoadReport]) -> None:
    answers = script(2)
    for number in range(2):
        answers[artist_id(number), "US"] = answer()
    assert run(answers, [artist(0), artist(1)]).silent_markets == ("US",)


def test_an_item_that_the_table_lost_is_found_by_reading_back(
    clock: ManualClock, table: MemoryTable, tmp_path: Path
) -> None:
    class Forgetful(MemoryTable):
        def write(self, items: Sequence[Item]) -> SinkReport:
            outcome = super().write(items)
            self.items.pop((artist_id(0), track_id(1)))
            self.items[artist_id(0), track_id(0)]["name"] = {"S": "changed"}
            return outcome

    report = load(request(tmp_path / "l", [artist(0)]), ScriptedSource(script(1)), Forgetful(), clock.runtime())
    assert report.differing == ((artist_id(0), track_id(0)), (artist_id(0), track_id(1)))


def test_a_table_that_acknowledges_too_few_items_is_an_accounting_error(clock: ManualClock, tmp_path: Path) -> None:
    class Short(MemoryTable):
        def write(self, items: Sequence[Item]) -> SinkReport:
            return SinkReport(len(items) - 1)

    with pytest.raises(CountsDoNotAddUp):
        load(request(tmp_path / "l", [artist(0)]), ScriptedSource(script(1)), Short(), clock.runtime())


def test_a_failing_table_leaves_the_artist_pending(clock: ManualClock, tmp_path: Path) -> None:
    class Broken(MemoryTable):
        def write(self, items: Sequence[Item]) -> SinkReport:
            raise ConnectionError("throttled")

    wanted = request(tmp_path / "l", [artist(0)])
    with pytest.raises(ConnectionError):
        load(wanted, ScriptedSource(script(1)), Broken(), clock.runtime())
    healed = MemoryTable()
    assert load(wanted, ScriptedSource(script(1)), healed, clock.runtime()).rows.written == 2


def test_a_stop_ends_the_load_as_interrupted_and_writes_no_more(
    clock: ManualClock, table: MemoryTable, tmp_path: Path
) -> None:
    report = load(request(tmp_path / "l", [artist(0)]), ScriptedSource(script(1)), table, clock.runtime(lambda: True))
    assert report.interrupted
    assert report.error is None
    assert table.writes == []
    assert report.markets["SE"].pending == 1


def test_a_checkpoint_of_another_load_is_refused(run: Callable[..., LoadReport]) -> None:
    run(script(1), [artist(0)])
    with pytest.raises(CheckpointMismatch, match="target"):
        run(script(1), [artist(0)], target="other")


def test_two_processes_cannot_work_on_one_run(run: Callable[..., LoadReport], tmp_path: Path) -> None:
    (tmp_path / "load").mkdir()
    with lock(tmp_path / "load" / "lock", "run-1"), pytest.raises(LoadLocked):
        run(script(1), [artist(0)])


@pytest.mark.parametrize("markets", [(), ("XX",), ("se", "Sweden")])
def test_an_unknown_market_is_refused_before_any_call(run: Callable[..., LoadReport], markets: tuple[str, ...]) -> None:
    with pytest.raises(BadLoadRequest):
        run({}, [artist(0)], markets=markets)


def test_pruning_removes_one_market_and_deletes_what_has_none_left(
    clock: ManualClock, table: MemoryTable, tmp_path: Path
) -> None:
    artists = [artist(number) for number in range(20)]
    load(request(tmp_path / "1", artists), ScriptedSource(script(20)), table, clock.runtime())
    later = script(20)
    later[artist_id(0), "SE"] = answer(track(0, artist=0))
    later[artist_id(1), "SE"] = later[artist_id(1), "US"] = answer(track(10, artist=1))
    wanted = replace(request(tmp_path / "2", artists), prune=True)
    report = load(wanted, ScriptedSource(later), table, clock.runtime(), pruner=table)
    assert (report.prunable, report.pruned) == (3, 2)
    assert set(table.items[artist_id(0), track_id(1)]["by_market"]["M"]) == {"US"}
    assert (artist_id(1), track_id(11)) not in table.items


def test_pruning_is_refused_when_a_failing_source_looks_like_empty_answers(
    clock: ManualClock, table: MemoryTable, tmp_path: Path
) -> None:
    artists = [artist(number) for number in range(5)]
    load(request(tmp_path / "1", artists), ScriptedSource(script(5)), table, clock.runtime())
    before = dict(table.items)
    silent: Script = {key: answer() for key in script(5)}
    wanted = replace(request(tmp_path / "2", artists), prune=True)
    report = load(wanted, ScriptedSource(silent), table, clock.runtime(), pruner=table)
    assert isinstance(report.error, PruneRefused)
    assert table.items == before


def test_the_plan_is_known_before_the_first_call() -> None:
    source = ScriptedSource({})
    wanted = request(Path("/nonexistent"), [artist(0), artist(1), BadArtist("Q", "bad")])
    found = plan(wanted, source, budget=2)
    assert (found.artists, found.quarantined, found.calls, found.days) == (3, 1, 4, 2.0)
    assert source.asked == []
