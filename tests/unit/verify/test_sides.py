"""What is compared: a table is read consistently where AWS can, an index as it must be, and what cannot show items."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ops.dynamodb.table import Index, Table
from ops.dynamodb.write import key_bytes
from ops.errors import BadResponse
from ops.model.items import Item, KeySchema
from ops.model.proof import SideInfo
from ops.verify.compare import compare
from ops.verify.fingerprint import Record, recorder
from ops.verify.sides import LinesSide, RecordsSide, TableSide, index_side, key_from_json, project
from tests.unit.dynamodb.kit import KEYS, MemoryTable, Scripted, plane, some_items

GENRE = Index("genre_index", KeySchema("genre", "S", "popularity", "N"), "INCLUDE", ("name",), True)
LOCAL = Index("local_index", KeySchema("pk", "S", "popularity", "N"), "KEYS_ONLY", (), False)
TABLE = Table(
    "t", "us-east-1", "arn", "id", "ACTIVE", KEYS, {one.name: one for one in (GENRE, LOCAL)}, "expires", False, 0
)


def held(count: int) -> MemoryTable:
    return MemoryTable(items={key_bytes(item, KEYS): item for item in some_items(count)})


def test_a_table_side_tells_every_record_and_how_many_there_were() -> None:
    side = TableSide(plane(held(20)), TABLE)
    assert side.declared() is None
    found = list(side.records())
    record = recorder(KEYS, ttl="expires")
    assert sorted(found) == sorted(map(record, some_items(20)))
    assert side.declared() == 20
    list(side.records())
    assert side.declared() == 20
    assert side.live


def test_the_ttl_attribute_of_the_table_is_in_its_records() -> None:
    item: Item = {**some_items(1)[0], "expires": {"N": "77"}}
    side = TableSide(plane(MemoryTable(items={key_bytes(item, KEYS): item})), TABLE)
    assert [record.expires for record in side.records()] == [77]


@pytest.mark.parametrize(
    ("index", "where", "consistent"),
    [(None, "t", True), ("local_index", "t/local_index", True), ("genre_index", "t/genre_index", False)],
)
def test_a_read_is_consistent_where_aws_has_such_a_read(index: str | None, where: str, consistent: bool) -> None:
    script = Scripted([{"Count": 0, "ScannedCount": 0, "Items": []}])
    side = TableSide(plane(script), TABLE, index)
    assert list(side.records()) == []
    assert len(script.asked) == TABLE.segments
    for _, asked in script.asked:
        assert asked.get("ConsistentRead", False) is consistent
        assert asked.get("IndexName") == index
    assert (side.info.kind, side.info.where) == ("table", where)
    assert "no snapshot" in side.info.weakness


def test_differing_keys_of_a_table_are_read_by_key() -> None:
    wire = held(20)
    items = some_items(22)
    record = recorder(KEYS)
    keys: dict[bytes, Item | None] = {
        record(item).key: {name: item[name] for name in KEYS.names} for item in items[17:]
    }
    keys[b"unreadable"] = None
    found = TableSide(plane(wire), TABLE).items_for(keys)
    assert found == {record(item).key: item for item in items[17:20]}
    assert wire.asked == ["BatchGetItem"]


def test_the_second_look_at_a_table_is_consistent() -> None:
    (mine,) = some_items(1)
    key = {name: mine[name] for name in KEYS.names}
    script = Scripted([{"Responses": {"t": [mine]}, "UnprocessedKeys": {}}])
    digest = recorder(KEYS)(mine).key
    assert TableSide(plane(script), TABLE).items_for({digest: key}) == {digest: mine}
    assert script.asked[0][1]["RequestItems"]["t"]["ConsistentRead"] is True


@pytest.mark.parametrize("told", [{}, {"another": []}])
def test_an_extra_item_is_not_taken_for_deleted_by_an_answer_that_says_nothing_of_it(told: dict[str, Any]) -> None:
    mine, more = some_items(2)
    pages = {"Count": 2, "ScannedCount": 2, "Items": [mine, more]}
    script = Scripted([pages, {"Responses": told, "UnprocessedKeys": {}}])
    expected = LinesSide(SideInfo("lines", "given"), lambda: iter([mine]), KEYS)
    with pytest.raises(BadResponse):
        compare(expected, TableSide(plane(script), replace(TABLE, segments=1)), keys=KEYS)


def test_differing_keys_of_an_index_are_looked_for_by_a_second_scan() -> None:
    wire = held(20)
    record = recorder(KEYS)
    items = some_items(20)
    keys: dict[bytes, Item | None] = {record(item).key: item for item in items[5:8]}
    assert TableSide(plane(wire), TABLE, "genre_index").items_for(keys) == {
        record(item).key: item for item in items[5:8]
    }
    assert set(wire.asked) == {"Scan"}


def genre(number: int, **values: Any) -> Item:
    return {"pk": {"S": "a"}, "sk": {"N": str(number)}, **values}


ITEMS = [
    genre(1, genre={"S": "rock"}, popularity={"N": "3"}, name={"S": "x"}, more={"S": "y"}),
    genre(2, genre={"S": "rock"}),
    genre(3, popularity={"N": "3"}),
    genre(4, genre={"N": "5"}, popularity={"N": "3"}),
    genre(5, genre={"S": ""}, popularity={"N": "0"}),
]


def test_an_index_must_hold_exactly_the_items_with_all_its_keys_in_their_types() -> None:
    base = LinesSide(SideInfo("lines", "export", moment="T"), lambda: iter(ITEMS), KEYS, len(ITEMS), "expires")
    side = index_side(base, GENRE)
    assert [item["sk"]["N"] for item in side.read()] == ["1", "5"]
    assert (side.keys, side.ttl, side.count) == (KEYS, "expires", None)
    assert (side.info.kind, side.info.where, side.info.moment) == (
        "lines", "export, as genre_index must hold it", "T",
    )  # fmt: skip
    assert compare(side, index_side(base, GENRE), keys=KEYS).equal


@pytest.mark.parametrize(
    ("projection", "names"),
    [
        ("ALL", {"pk", "sk", "genre", "popularity", "name", "more"}),
        ("INCLUDE", {"pk", "sk", "genre", "popularity", "name"}),
        ("KEYS_ONLY", {"pk", "sk", "genre", "popularity"}),
    ],
)
def test_an_index_holds_what_it_projects(projection: str, names: set[str]) -> None:
    index = Index("i", GENRE.keys, projection, ("name",), True)
    assert project(ITEMS[0], KEYS, index) == {name: ITEMS[0][name] for name in names}


def test_records_show_no_items() -> None:
    records = list(map(recorder(KEYS), some_items(3)))
    side = RecordsSide(SideInfo("seal", "beside the backup"), lambda: iter(records), 3)
    assert (list(side.records()), side.declared(), side.live) == (records, 3, False)
    assert side.items_for({records[0].key: None}) == {}


def test_a_key_is_read_back_from_its_record() -> None:
    [record] = map(recorder(KEYS), some_items(1))
    assert isinstance(record, Record)
    assert key_from_json(record.key_json) == {name: some_items(1)[0][name] for name in KEYS.names}
    assert key_from_json(None) is None
