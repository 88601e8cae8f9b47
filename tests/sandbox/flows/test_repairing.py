"""A repair against the sandbox: conditions, concurrent writers, windows taken back, kill -9."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ops.dynamodb.expressions import parse_where
from ops.errors import BadArgument, ExportCorrupt, NoWayBack, OpsError, PlanStale
from ops.flows import repairing
from ops.flows.patching import write_patch
from ops.flows.reading import ReadOptions, open_table, scan_items
from ops.flows.repair_plan import RepairOptions, RepairPlan, plan_repair
from ops.flows.repairing import RepairResult
from ops.flows.reverting import MIXED, Window
from ops.flows.session import Session
from ops.runs import open_run
from ops.verify.matching import matcher
from ops.verify.patch import Change, patch
from ops.verify.patch_apply import ADDED, NEWER, Applier
from ops.verify.patch_file import PatchHead, PatchWriter, read_changes, read_head
from tests.cli.recovery_stage import Item, Stage, track

Open = Callable[[], Session]
KINDS: Item = {
    "s": {"S": "x"}, "empty": {"S": ""}, "n": {"N": "12345678901234567890.5"}, "b": {"B": "AAH/"},
    "flag": {"BOOL": False}, "null": {"NULL": True}, "l": {"L": [{"S": "x"}, {"M": {}}]},
    "m": {"M": {"deep": {"SS": ["b", "a"]}}}, "ss": {"SS": ["b", "a"]}, "ns": {"NS": ["2", "1"]},
    "bs": {"BS": ["AA==", "AQ=="]},
}  # fmt: skip


def binaries(value: Any, turn: Callable[[Any], Any]) -> Any:
    """boto3 takes and gives binaries as bytes, the wire has base64."""
    if isinstance(value, dict):
        return {
            name: (turn(one) if name == "B" else [turn(each) for each in one] if name == "BS" else binaries(one, turn))
            for name, one in value.items()
        }
    return [binaries(one, turn) for one in value] if isinstance(value, list) else value


def wire(item: Any) -> Item:
    found: Item = binaries(item, lambda raw: base64.b64encode(raw).decode())
    return found


class Bench:
    """A declared table and a folder for patches and runs."""

    def __init__(self, stage: Stage, session: Session, logical: str, folder: Path) -> None:
        self.stage, self.session, self.logical, self.folder = stage, session, logical, folder
        self.target = session.table(logical)

    def patch(self, wanted: list[Item], name: str = "fix.jsonl") -> Path:
        """The patch that makes the table hold exactly `wanted`."""
        keys = self.opened.table.keys
        path = self.folder / name
        with PatchWriter(path, PatchHead(keys, self.opened.table.arn, self.opened.table.table_id)) as writer:
            for change in patch(self.items().values(), wanted, keys):
                writer.add(change)
        return path

    @property
    def opened(self) -> Any:
        return open_table(self.session, self.target)

    def foretell(self, **options: Any) -> RepairPlan:
        return plan_repair(self.session, self.target, RepairOptions(**options))

    def repair(self, between: Callable[[], None] = lambda: None, **options: Any) -> RepairResult:
        """Prepare, let `between` happen, carry out."""
        with open_run(self.folder / "runs", ["repair"], self.session.clock, self.session.random) as run:
            prepared = repairing.prepare(self.session, run, self.target, RepairOptions(**options))
            between()
            return repairing.carry_out(self.session, run, self.target, prepared, lambda: 0)

    def items(self) -> dict[tuple[str, str], Item]:
        return {key: wire(item) for key, item in self.stage.items(self.logical).items()}

    def put(self, *items: Item) -> None:
        """As another writer does, through boto3."""
        self.stage.put(self.logical, [binaries(item, base64.b64decode) for item in items])


@pytest.fixture
def bench(stage: Stage, session: Open, tmp_path: Path) -> Iterator[Bench]:
    logical = stage.declare(items=30, stem="repaired")
    yield Bench(stage, session(), logical, tmp_path)
    stage.forget(logical)


def wanted_of(bench: Bench) -> list[Item]:
    """Two items gone, two new, three changed, one of them in every type."""
    items = list(bench.items().values())
    kept = [item for item in items if item["id"]["S"] not in ("t000001", "t000002")]
    for at, item in enumerate(kept):
        if item["id"]["S"] in ("t000010", "t000011", "t000012"):
            kept[at] = {**item, "popularity": {"N": "77"}, **(KINDS if item["id"]["S"] == "t000012" else {})}
    return [*kept, track(900), {**track(901), **KINDS}]


def test_a_patch_makes_the_table_what_was_wanted_and_its_undo_what_it_was(bench: Bench) -> None:
    before = bench.items()
    wanted = wanted_of(bench)
    path = bench.patch(wanted)
    plan = bench.foretell(patch=path).forecast
    assert plan is not None
    assert (plan.changes, plan.apply, plan.puts, plan.deletes, plan.conflicts) == (7, 7, 5, 2, 0)
    assert plan.write_units >= 7
    assert bench.items() == before

    done = bench.repair(patch=path)
    assert (done.planned, done.applied, done.already, done.conflicts, done.queue) == (7, 7, 0, 0, None)
    assert bench.foretell(patch=bench.patch(wanted, "none.jsonl")).forecast.changes == 0  # type: ignore[union-attr]

    undone = bench.repair(patch=Path(done.undo))
    assert undone.applied == 7
    assert list(patch(bench.items().values(), before.values(), bench.opened.table.keys)) == []


def test_applying_twice_changes_nothing(bench: Bench) -> None:
    path = bench.patch(wanted_of(bench))
    bench.repair(patch=path)
    after = bench.items()
    again = bench.repair(patch=path)
    assert (again.applied, again.already, again.conflicts) == (0, 7, 0)
    assert bench.items() == after
    head = read_head(Path(again.undo))
    assert list(read_changes(Path(again.undo), head)) == []


def test_the_undo_stands_on_the_disk_before_the_first_write(bench: Bench) -> None:
    path = bench.patch(wanted_of(bench))
    before = bench.items()
    seen: list[tuple[int, bool]] = []

    def look() -> None:
        undo = next((bench.folder / "runs").glob("*/undo.jsonl"))
        seen.append((len(list(read_changes(undo, read_head(undo)))), bench.items() == before))

    bench.repair(look, patch=path)
    assert seen == [(7, True)]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_item_of_every_type_is_compared_whole(bench: Bench, kind: str) -> None:
    """Equal values let the write through, whatever the order of a set; another value of any type stops it."""
    item = {**track(5), **KINDS}
    bench.put(item)
    keys = bench.opened.table.keys
    applier = Applier(bench.opened.plane, bench.opened.table)
    key = {name: item[name] for name in keys.names}
    turned = {**item, "ss": {"SS": ["a", "b"]}, "ns": {"NS": ["1", "2"]}, "bs": {"BS": ["AQ==", "AA=="]}}
    other: Any = {kind: {"S": "another"}}
    stale = applier.apply(Change(key, {**turned, **other}, {**item, "popularity": {"N": "1"}}))
    assert (stale.verdict, stale.reason) == ("conflict", NEWER)
    assert bench.items()["a0000", "t000005"]["popularity"] == item["popularity"]
    done = applier.apply(Change(key, turned, {**item, "popularity": {"N": "1"}}))
    assert done.verdict == "applied", done
    gone = applier.apply(Change(key, {**item, "popularity": {"N": "1"}, **other}, None))
    assert (gone.verdict, gone.reason) == ("conflict", NEWER)
    assert applier.apply(Change(key, {**item, "popularity": {"N": "1"}}, None)).verdict == "applied"


def test_a_later_good_write_is_kept_and_queued(bench: Bench) -> None:
    path = bench.patch(wanted_of(bench))
    good = [
        {**track(10), "popularity": {"N": "55"}},  # to be changed
        {**track(1), "name": {"S": "New name"}},  # to be deleted
        {**track(900), "name": {"S": "Came by itself"}},  # to be created
    ]
    done = bench.repair(lambda: bench.put(*good), patch=path)
    assert (done.planned, done.applied, done.conflicts) == (7, 4, 3)
    held = bench.items()
    for item in good:
        assert held[item["artist_id"]["S"], item["id"]["S"]] == item
    assert done.queue is not None
    queue = Path(done.queue)
    queued = list(read_changes(queue, read_head(queue)))
    assert {one.key["id"]["S"] for one in queued} == {"t000010", "t000001", "t000900"}
    # reviewed, the queue is a patch against what was found
    over = bench.repair(patch=queue)
    assert (over.applied, over.conflicts) == (3, 0)


def test_conflicts_seen_before_the_first_write_are_queued_with_the_rest(bench: Bench) -> None:
    path = bench.patch(wanted_of(bench))
    bench.put({**track(10), "popularity": {"N": "55"}})
    forecast = bench.foretell(patch=path).forecast
    assert forecast is not None
    assert (forecast.conflicts, forecast.named) == (1, [("a0001/t000010", NEWER)])
    done = bench.repair(lambda: bench.put({**track(11), "popularity": {"N": "5"}}), patch=path)
    assert (done.applied, done.conflicts) == (5, 2)
    assert [error.exit_code for error in repairing.problems(done)] == [3]
    assert {key for key, _ in done.named} == {"a0001/t000010", "a0001/t000011"}
    kept = bench.repair(patch=path, keep=True)
    assert (kept.conflicts, kept.queue, repairing.problems(kept)) == (2, None, ())


def test_an_attribute_that_another_writer_adds_survives(bench: Bench) -> None:
    """A condition cannot say "and no other attribute": an update leaves it, a removed item is put back."""
    item = track(5)
    added = {**item, "note": {"S": "by another"}}
    bench.put(added)
    applier = Applier(bench.opened.plane, bench.opened.table)
    key = {name: item[name] for name in ("artist_id", "id")}
    changed = applier.apply(Change(key, item, {**item, "popularity": {"N": "1"}}))
    assert (changed.verdict, changed.reason) == ("conflict", ADDED)
    assert bench.items()["a0000", "t000005"] == {**added, "popularity": {"N": "1"}}
    removed = applier.apply(Change(key, {**item, "popularity": {"N": "1"}}, None))
    assert removed.verdict == "conflict"
    assert bench.items()["a0000", "t000005"] == {**added, "popularity": {"N": "1"}}


@contextmanager
def writing(bench: Bench, numbers: range, seed: int) -> Iterator[dict[int, Item]]:
    """Another writer, which puts whole items; every acknowledged one is noted."""
    noted: dict[int, Item] = {}
    stop = threading.Event()

    def work() -> None:
        random = Random(seed)
        while not stop.is_set():
            number = random.choice(numbers)
            item = {**track(number), "popularity": {"N": str(random.randrange(10**6, 10**7))}}
            bench.stage.dynamodb.put_item(TableName=bench.logical, Item=item)
            noted[number] = item

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield noted
    finally:
        stop.set()
        thread.join(10)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_write_of_a_concurrent_writer_is_lost(stage: Stage, session: Open, tmp_path: Path, seed: int) -> None:
    logical = stage.declare(items=300, stem="busy")
    bench = Bench(stage, session(), logical, tmp_path)
    wanted = [{**track(number), "popularity": {"N": "7000"}} for number in range(280)]
    path = bench.patch(wanted)
    with writing(bench, range(0, 300, 3), seed) as noted:
        time.sleep(0.2)
        done = bench.repair(patch=path)
        time.sleep(0.05)
    held = bench.items()
    for number, item in noted.items():
        assert held[item["artist_id"]["S"], item["id"]["S"]] == item, number
    for number in range(280):
        if number not in noted:
            assert held[f"a{number // 10:04d}", f"t{number:06d}"]["popularity"] == {"N": "7000"}
    assert done.planned == done.applied + done.already + done.conflicts
    stage.forget(logical)


def test_a_patch_for_another_table_or_an_older_one_is_refused(bench: Bench) -> None:
    keys = bench.opened.table.keys
    for arn, ident in (("arn:aws:dynamodb:us-east-1:123456789012:table/other", None), (bench.opened.table.arn, "old")):
        path = bench.folder / f"{ident}.jsonl"
        with PatchWriter(path, PatchHead(keys, arn, ident)):
            pass
        with pytest.raises(PlanStale) as raised:
            bench.foretell(patch=path)
        assert raised.value.exit_code == 7


def test_without_a_way_back_nothing_is_written(stage: Stage, session: Open, tmp_path: Path) -> None:
    logical = stage.declare(items=3, pitr=False)
    bench = Bench(stage, session(), logical, tmp_path)
    path = bench.patch([track(1)])
    with pytest.raises(NoWayBack) as raised:
        bench.repair(patch=path)
    assert raised.value.exit_code == 7
    assert len(bench.items()) == 3
    stage.forget(logical)


# --- a window taken back -----------------------------------------------------------------------------------------


@pytest.fixture
def damaged(stage: Stage, session: Open, tmp_path: Path) -> Iterator[tuple[Bench, Window, dict[Any, Item]]]:
    """Ten items damaged inside a window, one deleted, one made; then later writes over some of them."""
    logical = stage.declare(items=30, stem="damaged")
    bench = Bench(stage, session(), logical, tmp_path)
    before = bench.items()
    stage.advance(60)
    since = stage.now()
    stage.advance(5)
    stage.put(logical, [{**track(number), "popularity": {"N": "-1"}} for number in range(10)])
    stage.dynamodb.delete_item(TableName=logical, Key={"artist_id": {"S": "a0002"}, "id": {"S": "t000025"}})
    stage.put(logical, [{**track(800), "popularity": {"N": "-1"}}])
    stage.advance(900)
    until = stage.now()
    stage.advance(5)
    yield bench, Window(since, until), before
    stage.forget(logical)


def test_revert_over_good(damaged: tuple[Bench, Window, dict[Any, Item]]) -> None:
    """bulk_executor's revert-export writes the old images without a condition, over later good writes.

    Here a window is taken back on the condition of the bad image, and a later good write is queued.
    """
    bench, window, before = damaged
    good = {**track(3), "popularity": {"N": "66"}, "name": {"S": "Corrected"}}
    bench.put(good)
    done = bench.repair(window=window)
    assert (done.planned, done.applied, done.conflicts) == (12, 11, 1)
    assert bench.items() == {**before, ("a0000", "t000003"): good}
    assert done.named == (("a0000/t000003", NEWER),)


def test_the_second_look_at_a_window_uses_the_export_that_is_there(
    damaged: tuple[Bench, Window, dict[Any, Item]],
) -> None:
    bench, window, before = damaged
    assert bench.foretell(window=window).forecast is None
    bench.repair(window=window)
    assert bench.items() == before
    count = len(bench.stage.dynamodb.list_exports()["ExportSummaries"])
    again = bench.foretell(window=window).forecast
    assert again is not None
    assert (again.already, again.apply) == (12, 0)
    assert len(bench.stage.dynamodb.list_exports()["ExportSummaries"]) == count


def test_where_narrows_and_what_it_cannot_tell_apart_goes_to_the_queue(
    damaged: tuple[Bench, Window, dict[Any, Item]], session: Open
) -> None:
    """An item that a good writer changed in the same window, beside the damage, is queued, never guessed."""
    bench, _, _ = damaged
    bench.stage.advance(400)
    logical = bench.logical
    since = bench.stage.now()
    bench.stage.advance(5)
    bench.stage.put(logical, [{**track(number), "popularity": {"N": "-2"}} for number in (15, 16)])
    bench.stage.put(logical, [{**track(17), "popularity": {"N": "-2"}, "name": {"S": "Renamed well"}}])
    bench.stage.put(logical, [{**track(18), "name": {"S": "Only renamed"}}])
    bench.stage.advance(1000)
    held = bench.items()
    done = bench.repair(window=Window(since, bench.stage.now()), where="popularity = -2")
    assert (done.planned, done.applied, done.conflicts) == (3, 2, 1)
    assert done.named == (("a0001/t000017", MIXED),)
    expected = {**held, ("a0001", "t000015"): track(15), ("a0001", "t000016"): track(16)}
    assert bench.items() == expected


@pytest.mark.parametrize(("length", "text"), [(600, "shorter"), (90_000, "longer")])
def test_windows_that_aws_does_not_export_are_refused(bench: Bench, length: int, text: str) -> None:
    from datetime import timedelta

    now = bench.stage.now()
    with pytest.raises(BadArgument, match=text):
        bench.foretell(window=Window(now - timedelta(seconds=length), now))


def test_a_corrupted_export_of_a_window_writes_nothing(damaged: tuple[Bench, Window, dict[Any, Item]]) -> None:
    bench, window, _ = damaged
    broken = bench.items()
    bench.repair(between=lambda: None, window=window, where="popularity = 424242")
    keys = [key for key in bench.stage.objects("") if f"/{bench.logical}/" in key and key.endswith(".json.gz")]
    for key in keys:
        bench.stage.client("s3").put_object(Bucket="music-exports", Key=key, Body=b"")
    with pytest.raises(ExportCorrupt):
        bench.repair(window=window)
    assert bench.items() == broken


# --- patches from comparisons --------------------------------------------------------------------------------------


def test_diff_writes_the_patch_that_makes_the_right_side_like_the_left(
    stage: Stage, session: Open, tmp_path: Path, bench: Bench
) -> None:
    other = stage.declare(items=25, stem="model")
    model = Bench(stage, session(), other, tmp_path)
    model.put({**track(7), "name": {"S": "Other"}, "popularity": {"N": "3"}}, {**track(910), **KINDS})
    opened = session()
    out = tmp_path / "diff.jsonl"
    made = write_patch(opened, other, bench.logical, (), out)
    assert (made.changes, made.left_out, made.proof.differing) == (7, 0, 7)
    done = Bench(stage, opened, bench.logical, tmp_path).repair(patch=out)
    assert done.applied == 7
    keys = bench.opened.table.keys
    assert list(patch(bench.items().values(), model.items().values(), keys)) == []
    stage.forget(other)


def test_ignored_attributes_keep_what_the_right_side_has(
    stage: Stage, session: Open, tmp_path: Path, bench: Bench
) -> None:
    other = stage.declare(items=30, stem="model")
    stage.put(other, [{**track(7), "name": {"S": "Other"}, "popularity": {"N": "3"}}])
    opened = session()
    out = tmp_path / "diff.jsonl"
    assert write_patch(opened, other, bench.logical, ("popularity",), out).changes == 1
    assert Bench(stage, opened, bench.logical, tmp_path).repair(patch=out).applied == 1
    assert stage.items(bench.logical)["a0000", "t000007"] == {**track(7), "name": {"S": "Other"}}
    with pytest.raises(BadArgument, match="exists already"):
        write_patch(opened, other, bench.logical, (), out)
    stage.forget(other)


def test_a_void_comparison_gives_no_patch(stage: Stage, session: Open, tmp_path: Path, bench: Bench) -> None:
    """An empty expected side would make a patch that deletes everything."""
    empty = stage.declare(items=0, stem="empty")
    with pytest.raises(OpsError, match="no patch was made"):
        write_patch(session(), empty, bench.logical, (), tmp_path / "none.jsonl")
    assert not (tmp_path / "none.jsonl").exists()
    stage.forget(empty)


CONDITIONS = [
    "popularity > 9",
    "popularity <> 5",
    "n <> 5",
    "s = 'x'",
    "attribute_exists(ss) and size(ss) = 2",
    "attribute_exists(s) and size(s) = 1",
    "contains(ss, 'a')",
    "contains(ns, 2)",
    "attribute_type(m, 'M')",
    "attribute_not_exists(m.deep)",
    "begins_with(s, 'x')",
    "flag = false",
    "not (popularity between 3 and 20)",
    "l[0] = 'x' or popularity in (1, 2)",
    "genre = 'rock' and popularity < 7",
]


@pytest.fixture(scope="module")
def mixed(stage: Stage) -> Iterator[str]:
    """A table in which some items have attributes of every type."""
    logical = stage.declare(items=30, stem="mixed")
    given = [{**track(5), **KINDS}, {**track(6), **KINDS, "n": {"S": "text"}}]
    stage.put(logical, [binaries(item, base64.b64decode) for item in given])
    yield logical
    stage.forget(logical)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_is_decided_here_as_a_scan_decides_it(
    stage: Stage, session: Open, mixed: str, condition: str
) -> None:
    opened = session()
    table = open_table(opened, opened.table(mixed))
    matches = matcher(parse_where(condition)).matches
    here = {key[1] for key, item in stage.items(mixed).items() if matches(wire(item))}
    found = scan_items(opened, table, ReadOptions(where=condition, limit=None))
    assert here == {one["id"]["S"] for one in found}
