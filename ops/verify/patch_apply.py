"""A patch against a live table: what each change would do, and the writes, each under a condition.

No write can hide a later one. An item that changes is updated, not replaced: only the attributes that differ are
touched, under the condition that the item still holds every attribute of the expected one, so that an attribute which
another writer adds meanwhile survives. Every answer shows what the write did, and that is held against what was wanted.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from math import ceil
from typing import Any, Literal, Protocol

from ops.aws import AwsError
from ops.dynamodb.attributes import item_size
from ops.dynamodb.capacity import CapacityLimit, consumed
from ops.dynamodb.client import DataPlane
from ops.dynamodb.query import BATCH_KEYS, get_item, get_items
from ops.dynamodb.table import Table
from ops.model.items import Item
from ops.verify.canonical import canonical_key
from ops.verify.patch import Change, Verdict, as_expected, same, verdict

#: 300 operators are the most in one expression; n comparisons need 2n - 1 of them, and a few are kept in hand.
#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
COMPARED_ATTRIBUTES = 140
WORKERS = 8
CHUNK = 64

NEWER = "the table holds another item than the patch expects"
ADDED = "another writer added attributes meanwhile: they were kept"
PUT_BACK = "another writer changed the item meanwhile: it was put back"
GONE = "another writer changed the item meanwhile, and its key was taken before it could be put back"
TOO_MANY = f"more than {COMPARED_ATTRIBUTES} attributes: no condition can compare them all"


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A change beside what its key holds now; `change.expected` is that item when the change is to be applied."""

    change: Change
    current: Item | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one change. `found` is what the key held when it was a conflict."""

    change: Change
    verdict: Literal["applied", "already", "conflict"]
    found: Item | None = None
    reason: str = ""


def foresee(plane: DataPlane, table: Table, changes: Iterable[Change]) -> Iterator[Foreseen]:
    """Read each key, strongly consistent, and say what the change would do."""
    rest = iter(changes)
    while chunk := list(islice(rest, BATCH_KEYS)):
        wanted = [change.key for change in chunk]
        held = {canonical_key(item, table.keys): item for item in get_items(plane, table.name, wanted, consistent=True)}
        for change in chunk:
            current = held.get(canonical_key(change.key, table.keys))
            found = verdict(change, current)
            if found == "apply" and change.digest:
                change = Change(change.key, current, change.wanted)
            yield Foreseen(change, current, found)


def write_units(change: Change, indexes: int) -> int:
    """The most write units that one change can cost: an index entry that moves is deleted and put."""
    size = max((item_size(one) for one in (change.expected, change.wanted) if one is not None), default=0)
    return max(1, ceil(size / 1024)) * (1 + 2 * indexes)


class Aside(Protocol):
    """Keeps items that are in no table between a deletion and the put that takes it back."""

    def removed(self, item: Item) -> None:
        """Called before the put; what it raises ends the work without the put, which a later run makes up for."""

    def settled(self, item: Item) -> None:
        """Called when the item is back, or its key holds another."""


@dataclass(frozen=True, slots=True)
class Applier:
    """Applies changes to one table, some at once; each key stands in a patch once, so their order is free."""

    plane: DataPlane
    table: Table
    limit: CapacityLimit | None = None
    workers: int = WORKERS
    #: Changes between two checkpoints, and between two looks at whether to stop.
    chunk: int = CHUNK
    aside: Aside | None = None

    def chunks(self, changes: Iterable[Change]) -> Iterator[list[Written]]:
        """Results, some changes at a time: when a list is handed out, all its writes were acknowledged."""
        rest = iter(changes)
        with ThreadPoolExecutor(self.workers, thread_name_prefix="repair") as pool:
            while chunk := list(islice(rest, self.chunk)):
                yield list(pool.map(self.apply, chunk))

    def apply(self, change: Change) -> Written:
        """One change, acknowledged; never over an item that the change does not expect."""
        try:
            if change.expected is None:
                self._create(change)
                return Written(change, "applied")
            return self._remove(change) if change.wanted is None else self._update(change)
        except AwsError as error:
            if error.aws_code == "ConditionalCheckFailedException":
                return self._refused(change)
            if error.aws_code == "ValidationException":
                found = self._read(change)
                return Written(change, "conflict", found, f"refused by DynamoDB: {error.message}")
            raise

    def _refused(self, change: Change) -> Written:
        """What the table says, where no answer does: as wanted already (one that was lost, say), or another's item."""
        found = self._read(change)
        if same(found, change.wanted):
            return Written(change, "already", found)
        reason = "the item changed while it was written" if as_expected(change, found) else NEWER
        return Written(change, "conflict", found, reason)

    def _create(self, change: Change) -> None:
        self._call(
            "PutItem", Item=change.wanted, ConditionExpression="attribute_not_exists(#k)",
            ExpressionAttributeNames={"#k": self.table.keys.partition},
        )  # fmt: skip

    def _update(self, change: Change) -> Written:
        params = update_params(change, self.table.keys.names)
        if params is None:
            return Written(change, "conflict", self._read(change), TOO_MANY)
        answer = self._call("UpdateItem", Key=change.key, ReturnValues="ALL_NEW", **params)
        held: Item | None = answer.get("Attributes")
        if held is None:
            return self._refused(change)
        return Written(change, "applied") if same(held, change.wanted) else Written(change, "conflict", held, ADDED)

    def _remove(self, change: Change) -> Written:
        expected = change.expected or {}
        condition = Condition()
        condition.holds(expected, [name for name in expected if name not in self.table.keys.names])
        if not condition.fits:
            return Written(change, "conflict", self._read(change), TOO_MANY)
        condition.exists(self.table.keys.partition)
        answer = self._call("DeleteItem", Key=change.key, ReturnValues="ALL_OLD", **condition.params())
        removed: Item | None = answer.get("Attributes")
        if removed is None:
            return self._refused(change)
        if same(removed, expected):
            return Written(change, "applied")
        return self._put_back(change, removed)

    def _put_back(self, change: Change, removed: Item) -> Written:
        """No condition can say "and no other attribute": what had one is put back as it was."""
        if self.aside is not None:
            self.aside.removed(removed)
        return Written(change, "conflict", removed, PUT_BACK if self.put_back(change.key, removed) else GONE)

    def put_back(self, key: Item, removed: Item) -> bool:
        """An item that was removed in vain into its key again; False when another one was there first."""
        try:
            self._create(Change(key, None, removed))
            back = True
        except AwsError as error:
            if error.aws_code != "ConditionalCheckFailedException":
                raise
            # A put whose answer was lost is refused when it is sent again: then it is back.
            back = same(self._read(Change(key, None, removed)), removed)
        if self.aside is not None:
            self.aside.settled(removed)
        return back

    def _read(self, change: Change) -> Item | None:
        return get_item(self.plane, self.table.name, change.key, consistent=True)

    def _call(self, operation: str, **params: Any) -> dict[str, Any]:
        if self.limit is not None:
            self.limit.before()
        wanted = {"TableName": self.table.name, "ReturnConsumedCapacity": "TOTAL", **params}
        answer = self.plane.call(operation, wanted)
        if self.limit is not None:
            self.limit.spent(consumed(answer))
        return answer


