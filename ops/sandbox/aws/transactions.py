"""TransactWriteItems: all of it or nothing, and for each item the reason.

docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html and API_CancellationReason.html. What
is wrong with the request refuses it; what is wrong with one item cancels it, each item with its own reason. A client
token makes a repetition within ten minutes do nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.dynamodb.exceptions import (
    MultipleTransactionsException,
    TooManyTransactionsException,
    TransactionCanceledException,
    TransactWriteSingleOpException,
)
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from ops.sandbox.aws.capacity import Consumed, level_of, write_of
from ops.sandbox.aws.errors import service_error, validation
from ops.sandbox.aws.expressions import condition_of
from ops.sandbox.aws.history import History
from ops.sandbox.aws.items import StoredItem, Wire
from ops.sandbox.aws.lifecycle import data_table
from ops.sandbox.aws.limits import checked_item, checked_key, key_plan
from ops.sandbox.aws.requests import check_placeholders
from ops.sandbox.aws.tables import place, remove, stored
from ops.sandbox.aws.update_answers import check_targets, without_groups
from ops.sandbox.aws.values import checked_value
from ops.sandbox.aws.world import World

MAX_ITEMS = 100
MAX_BYTES = 4 * 1024 * 1024
TOKEN_VALID_S = 600.0
# each kind as the call whose expressions it takes
KINDS = {"ConditionCheck": "DeleteItem", "Put": "PutItem", "Delete": "DeleteItem", "Update": "UpdateItem"}

Document = dict[str, Any]
Reason = tuple[str | None, str | None, Wire | None]
NO_REASON: Reason = (None, None, None)


@dataclass(slots=True)
class Step:
    """One item of the transaction, and what it found and left."""

    table: Table
    kind: str
    body: Document
    before: StoredItem | None = None
    after: StoredItem | None = None
    key: Wire = field(default_factory=dict)

    @property
    def given(self) -> Wire:
        """The wire members that hold the key."""
        found: Wire = self.body["Item"] if self.kind == "Put" else self.body["Key"]
        return found


class Transactions:
    """Remembers client tokens."""

    def __init__(self, world: World, history: History) -> None:
        self._world = world
        self._history = history
        self._tokens: dict[tuple[str, str], tuple[float, Document]] = {}

    def write(self, backend: DynamoDBBackend, body: Document) -> Document:
        """Apply, or raise with nothing applied."""
        level, listed = level_of(body), body["TransactItems"]
        if len(listed) > MAX_ITEMS:
            raise TooManyTransactionsException()
        replayed = self._replayed(backend.region_name, body)
        steps = [self._step(backend, entry) for entry in listed]
        if not replayed:
            self._apply(backend, steps)
            self._remember(backend.region_name, body)
        return {} if level == "NONE" else {"ConsumedCapacity": _capacity(steps, level)}

    def _replayed(self, region: str, body: Document) -> bool:
        found = self._tokens.get((region, body.get("ClientRequestToken") or ""))
        if found is None or self._world.now() - found[0] > TOKEN_VALID_S:
            return False
        if found[1] != body["TransactItems"]:
            raise service_error("IdempotentParameterMismatchException", "The token was used with other parameters")
        return True

    def _remember(self, region: str, body: Document) -> None:
        now_s = self._world.now()
        self._tokens = {key: one for key, one in self._tokens.items() if now_s - one[0] <= TOKEN_VALID_S}
        if token := body.get("ClientRequestToken"):
            self._tokens[region, token] = (now_s, body["TransactItems"])

    def _step(self, backend: DynamoDBBackend, entry: Document) -> Step:
        """What can be said without looking at an item; an empty key refuses the whole request."""
        if len(entry) != 1 or not set(entry) <= set(KINDS):
            raise TransactWriteSingleOpException
        ((kind, body),) = entry.items()
        check_placeholders(KINDS[kind], body, prefix="")
        step = Step(data_table(self._world, backend, body["TableName"]), kind, body)
        for name in step.table.table_key_attrs:
            value = step.given.get(name)
            if value in ({"S": ""}, {"B": ""}):
                word = "string" if "S" in value else "binary"
                raise validation("One or more parameter values are not valid. The AttributeValue for a key attribute "
                                 f"cannot contain an empty {word} value. Key: {name}")  # fmt: skip
        return step

    def _apply(self, backend: DynamoDBBackend, steps: list[Step]) -> None:
        done: list[Step] = []
        try:
            with self._history.atomic():
                seen: set[str] = set()
                reasons = [self._checked(step, seen) for step in steps]
                _check_size(steps)
                for at, step in enumerate(steps):
                    if reasons[at] == NO_REASON:
                        done.append(step)
                        reasons[at] = self._changed(backend, step)
                if any(reason != NO_REASON for reason in reasons):
                    raise TransactionCanceledException(reasons)
        except BaseException:
            for step in done:
                _undo(step)
            raise

    def _checked(self, step: Step, seen: set[str]) -> Reason:
        """Key, item and condition; no item is touched twice."""
        plan = key_plan(step.table)
        try:
            if step.kind == "Put":
                step.after = checked_item(plan, step.given)
                step.key = {name: step.after.wire[name] for name in plan.names}
            else:
                step.key = checked_key(plan, step.given)
        except JsonRESTError as error:
            return "ValidationError", _message(error), None
        target = json.dumps([step.table.table_arn, step.key], sort_keys=True)
        if target in seen:
            raise MultipleTransactionsException()
        seen.add(target)
        step.before = stored(step.table, step.key)
        condition = condition_of(step.body, "ConditionExpression")
        if condition is not None and not condition.expr(step.before):
            shown = step.body.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and step.before is not None
            return "ConditionalCheckFailed", "The conditional request failed", step.before.wire if shown else None  # type: ignore[union-attr]
        return NO_REASON

    def _changed(self, backend: DynamoDBBackend, step: Step) -> Reason:
        """The change itself, journalled at the one instant of the transaction."""
        try:
            if step.kind == "Put" and step.after is not None:
                self._history.put(step.table, step.after, step.before)
            elif step.kind == "Delete" and step.before is not None:
                self._history.delete(step.table, step.before)
            elif step.kind == "Update":
                check_targets(step.table, step.body)
                step.after = backend.update_item(  # type: ignore[assignment]
                    step.table.name, step.key, update_expression=without_groups(step.body["UpdateExpression"]),
                    expression_attribute_names=step.body.get("ExpressionAttributeNames") or {},
                    expression_attribute_values=step.body.get("ExpressionAttributeValues") or {},
                )  # fmt: skip
            else:
                step.after = step.before if step.kind == "ConditionCheck" else None
        except JsonRESTError as error:
            if "Invalid UpdateExpression" in _message(error):
                raise  # wrong whatever the item holds: the request is refused, not the item
            return "ValidationError", _message(error), None
        return NO_REASON


def _undo(step: Step) -> None:
    """Put back what was there; the journal has not heard of the change."""
    if step.before is not None:
        place(step.table, step.before)
    elif step.after is not None:
        remove(step.table, step.after)


def _check_size(steps: list[Step]) -> None:
    total = 0
    for step in steps:
        if step.after is not None:
            total += step.after.size_bytes
        else:
            values = (step.body.get("ExpressionAttributeValues") or {}).values()
            total += sum(checked_value(value)[1] for value in values)
    if total > MAX_BYTES:
        raise validation("Transaction request cannot be larger than 4 MB")


def _capacity(steps: list[Step], level: str) -> list[Document]:
    """Twice what the writes would cost by themselves."""
    tables: dict[str, Table] = {}
    consumed: dict[str, Consumed] = {}
    for step in steps:
        tables[step.table.name] = step.table
        for _ in range(2):
            consumed.setdefault(step.table.name, Consumed()).add(write_of(step.table, step.before, step.after))
    return [one.described(tables[name], level) for name, one in consumed.items()]


def _message(error: JsonRESTError) -> str:
    found: Document = json.loads(str(error.description))
    return str(found.get("message") or found.get("Message") or error)


def install(world: World, history: History) -> None:
    """Replace moto's transaction, which copies every table and tells other reasons."""
    transactions = Transactions(world, history)

    def transact_write_items(self: DynamoHandler) -> ActionResult:
        return ActionResult(transactions.write(self.dynamodb_backend, self.body))

    DynamoHandler.transact_write_items = transact_write_items  # type: ignore[method-assign]
