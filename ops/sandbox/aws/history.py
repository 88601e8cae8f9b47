"""Every change of every item, in order: what makes a restore to a past second true.

docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html: any second of the
window can be restored. Items never change in place, so the journal holds references, not copies.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from moto.dynamodb.comparisons import get_expected, get_filter_expression
from moto.dynamodb.exceptions import ConditionalCheckFailed, ItemSizeTooLarge, ItemSizeToUpdateTooLarge
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from ops.sandbox.aws.items import Key, StoredItem, plain_wire, with_text
from ops.sandbox.aws.limits import checked_item, key_plan
from ops.sandbox.aws.tables import TableState, clone, place, remove, state_of, stored
from ops.sandbox.aws.window import window_of
from ops.sandbox.aws.world import World

Pending = tuple[Table, Key, StoredItem | None, StoredItem | None]
TRIM_EVERY_S = 3_600
OnCommit = Callable[[Table, StoredItem | None, StoredItem | None], None]


class History:
    """Writes go through here: applied to moto's table, journalled at one instant per request."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._running = threading.local()
        self.on_commit: list[OnCommit] = []
        # who deletes, for the stream: None is the caller
        self.actor: dict[str, str] | None = None

    def put(self, table: Table, item: StoredItem, before: StoredItem | None) -> None:
        """Store the item over `before` (None when the key is new)."""
        place(table, item)
        self._record(table, item.key, before, item)

    def delete(self, table: Table, before: StoredItem) -> None:
        """Remove the item."""
        remove(table, before)
        self._record(table, before.key, before, None)

    def changed(self, table: Table, before: StoredItem | None, after: StoredItem) -> None:
        """Journal a change that is already in the table."""
        self._record(table, after.key, before, after)

    @contextmanager
    def acting_as(self, identity: dict[str, str] | None) -> Iterator[None]:
        """Changes inside are made by the service itself."""
        outer, self.actor = self.actor, identity
        try:
            yield
        finally:
            self.actor = outer

    def _record(self, table: Table, key: Key, before: StoredItem | None, after: StoredItem | None) -> None:
        buffer: list[Pending] | None = getattr(self._running, "buffer", None)
        if buffer is None:
            self._commit_one(table, key, before, after, self._world.now())
        else:
            state_of(table).version += 1
            buffer.append((table, key, before, after))

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """All changes inside are journalled at one instant, or none of them if the block fails."""
        outer: list[Pending] | None = getattr(self._running, "buffer", None)
        buffer: list[Pending] = []
        self._running.buffer = buffer
        try:
            yield
        finally:
            self._running.buffer = outer
        if outer is None:
            self._commit(buffer)
        else:
            outer.extend(buffer)

    def _commit(self, changes: list[Pending]) -> None:
        now_s = self._world.now()
        for table, key, before, after in changes:
            self._commit_one(table, key, before, after, now_s)

    def _commit_one(
        self, table: Table, key: Key, before: StoredItem | None, after: StoredItem | None, now_s: float
    ) -> None:
        state = state_of(table)
        state.version += 1
        if state.recovery_since_s is not None:
            state.journal.append(now_s, key, after)
            if now_s >= state.trim_due_s:
                self._trim(table, now_s)
        for listener in self.on_commit:
            listener(table, before, after)

    def _trim(self, table: Table, now_s: float) -> None:
        state, bounds = state_of(table), window_of(self._world, table)
        if bounds is not None:
            state.journal.trim(bounds[0])
        state.trim_due_s = now_s + TRIM_EVERY_S


