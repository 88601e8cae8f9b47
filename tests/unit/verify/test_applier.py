"""Changes against a table that others write to: each is applied, already there, or a conflict that changes nothing."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from ops.aws import AwsError
from ops.dynamodb.capacity import CapacityLimit
from ops.dynamodb.retry import Failure
from ops.dynamodb.table import Table
from ops.dynamodb.write import key_bytes
from ops.errors import CredentialsUnusable
from ops.model.items import Item
from ops.verify.patch import Change, inverse, item_digest, patch, same
from ops.verify.patch_apply import ADDED, COMPARED_ATTRIBUTES, GONE, NEWER, PUT_BACK, TOO_MANY, Applier, foresee
from tests.unit.dynamodb.kit import KEYS, StillClock, plane
from tests.unit.verify.writable import WritableTable

TABLE = Table("t", "us-east-1", "arn", "id", "ACTIVE", KEYS, {}, None, False, 0)


def key(number: int) -> Item:
    return {"pk": {"S": "p"}, "sk": {"N": str(number)}}


def item(number: int, **values: str) -> Item:
    return {**key(number), **{name: {"S": value} for name, value in values.items()}}


def applier(table: WritableTable, **given: Any) -> Applier:
    return Applier(plane(table), TABLE, **given)


OLD, NEW = item(1, a="1", b="2"), item(1, a="9", c="3")


@pytest.mark.parametrize("change", [Change(key(1), None, NEW), Change(key(1), OLD, NEW), Change(key(1), OLD, None)])
def test_a_change_to_what_it_expects_is_applied(change: Change) -> None:
    table = WritableTable()
    if change.expected is not None:
        table.hold(change.expected)
    done = applier(table).apply(change)
    assert (done.change, done.verdict, done.found, done.reason) == (change, "applied", None, "")
    assert [*table.items.values()] == ([] if change.wanted is None else [change.wanted])


@pytest.mark.parametrize("change", [Change(key(1), None, NEW), Change(key(1), OLD, NEW), Change(key(1), OLD, None)])
def test_what_is_as_wanted_already_is_no_conflict(change: Change) -> None:
    table = WritableTable()
    if change.wanted is not None:
        table.hold(change.wanted)
    before = dict(table.items)
    done = applier(table).apply(change)
    assert (done.verdict, done.found, done.reason) == ("already", change.wanted, "")
    assert table.items == before
    assert [one["ConsistentRead"] for one in table.reads] == [True]


@pytest.mark.parametrize("change", [Change(key(1), None, NEW), Change(key(1), OLD, NEW), Change(key(1), OLD, None)])
def test_another_item_is_left_as_it_is(change: Change) -> None:
    theirs = item(1, a="theirs")
    table = WritableTable()
    table.hold(theirs)
    done = applier(table).apply(change)
    assert (done.verdict, done.found, done.reason) == ("conflict", theirs, NEWER)
    assert [*table.items.values()] == [theirs]


def test_an_item_that_was_another_for_a_moment_only_is_told_as_such() -> None:
    table = WritableTable()

    def meanwhile(operation: str, params: dict[str, Any]) -> None:
        table.hold(item(1, a="theirs") if operation == "UpdateItem" else OLD)

    table.meanwhile = meanwhile
    done = applier(table).apply(Change(key(1), OLD, NEW))
    assert (done.verdict, done.found, done.reason) == ("conflict", OLD, "the item changed while it was written")


def test_an_attribute_that_another_writer_adds_stays_when_the_item_is_changed() -> None:
    table = WritableTable()
    table.hold({**OLD, "theirs": {"S": "x"}})
    done = applier(table).apply(Change(key(1), OLD, NEW))
    assert (done.verdict, done.found, done.reason) == ("conflict", {**NEW, "theirs": {"S": "x"}}, ADDED)
    assert [*table.items.values()] == [{**NEW, "theirs": {"S": "x"}}]


def test_an_item_with_a_further_attribute_is_put_back_when_it_was_removed() -> None:
    table, theirs = WritableTable(), {**OLD, "theirs": {"S": "x"}}
    table.hold(theirs)
    done = applier(table).apply(Change(key(1), OLD, None))
    assert (done.verdict, done.found, done.reason) == ("conflict", theirs, PUT_BACK)
    assert [*table.items.values()] == [theirs]


class Kept:
    """What is aside, step by step, beside what the table did."""

    def __init__(self, table: WritableTable) -> None:
        self.told: list[tuple[str, Item, list[str]]] = []
        self._table = table

    def removed(self, item: Item) -> None:
        self.told.append(("removed", item, [operation for operation, _ in self._table.writes]))

    def settled(self, item: Item) -> None:
        self.told.append(("settled", item, [operation for operation, _ in self._table.writes]))


@pytest.mark.parametrize("taken", [False, True])
def test_what_is_to_be_put_back_is_kept_aside_before_and_until_its_key_holds_an_item(taken: bool) -> None:
    table, theirs, newer = WritableTable(), {**OLD, "theirs": {"S": "x"}}, item(1, a="newer")
    table.hold(theirs)
    if taken:
        table.meanwhile = lambda operation, params: table.hold(newer) if operation == "PutItem" else None
    kept = Kept(table)
    applier(table, aside=kept).apply(Change(key(1), OLD, None))
    assert kept.told == [("removed", theirs, ["DeleteItem"]), ("settled", theirs, ["DeleteItem", "PutItem"])]
    kept.told.clear()
    table.hold(OLD)
    applier(table, aside=kept).apply(Change(key(1), OLD, None))
    assert kept.told == [], "an item that was as expected is not put back"


def test_what_could_not_be_put_back_stays_aside() -> None:
    table, theirs = WritableTable(), {**OLD, "theirs": {"S": "x"}}
    table.hold(theirs)

    def refuse(operation: str, params: dict[str, Any]) -> None:
        if operation == "PutItem":
            raise Failure("ExpiredTokenException", "expired", 400)

    table.meanwhile, kept = refuse, Kept(table)
    with pytest.raises(CredentialsUnusable):
        applier(table, aside=kept).apply(Change(key(1), OLD, None))
    assert [what for what, _, _ in kept.told] == ["removed"]
    table.meanwhile = lambda operation, params: None
    assert applier(table, aside=kept).put_back(key(1), theirs) is True
    assert [what for what, _, _ in kept.told] == ["removed", "settled"]
    assert [*table.items.values()] == [theirs]


def test_an_item_is_not_put_back_over_one_that_came_meanwhile() -> None:
    table, theirs, newer = WritableTable(), {**OLD, "theirs": {"S": "x"}}, item(1, a="newer")
    table.hold(theirs)
    table.meanwhile = lambda operation, params: table.hold(newer) if operation == "PutItem" else None
    done = applier(table).apply(Change(key(1), OLD, None))
    assert (done.verdict, done.found, done.reason) == ("conflict", theirs, GONE)
    assert [*table.items.values()] == [newer]


@pytest.mark.parametrize("change", [Change(key(1), OLD, NEW), Change(key(1), OLD, None)])
@pytest.mark.parametrize("theirs", [False, True])
def test_a_write_whose_answer_lacks_the_item_is_looked_up_and_nothing_is_put_back(change: Change, theirs: bool) -> None:
    class Mute(WritableTable):
        def send(self, operation: str, body: bytes) -> dict[str, Any]:
            answer = super().send(operation, body)
            answer.pop("Attributes", None)
            return answer

    table = Mute()
    table.hold(OLD)
    if theirs:
        table.meanwhile = lambda operation, params: table.hold(item(1, z="z")) if operation == "GetItem" else None
    done = applier(table).apply(change)
    wanted = item(1, z="z") if theirs else change.wanted
    assert (done.verdict, done.found) == ("conflict" if theirs else "already", wanted)
    assert [operation for operation, _ in table.writes] == ["DeleteItem" if change.wanted is None else "UpdateItem"]
    assert [*table.items.values()] == ([] if wanted is None else [wanted])


def test_an_item_whose_put_back_was_answered_into_nothing_is_not_told_as_gone() -> None:
    table, theirs = WritableTable(), {**OLD, "theirs": {"S": "x"}}
    table.hold(theirs)
    answered: list[str] = []

    def lose(operation: str, params: dict[str, Any]) -> None:
        answered.append(operation)
        if operation == "PutItem" and answered.count(operation) == 1:
            table.hold(params["Item"])
            raise Failure("ConnectionBroken", "the answer was lost", 0)

    table.meanwhile = lose
    done = applier(table).apply(Change(key(1), OLD, None))
    assert (done.verdict, done.found, done.reason) == ("conflict", theirs, PUT_BACK)
    assert [*table.items.values()] == [theirs]


def test_an_item_that_cannot_be_put_back_ends_the_work() -> None:
    table = WritableTable()
    table.hold({**OLD, "theirs": {"S": "x"}})

    def refuse(operation: str, params: dict[str, Any]) -> None:
        if operation == "PutItem":
            raise Failure("SomethingNew", "no", 400)

    table.meanwhile = refuse
    with pytest.raises(AwsError):
        applier(table).apply(Change(key(1), OLD, None))


@pytest.mark.parametrize("wanted", [None, "x"])
def test_an_item_of_more_attributes_than_a_condition_can_compare_is_left_to_a_person(wanted: str | None) -> None:
    many = {f"x{number}": "v" for number in range(COMPARED_ATTRIBUTES + 1)}
    table, held = WritableTable(), item(1, **many)
    table.hold(held)
    change = Change(key(1), held, None if wanted is None else item(1, **dict.fromkeys(many, wanted)))
    done = applier(table).apply(change)
    assert (done.verdict, done.found, done.reason, table.writes) == ("conflict", held, TOO_MANY, [])


def test_an_item_of_as_many_attributes_as_a_condition_can_compare_is_removed() -> None:
    table, held = WritableTable(), item(1, **{f"x{number}": "v" for number in range(COMPARED_ATTRIBUTES)})
    table.hold(held)
    assert applier(table).apply(Change(key(1), held, None)).verdict == "applied"
    assert table.items == {}
    [(_, params)] = table.writes
    assert not {"pk", "sk"} & {*params["ExpressionAttributeNames"].values()} - {"pk"}
    assert len(params["ExpressionAttributeValues"]) == COMPARED_ATTRIBUTES


def test_what_dynamodb_refuses_is_a_conflict_with_its_words() -> None:
    table = WritableTable()
    table.hold(OLD)

    def refuse(operation: str, params: dict[str, Any]) -> None:
        if operation == "UpdateItem":
            raise Failure("ValidationException", "Item size has exceeded", 400)

    table.meanwhile = refuse
    done = applier(table).apply(Change(key(1), OLD, NEW))
    assert (done.verdict, done.found, done.reason) == ("conflict", OLD, "refused by DynamoDB: Item size has exceeded")


@pytest.mark.parametrize(
    ("code", "error"), [("ExpiredTokenException", CredentialsUnusable), ("SomethingNew", AwsError)]
)
def test_any_other_error_ends_the_work(code: str, error: type[Exception]) -> None:
    def refuse(operation: str, params: dict[str, Any]) -> None:
        raise Failure(code, "no", 400)

    with pytest.raises(error):
        applier(WritableTable(meanwhile=refuse)).apply(Change(key(1), None, NEW))


def test_each_write_is_paid_for_from_the_limit() -> None:
    clock, table = StillClock(), WritableTable()
    spent = applier(table, limit=CapacityLimit(3.0, clock), workers=1)
    for number in range(5):
        assert spent.apply(Change(key(number), None, item(number))).verdict == "applied"
    # Three units a second, three for each write: one second for each that was written before.
    assert clock.monotonic() == pytest.approx(4.0, abs=1.1)
    assert len(table.items) == 5


@pytest.mark.parametrize("chunk", [1, 3, 64])
def test_a_chunk_is_handed_out_when_all_of_it_was_acknowledged(chunk: int) -> None:
    table = WritableTable()
    changes = [Change(key(number), None, item(number)) for number in range(7)]
    seen: list[int] = []
    for results in applier(table, chunk=chunk).chunks(changes):
        seen += [int(one.change.key["sk"]["N"]) for one in results]
        assert len(table.items) == len(seen)
    assert seen == [*range(7)]


@pytest.mark.parametrize("digest", [False, True])
def test_what_a_patch_would_do_is_foreseen_for_every_key(digest: bool) -> None:
    table = WritableTable()
    table.hold(*(item(number, a="old") for number in range(250)))
    table.hold(item(3, a="new"), item(4, a="theirs"))
    del table.items[key_bytes(key(5), KEYS)]

    def change(number: int) -> Change:
        expected = item(number, a="old")
        if digest:
            return Change(key(number), None, item(number, a="new"), item_digest(expected))
        return Change(key(number), expected, item(number, a="new"))

    found = list(foresee(plane(table), TABLE, [change(number) for number in range(250)]))
    verdicts = {int(one.change.key["sk"]["N"]): one.verdict for one in found}
    assert verdicts == {**dict.fromkeys(range(250), "apply"), 3: "already", 4: "conflict", 5: "conflict"}
    by_number = {int(one.change.key["sk"]["N"]): one for one in found}
    assert by_number[7].current == by_number[7].change.expected == item(7, a="old")
    assert (by_number[4].current, by_number[5].current) == (item(4, a="theirs"), None)
    assert [by_number[number].change for number in (3, 4, 5)] == [change(3), change(4), change(5)]
    assert all(one["RequestItems"]["t"]["ConsistentRead"] is True for one in table.reads)
    assert len(table.reads) == 3


@pytest.mark.parametrize("seed", range(40))
def test_a_patch_applied_beside_another_writer_never_hides_what_that_one_wrote(seed: int) -> None:
    """And its inverse takes back what it wrote, but nothing of theirs."""
    random = Random(seed)
    names = ["a", "b", "c"]

    def some(number: int) -> Item:
        return item(number, **{name: str(random.randrange(3)) for name in names if random.random() < 0.7})

    before = {number: some(number) for number in range(30) if random.random() < 0.8}
    wanted = {number: some(number) for number in range(30) if random.random() < 0.8}
    table = WritableTable()
    table.hold(*before.values())
    theirs: dict[int, Item] = {}

    def meanwhile(operation: str, params: dict[str, Any]) -> None:
        number = int((params.get("Key") or params["Item"])["sk"]["N"])
        if operation != "GetItem" and number not in theirs and random.random() < 0.3:
            theirs[number] = {**some(number), "by": {"S": "another"}}
            table.hold(theirs[number])

    table.meanwhile = meanwhile
    changes = list(patch(before.values(), wanted.values(), KEYS))
    results = [one for chunk in applier(table, workers=1).chunks(changes) for one in chunk]
    assert [one.change for one in results] == changes
    touched = {int(one.key["sk"]["N"]) for one in changes}
    for number in range(30):
        found = table.items.get(key_bytes(key(number), KEYS))
        if number in theirs:
            assert found is not None
            assert found["by"] == {"S": "another"}
        else:
            assert same(found, wanted.get(number) if number in touched else before.get(number))
    conflicts = {int(one.change.key["sk"]["N"]) for one in results if one.verdict == "conflict"}
    assert theirs.keys() <= conflicts
    table.meanwhile = lambda operation, params: None
    list(applier(table).chunks(inverse([one.change for one in results if one.verdict == "applied"])))
    for number in range(30):
        if number not in theirs:
            assert same(table.items.get(key_bytes(key(number), KEYS)), before.get(number))