class Condition:
    """A condition on whole attributes, with placeholders for every name and value."""

    def __init__(self) -> None:
        self._tests: list[str] = []
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        self.compared = 0

    @property
    def fits(self) -> bool:
        """Whether AWS takes an expression of so many operators."""
        return self.compared <= COMPARED_ATTRIBUTES

    def name(self, attribute: str) -> str:
        """The placeholder of an attribute name."""
        found = next((short for short, name in self._names.items() if name == attribute), None)
        if found is None:
            found = f"#a{len(self._names)}"
            self._names[found] = attribute
        return found

    def value(self, value: Any) -> str:
        """A placeholder of a value."""
        short = f":v{len(self._values)}"
        self._values[short] = value
        return short

    def holds(self, item: Item, attributes: Iterable[str]) -> None:
        """The attributes have the values of `item`."""
        for attribute in attributes:
            self._tests.append(f"{self.name(attribute)} = {self.value(item[attribute])}")
            self.compared += 1

    def lacks(self, attribute: str) -> None:
        """The attribute is not there."""
        self._tests.append(f"attribute_not_exists({self.name(attribute)})")
        self.compared += 1

    def exists(self, attribute: str) -> None:
        """The attribute is there; of a key attribute: the item is."""
        self._tests.append(f"attribute_exists({self.name(attribute)})")

    def params(self) -> dict[str, Any]:
        """Members of the request."""
        found: dict[str, Any] = {
            "ConditionExpression": " AND ".join(self._tests), "ExpressionAttributeNames": self._names,
        }  # fmt: skip
        return {**found, "ExpressionAttributeValues": self._values} if self._values else found


def update_params(change: Change, keys: tuple[str, ...]) -> dict[str, Any] | None:
    """UpdateItem from the expected to the wanted item; None when no condition can hold what must be compared.

    An item of very many attributes is compared in those that change, which are all that the update touches.
    """
    expected, wanted = change.expected or {}, change.wanted or {}
    changed = [
        name
        for name in sorted(expected.keys() | wanted.keys())
        if name not in keys and not _equal(expected, wanted, name)
    ]
    rest = [name for name in expected if name not in keys and name not in changed]
    condition = Condition()
    condition.exists(keys[0])
    for name in changed:
        if name in expected:
            condition.holds(expected, (name,))
        else:
            condition.lacks(name)
    if condition.compared + len(rest) <= COMPARED_ATTRIBUTES:
        condition.holds(expected, rest)
    if not condition.fits:
        return None
    sets = [f"{condition.name(name)} = {condition.value(wanted[name])}" for name in changed if name in wanted]
    removes = [condition.name(name) for name in changed if name not in wanted]
    parts = [f"SET {', '.join(sets)}"] if sets else []
    parts += [f"REMOVE {', '.join(removes)}"] if removes else []
    return {"UpdateExpression": " ".join(parts), **condition.params()}


def _equal(left: Item, right: Item, name: str) -> bool:
    if name not in left or name not in right:
        return False
    return same({name: left[name]}, {name: right[name]})