def install(world: World, history: History) -> None:
    """Put the journal under moto's only three ways to change an item, and under its transactions."""
    original_init, original_update = Table.__init__, DynamoDBBackend.update_item
    original_transaction = DynamoDBBackend.transact_write_items
    original_call = DynamoHandler.call_action

    @functools.wraps(original_init)
    def init(self: Table, *args: Any, **kwargs: Any) -> None:
        self.__dict__["sandbox"] = TableState(created_s=world.now(), counted_s=world.now())
        original_init(self, *args, **kwargs)

    def put_item(
        self: Table,
        item_attrs: dict[str, Any],
        expected: dict[str, Any] | None = None,
        condition_expression: str | None = None,
        expression_attribute_names: dict[str, str] | None = None,
        expression_attribute_values: dict[str, Any] | None = None,
        overwrite: bool = False,
        return_values_on_condition_check_failure: str | None = None,
    ) -> StoredItem:
        item = checked_item(key_plan(self), plain_wire(item_attrs))
        before: Any = self.get_item(item.hash_key, item.range_key)
        if not overwrite:
            condition = get_filter_expression(
                condition_expression, expression_attribute_names, expression_attribute_values
            )
            if not (get_expected(expected or {}).expr(before) and condition.expr(before)):
                wanted = return_values_on_condition_check_failure == "ALL_OLD" and before is not None
                raise ConditionalCheckFailed(item=before.wire if wanted else None)
        history.put(self, item, before)
        return item

    def delete_item(self: Table, hash_key: DynamoType, range_key: DynamoType | None) -> StoredItem | None:
        before = stored(self, _key_of_parts(self, hash_key, range_key))
        if before is not None:
            history.delete(self, before)
        return before

    def update_item(self: DynamoDBBackend, table_name: str, *args: Any, **kwargs: Any) -> StoredItem:
        return _update(history, original_update, self, table_name, *args, **kwargs)

    def transact_write_items(self: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
        try:
            with history.atomic():
                original_transaction(self, transact_items)
        finally:  # moto rolls back by putting the clones in place: views of the tables are stale
            for table in self.tables.values():
                state_of(table).version += 1

    def call_action(self: DynamoHandler) -> Any:
        self.params = with_text(getattr(self, "params", {}))
        return original_call(self)

    DynamoHandler.call_action = call_action  # type: ignore[method-assign]
    Table.__init__ = init  # type: ignore[method-assign]
    Table.__deepcopy__ = lambda self, memo: clone(self)  # type: ignore[attr-defined]
    Table.put_item = put_item  # type: ignore[method-assign]
    Table.delete_item = delete_item  # type: ignore[method-assign]
    DynamoDBBackend.update_item = update_item  # type: ignore[method-assign]
    DynamoDBBackend.transact_write_items = transact_write_items  # type: ignore[method-assign]


def _key_of_parts(table: Table, hash_key: DynamoType, range_key: DynamoType | None) -> dict[str, Any]:
    parts = [one for one in (hash_key, range_key) if one is not None]
    return plain_wire(dict(zip(table.table_key_attrs, parts, strict=False)))


def _update(
    history: History,
    original: Callable[..., Any],
    backend: DynamoDBBackend,
    table_name: str,
    *args: Any,
    **kw: Any,
) -> StoredItem:
    """moto updates in place and leaves a keys-only ghost behind when it fails: give it a copy, keep the old."""
    table = backend.get_table(table_name)
    plan = key_plan(table)
    key = args[0] if args else kw["key"]
    before = _live(table, plan.names, key)
    if before is not None:
        table_slot = before.as_mutable()
        place(table, table_slot)  # type: ignore[arg-type]
    shard, table.stream_shard = table.stream_shard, None
    try:
        with _silenced(history):
            changed = original(backend, table_name, *args, **kw)
        after = _checked_update(plan, plain_wire(changed.attrs))
    except BaseException:
        _undo(table, plan.names, key, before)
        raise
    finally:
        table.stream_shard = shard
    place(table, after)
    history.changed(table, before, after)
    return after


def _checked_update(plan: Any, wire: dict[str, Any]) -> StoredItem:
    try:
        return checked_item(plan, wire)
    except ItemSizeTooLarge as error:
        raise ItemSizeToUpdateTooLarge from error


def _live(table: Table, names: list[str], key: dict[str, Any]) -> StoredItem | None:
    return stored(table, key) if all(name in key for name in names) else None


def _undo(table: Table, names: list[str], key: dict[str, Any], before: StoredItem | None) -> None:
    if before is not None:
        place(table, before)
    elif (ghost := _live(table, names, key)) is not None:
        remove(table, ghost)


@contextmanager
def _silenced(history: History) -> Iterator[None]:
    """Journal nothing of what moto's update does on its way; the caller journals the result."""
    outer = getattr(history._running, "buffer", None)
    history._running.buffer = []
    try:
        yield
    finally:
        history._running.buffer = outer
