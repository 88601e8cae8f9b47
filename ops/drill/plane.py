"""The drill's own reads and writes of items, over the data plane, with an honest answer for each write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ops.aws import AwsError
from ops.clock import Clock
from ops.drill.ledger import Outcome, Planned, key_token
from ops.dynamodb.client import DataPlane
from ops.dynamodb.query import QueryRequest, query
from ops.dynamodb.scan import Scan, ScanRequest
from ops.errors import NotAllowed, OpsError, TableNotFound
from ops.model.items import AttributeValue, Item, KeySchema, key_of

#: Waits between the rounds of a batch whose items came back unprocessed.
_ROUND_WAITS_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0)


class Plane(Protocol):
    """What the steps of a drill need of a table's items; `data` is the wire below it."""

    @property
    def data(self) -> DataPlane:
        """For the sides of a comparison."""

    def scan(self, table: str, index: str | None = None) -> Iterator[Item]:
        """Every item, strongly consistent except on an index, where AWS offers no such read."""

    def count(self, table: str) -> int:
        """Items counted by a scan, never AWS's six-hourly figure."""

    def get(self, table: str, key: Item) -> Item | None:
        """The item of that key, strongly consistent."""

    def query(self, table: str, index: str, keys: KeySchema, partition: AttributeValue) -> Iterator[Item]:
        """Items of one partition of an index."""

    def write(self, table: str, planned: Sequence[Planned]) -> list[Outcome]:
        """At most 25 writes; for each: acknowledged, refused, or unknown when no answer came."""


@dataclass(frozen=True, slots=True)
class TablePlane:
    """`Plane` over signed HTTP."""

    data: DataPlane
    schema: KeySchema
    clock: Clock

    def scan(self, table: str, index: str | None = None) -> Iterator[Item]:
        return Scan(self.data, ScanRequest(table, index, consistent=index is None)).items()

    def count(self, table: str) -> int:
        return sum(1 for _ in Scan(self.data, ScanRequest(table, consistent=True, fields=self.schema.names)).items())

    def get(self, table: str, key: Item) -> Item | None:
        answer = self.data.call(
            "GetItem",
            {"TableName": table, "Key": key, "ConsistentRead": True, "ReturnConsumedCapacity": "TOTAL"},
        )
        found: Item | None = answer.get("Item")
        return found

    def query(self, table: str, index: str, keys: KeySchema, partition: AttributeValue) -> Iterator[Item]:
        return query(self.data, QueryRequest(table, keys, partition, index=index))

    def write(self, table: str, planned: Sequence[Planned]) -> list[Outcome]:
        if len(planned) == 1:
            return [self._single(table, planned[0])]
        return self._batch(table, planned)

    def _single(self, table: str, one: Planned) -> Outcome:
        params: dict[str, Any] = {"TableName": table, "ReturnConsumedCapacity": "TOTAL"}
        params |= {"Key": one.key} if one.item is None else {"Item": one.item}
        try:
            self.data.call("DeleteItem" if one.item is None else "PutItem", params)
        except OpsError as error:
            return _outcome(error)
        return "ok"

    def _batch(self, table: str, planned: Sequence[Planned]) -> list[Outcome]:
        requests = {key_token(one.key): _request(one) for one in planned}
        left = dict(requests)
        for wait_s in _ROUND_WAITS_S:
            try:
                answer = self.data.call("BatchWriteItem", {"RequestItems": {table: list(left.values())}})
            except OpsError as error:
                failed = _outcome(error)
                return [failed if key_token(one.key) in left else "ok" for one in planned]
            unprocessed = answer["UnprocessedItems"].get(table, ())
            left = {token: left[token] for token in (self._token(one) for one in unprocessed)}
            if not left:
                break
            self.clock.sleep(wait_s)
        return ["unknown" if key_token(one.key) in left else "ok" for one in planned]

    def _token(self, request: dict[str, Any]) -> str:
        if "DeleteRequest" in request:
            return key_token(request["DeleteRequest"]["Key"])
        return key_token(key_of(request["PutRequest"]["Item"], self.schema))


def _request(one: Planned) -> dict[str, Any]:
    return {"DeleteRequest": {"Key": one.key}} if one.item is None else {"PutRequest": {"Item": one.item}}


def _outcome(error: OpsError) -> Outcome:
    """A refusal is an answer; a broken connection, a spent retry budget or an unusable answer is none.

    What the guard refused, and everything else that is no answer of AWS, goes on up.
    """
    if isinstance(error, (AwsError, TableNotFound, NotAllowed)):
        return "fail"
    if error.exit_code == 9:
        return "unknown"
    raise error
