"""Stream records: each change once, none for a write that changes nothing, the table's own Region.

docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html. moto writes INSERT twice for an UpdateItem
that creates, MODIFY for a put of equal content, and us-east-1 everywhere.
"""

from __future__ import annotations

import uuid
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models.table import StreamShard, Table
from moto.dynamodbstreams.models import DynamoDBStreamsBackend, ShardIterator

from ops.sandbox.aws.clock import moment
from ops.sandbox.aws.history import History
from ops.sandbox.aws.items import StoredItem, with_bytes
from ops.sandbox.aws.world import World

KEPT_S = 86_400
_KINDS = {(False, True): "INSERT", (True, True): "MODIFY", (True, False): "REMOVE"}


class StreamEntry:
    """A record in waiting: cheap to keep, spelled out when it is read."""

    __slots__ = ("_actor", "_after", "_before", "_event", "_number", "_table", "_view", "_when_s")

    def __init__(
        self, table: Table, view: str, number: int, when_s: float,
        before: StoredItem | None, after: StoredItem | None, actor: dict[str, str] | None,
    ) -> None:  # fmt: skip
        self._table, self._view, self._number, self._when_s = table, view, number, when_s
        self._before, self._after, self._actor = before, after, actor
        self._event = uuid.uuid4().hex

    @property
    def when_s(self) -> float:
        """When it was written."""
        return self._when_s

    def to_json(self) -> dict[str, Any]:
        """The record as GetRecords returns it."""
        item = self._after or self._before
        assert item is not None
        images: dict[str, Any] = {}
        if self._after is not None and self._view in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
            images["NewImage"] = with_bytes(self._after.wire)
        if self._before is not None and self._view in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES"):
            images["OldImage"] = with_bytes(self._before.wire)
        keys = with_bytes({name: item.wire[name] for name in self._table.table_key_attrs})
        identity = {} if self._actor is None else {"userIdentity": dict(self._actor)}
        return identity | {
            "eventID": self._event,
            "eventName": _KINDS[self._before is not None, self._after is not None],
            "eventSource": "aws:dynamodb",
            "eventVersion": "1.1",
            "awsRegion": self._table.region_name,
            "dynamodb": {
                "StreamViewType": self._view,
                "ApproximateCreationDateTime": moment(int(self._when_s)),
                "SequenceNumber": str(self._number),
                "SizeBytes": sum(one.size_bytes for one in (self._before, self._after) if one is not None),
                "Keys": keys,
                **images,
            },
        }


def recorder(world: World, history: History) -> Any:
    """The listener that writes one record per committed change."""

    def record(table: Table, before: StoredItem | None, after: StoredItem | None) -> None:
        shard = table.stream_shard
        if shard is None or table.stream_specification is None:
            return
        if before is not None and after is not None and before.wire == after.wire:
            return
        view = table.stream_specification.get("StreamViewType")
        if not view:
            return
        number = shard.starting_sequence_number + len(shard.items)
        entry: Any = StreamEntry(table, view, number, world.now(), before, after, history.actor)
        shard.items.append(entry)

    return record


def trim(shard: StreamShard, now_s: float) -> None:
    """Records are kept for 24 hours; sequence numbers go on counting."""
    entries: list[Any] = shard.items
    gone = next((at for at, entry in enumerate(entries) if entry.when_s > now_s - KEPT_S), len(entries))
    del entries[:gone]
    shard.starting_sequence_number += gone


def install(world: World) -> None:
    """Trim before a reader looks; an iterator that points to what is gone says so."""
    original_iterator, original_records = DynamoDBStreamsBackend.get_shard_iterator, DynamoDBStreamsBackend.get_records

    def get_shard_iterator(
        self: DynamoDBStreamsBackend,
        arn: str,
        shard_id: str,
        shard_iterator_type: str,
        sequence_number: str | None = None,
    ) -> ShardIterator:
        shard = self._get_table_from_arn(arn).stream_shard
        if shard is None or shard.id != shard_id:
            raise JsonRESTError("ResourceNotFoundException", f"Requested resource not found: Shard: {shard_id}")
        trim(shard, world.now())
        if sequence_number is not None and int(sequence_number) < shard.starting_sequence_number:
            raise _trimmed()
        return original_iterator(self, arn, shard_id, shard_iterator_type, sequence_number)

    def get_records(self: DynamoDBStreamsBackend, iterator_arn: str, limit: int) -> dict[str, Any]:
        iterator = self.shard_iterators.get(iterator_arn)
        if iterator is None:
            raise JsonRESTError("ValidationException", "Invalid ShardIterator provided: of another Region or none")
        trim(iterator.stream_shard, world.now())
        if iterator.sequence_number < iterator.stream_shard.starting_sequence_number:
            raise _trimmed()
        return original_records(self, iterator_arn, limit)

    DynamoDBStreamsBackend.get_shard_iterator = get_shard_iterator  # type: ignore[method-assign]
    DynamoDBStreamsBackend.get_records = get_records  # type: ignore[method-assign]


def _trimmed() -> JsonRESTError:
    return JsonRESTError("TrimmedDataAccessException", "The requested sequence number is before the trim horizon")
