"""The data plane and the comparison against a running sandbox, faults included: nothing lost, nothing invented."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import orjson
import pytest

from ops.aws import Aws, AwsError
from ops.clock import SystemClock
from ops.dynamodb.client import DataPlane, data_plane
from ops.dynamodb.durable import Checkpoint, DeadLetters, put_lines
from ops.dynamodb.expressions import parse_sort, parse_where
from ops.dynamodb.lines import read_lines, write_lines
from ops.dynamodb.query import QueryRequest, get_item, get_items, query
from ops.dynamodb.retry import RetryPolicy
from ops.dynamodb.scan import Scan, ScanRequest
from ops.dynamodb.table import Table, describe_table
from ops.dynamodb.write import BulkWriter, Rejected, WriteCounts, WriteTarget, delete_item, put_item, update_item
from ops.errors import (
    BadResponse,
    CredentialsUnusable,
    NotAllowed,
    OpsError,
    ResourceNotFound,
    TableNotFound,
    Throttled,
    Unreachable,
)
from ops.model.items import Item, key_of
from ops.model.proof import SideInfo
from ops.sandbox.control import SandboxControl
from ops.verify.canonical import canonical_item
from ops.verify.compare import compare, gather
from ops.verify.control import stream_control
from ops.verify.sides import LinesSide, TableSide, index_side
from tests.sandbox.dataplane.kit import Brisk, fill, make_table, tracks


def canonical(items: list[Item]) -> list[bytes]:
    return sorted(canonical_item(item) for item in items)


def lines(table: Table, items: list[Item]) -> LinesSide:
    return LinesSide(SideInfo("lines", "test"), lambda: iter(items), table.keys, len(items))


@pytest.mark.parametrize("segments", [1, 4])
def test_what_was_written_is_read_over_many_pages(plane: DataPlane, table: Table, segments: int) -> None:
    items = tracks(1300)
    fill(plane, table, items)
    scan = Scan(plane, ScanRequest(table.name, segments=segments, consistent=True))
    assert canonical(list(scan.items())) == canonical(items)
    assert scan.counts.pages >= 2
    assert scan.counts.capacity > 0


FAULTS = [
    ("throttle", 0.4),
    ("throttling", 0.4),
    ("error500", 0.4),
    ("error500_after_apply", 0.3),
    ("reset", 0.3),
    ("reset_after_apply", 0.3),
    ("truncate", 0.4),
    ("cut", 0.3),
    ("bad_crc", 0.3),
    ("missing_members", 0.3),
]


@pytest.mark.parametrize(("fault", "share"), [*FAULTS, ("unprocessed", 0.4)])
def test_no_fault_loses_or_repeats_an_item(
    plane: DataPlane, table: Table, sandbox: SandboxControl, fault: str, share: float
) -> None:
    items = tracks(300)
    sandbox.set_fault(fault, share=share, seed=7)
    fill(plane, table, items)
    keys = [key_of(item, table.keys) for item in items]
    read = list(get_items(plane, table.name, keys))
    whole = list(Scan(plane, ScanRequest(table.name, segments=3, page_limit=20)).items())
    assert sandbox.faults()[0]["injected"] > 0
    sandbox.clear_faults()
    assert canonical(read) == canonical(whole) == canonical(items)


def test_a_table_that_does_not_exist_is_told_with_its_neighbours(aws: Aws, plane: DataPlane, table: Table) -> None:
    with pytest.raises(TableNotFound) as caught:
        describe_table(aws, table.name[:-1])
    assert table.name in caught.value.fix[0]
    with pytest.raises(TableNotFound):
        list(Scan(plane, ScanRequest("absent")).items())


def test_an_index_that_does_not_exist_is_told_with_those_that_do(table: Table) -> None:
    with pytest.raises(ResourceNotFound) as caught:
        table.index("genre")
    assert "genre_index" in caught.value.fix[0]


def test_single_items_are_put_read_changed_and_deleted(plane: DataPlane, table: Table) -> None:
    [item] = tracks(1)
    key = key_of(item, table.keys)
    put_item(plane, table.name, item, absent=table.keys)
    with pytest.raises(AwsError) as caught:
        put_item(plane, table.name, item, absent=table.keys)
    assert caught.value.aws_code == "ConditionalCheckFailedException"
    update_item(plane, table.name, key, "SET #p = :p", {"#p": "popularity"}, {":p": {"N": "99"}})
    found = get_item(plane, table.name, key, consistent=True)
    assert found == {**item, "popularity": {"N": "99"}}
    delete_item(plane, table.name, key)
    assert get_item(plane, table.name, key, consistent=True) is None


def test_a_partition_is_queried_by_sort_condition_filter_and_direction(plane: DataPlane, table: Table) -> None:
    items = tracks(170)
    fill(plane, table, items)
    request = QueryRequest(table.name, table.keys, {"S": "a3"}, sort=parse_sort("between 20 and 140", "id", "N"))
    expected = [number for number in range(3, 170, 17) if 20 <= number <= 140]
    assert [int(item["id"]["N"]) for item in query(plane, request)] == expected
    down = replace(request, descending=True, where=parse_where("popularity >= 37 and not name = 'x'"))
    assert [int(item["id"]["N"]) for item in query(plane, down)] == [n for n in expected[::-1] if n % 101 >= 37]


def test_an_index_is_queried_and_projected(plane: DataPlane, table: Table) -> None:
    fill(plane, table, tracks(60))
    keys = table.index("genre_index").keys
    request = QueryRequest(table.name, keys, {"S": "g1"}, index="genre_index", fields=("id", "popularity"))
    found = list(query(plane, request))
    assert sorted(int(item["id"]["N"]) for item in found) == list(range(1, 60, 3))
    assert {name for item in found for name in item} == {"id", "popularity"}


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ("popularity > 90", lambda n: n % 101 > 90),
        ("popularity between 10 and 12 or id = 50", lambda n: 10 <= n % 101 <= 12 or n == 50),
        ("id in (1, 2, 999)", lambda n: n in (1, 2)),
        ("attribute_not_exists(genre)", lambda n: n % 3 == 0),
        ("attribute_type(genre, 'S') and begins_with(genre, 'g2')", lambda n: n % 3 == 2),
        ("contains(markets, 'SE') and album.year = 2020 and album.deep[0] = false and id < 4", lambda n: n < 4),
        ("size(artist_id) = 2 and not (id > 20)", lambda n: n % 17 < 10 and n <= 20),
    ],
)  # fmt: skip
def test_conditions_mean_what_they_say(plane: DataPlane, table: Table, where: str, wanted: object) -> None:
    assert callable(wanted)
    fill(plane, table, tracks(120))
    scan = Scan(plane, ScanRequest(table.name, segments=2, where=parse_where(where)))
    assert sorted(int(item["id"]["N"]) for item in scan.items()) == [n for n in range(120) if wanted(n)]
    assert scan.counts.scanned == 120


def test_a_live_table_is_proven_equal_and_each_kind_of_change_is_named(plane: DataPlane, table: Table) -> None:
    items = tracks(200)
    fill(plane, table, items)
    side = TableSide(plane, table)
    proof = compare(lines(table, items), side, keys=table.keys)
    assert proof.equal
    assert (proof.expected.items, proof.found.items, proof.found.declared) == (200, 200, 200)
    assert proof.expected.digest == proof.found.digest

    delete_item(plane, table.name, key_of(items[0], table.keys))
    put_item(plane, table.name, {**items[1], "id": {"N": "9000"}})
    put_item(plane, table.name, {**items[2], "popularity": {"S": "2"}})
    found = compare(lines(table, items), side, keys=table.keys)
    assert (found.missing, found.extra, found.changed) == (1, 1, 1)
    named = {one.kind: one for one in found.differences}
    assert named["missing"].key == key_of(items[0], table.keys)
    assert named["extra"].key == {"artist_id": {"S": "a1"}, "id": {"N": "9000"}}
    [change] = named["changed"].changes
    assert (change.path, change.expected, change.found, change.note) == ("popularity", "N 2", 'S "2"', "type changed")


def test_an_index_is_proven_against_what_the_table_must_hold(plane: DataPlane, table: Table) -> None:
    items = tracks(90)
    fill(plane, table, items)
    expected = index_side(lines(table, items), table.index("genre_index"))
    found = TableSide(plane, table, "genre_index")
    assert compare(expected, found, keys=table.keys).equal
    without = {name: value for name, value in items[1].items() if name != "genre"}
    put_item(plane, table.name, without)
    put_item(plane, table.name, {**items[2], "popularity": {"N": "77"}})
    put_item(plane, table.name, {**items[3], "genre": {"S": "new"}})
    changed = compare(expected, found, keys=table.keys)
    assert (changed.missing, changed.changed, changed.extra) == (1, 1, 1)


def test_a_key_that_was_only_in_flight_is_no_difference(plane: DataPlane, table: Table) -> None:
    items = tracks(50)
    fill(plane, table, items[:-1])

    class Late(TableSide):
        """The last item arrives after the scan has passed."""

        def declared(self) -> int | None:
            put_item(plane, table.name, items[-1])
            return super().declared()

    with gather(lines(table, items)) as left, gather(Late(plane, table)) as right:
        from ops.verify.compare import judge

        assert right.digest.count == 49
        assert right.side.declared() == 49  # writes the last item
        assert judge(left, right, keys=table.keys).differing == 0


def test_the_control_is_caught_on_a_live_table_and_writes_nothing(plane: DataPlane, table: Table) -> None:
    items = tracks(120)
    fill(plane, table, items)
    expected = lines(table, items)
    with gather(TableSide(plane, table)) as found:
        known = compare(expected, TableSide(plane, table), keys=table.keys)
        outcome = stream_control(expected, found, keys=table.keys, random=Random(3), known=known)
    assert outcome.caught
    assert len(outcome.found) == len(outcome.planted)
    assert compare(expected, TableSide(plane, table), keys=table.keys).equal


def test_writing_the_same_items_again_changes_nothing(plane: DataPlane, table: Table) -> None:
    items = tracks(60)
    fill(plane, table, items)
    fill(plane, table, items)
    assert canonical(list(Scan(plane, ScanRequest(table.name)).items())) == canonical(items)


def test_bulk_delete_leaves_only_what_was_not_named(aws: Aws, plane: DataPlane) -> None:
    table = make_table(aws, "bulk-delete")
    items = tracks(80)
    fill(plane, table, items)
    writer = BulkWriter(plane, WriteTarget(table.name, table.keys))
    writer.delete(key_of(item, table.keys) for item in items[:70])
    assert canonical(list(Scan(plane, ScanRequest(table.name)).items())) == canonical(items[70:])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        ("throttle", Throttled, 9),
        ("unprocessed", Throttled, 9),
        ("error500", BadResponse, 9),
        ("truncate", BadResponse, 9),
        ("reset_after_apply", Unreachable, 9),
        ("region_down", Unreachable, 9),
        ("expired_token", CredentialsUnusable, 8),
        ("denied", NotAllowed, 8),
    ],
)
def test_a_load_that_a_fault_ends_goes_on_where_it_was_settled_when_the_fault_is_over(
    aws: Aws, sandbox: SandboxControl, tmp_path: Path, fault: str, error: type[OpsError], code: int, seed: int
) -> None:
    table = make_table(aws, f"ended-{fault}-{seed}")
    items = tracks(400)
    lines = [orjson.dumps({"Item": item}) + b"\n" for item in items]
    hasty = data_plane(aws, Brisk(), Random(seed), policy=RetryPolicy(attempts=3, unreached_attempts=3))
    # Early enough: what is on its way then, 4 batches, may still be written although no answer comes.
    start, settled = Random(seed).randrange(1, 250), [0]

    def struck() -> Iterator[bytes]:
        for number, line in enumerate(lines):
            if number == start:
                sandbox.set_fault(fault, share=1.0, seed=seed, region="us-east-1" if fault == "region_down" else None)
            yield line

    def run(given: Iterable[bytes]) -> WriteCounts:
        writer = BulkWriter(hasty, WriteTarget(table.name, table.keys), on_acknowledged=settled.append, most=4)
        checkpoint = Checkpoint(tmp_path / "checkpoint.json", "lines", SystemClock(), every_s=0.0)
        return put_lines(writer, given, checkpoint, DeadLetters(tmp_path / "dead.jsonl"))

    with pytest.raises(error) as caught:
        run(struck())
    assert caught.value.exit_code == code
    assert "items were written" in caught.value.changed
    sandbox.clear_faults()
    held = canonical(list(Scan(hasty, ScanRequest(table.name, consistent=True)).items()))
    assert set(canonical(items[: settled[-1]])) <= set(held) < set(canonical(items))
    assert run(lines) == WriteCounts(read=400, written=400)
    assert canonical(list(Scan(hasty, ScanRequest(table.name, consistent=True)).items())) == canonical(items)


def test_answers_that_come_late_are_waited_for(plane: DataPlane, table: Table, sandbox: SandboxControl) -> None:
    sandbox.set_fault("slow", share=0.2, seed=5, delay_s=0.2)
    items = tracks(300)
    fill(plane, table, items)
    assert sandbox.faults()[0]["injected"] > 0
    sandbox.clear_faults()
    assert canonical(list(Scan(plane, ScanRequest(table.name)).items())) == canonical(items)


@pytest.mark.parametrize(("fault", "share"), [*FAULTS, ("unprocessed", 0.4)])
def test_no_fault_loses_or_repeats_a_line_on_its_way_into_a_table_and_out(
    plane: DataPlane, table: Table, sandbox: SandboxControl, fault: str, share: float, tmp_path: Path
) -> None:
    items = tracks(500)
    sandbox.set_fault(fault, share=share, seed=11)
    writer = BulkWriter(plane, WriteTarget(table.name, table.keys))
    counts = writer.put_lines(orjson.dumps({"Item": item}) + b"\n" for item in items)
    scan = Scan(plane, ScanRequest(table.name, segments=3, page_limit=40))
    written = write_lines(scan, tmp_path / "items.json.gz")
    assert sandbox.faults()[0]["injected"] > 0
    sandbox.clear_faults()
    with open(tmp_path / "items.json.gz", "rb") as file:
        read = [orjson.loads(line)["Item"] for line in read_lines(file)]
    assert counts.written == written.items == 500
    assert canonical(read) == canonical(items)


def test_what_only_the_table_can_refuse_is_rejected_by_its_line(plane: DataPlane, table: Table) -> None:
    lines = [orjson.dumps({"Item": item}) + b"\n" for item in tracks(60)]
    lines[7] = lines[7].replace(b'"popularity":{"N":"7"}', b'"popularity":{"N":"%s"}' % (b"7" * 39))
    lines[31] = lines[31].replace(b'"genre":{"S":"g1"}', b'"genre":{"N":"1"}')
    rejected: list[Rejected] = []
    indexes = {one.name: one.keys for one in table.indexes.values()}
    writer = BulkWriter(plane, WriteTarget(table.name, table.keys, indexes), on_rejected=rejected.append)
    counts = writer.put_lines(lines)
    assert (counts.written, counts.rejected) == (58, 2)
    assert {one.position: one.reason.partition(",")[0] for one in rejected} == {
        8: "'popularity': number has 39 significant digits",
        32: "key attribute 'genre' of index 'genre_index' must have type S",
    }
