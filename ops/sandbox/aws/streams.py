"""Stream records: each change once, none for a write that changes nothing, the table's own Region.

docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html. moto writes INSERT twice for an UpdateItem
that creates, MODIFY for a put of equal content, and us-east-1 everywhere.
"""

from __future__ import annotations

import uuid
from typing import Any

from moto.dynamodb.models.table import Table

from ops.sandbox.aws.clock import moment
from ops.sandbox.aws.items import StoredItem, with_bytes
from ops.sandbox.aws.world import World

_KINDS = {(False, True): "INSERT", (True, True): "MODIFY", (True, False): "REMOVE"}


class StreamEntry:
    """A record in waiting: cheap to keep, spelled out when it is read."""

    __slots__ = ("_after", "_before", "_event", "_number", "_table", "_view", "_when_s")

    def __init__(
        self, table: Table, view: str, number: int, when_s: float,
        before: StoredItem | None, after: StoredItem | None,
    ) -> None:  # fmt: skip
        self._table, self._view, self._number, self._when_s = table, view, number, when_s
        self._before, self._after = before, after
        self._event = uuid.uuid4().hex

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
        return {
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


def recorder(world: World) -> Any:
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
        shard.items.append(StreamEntry(table, view, number, world.now(), before, after))  # type: ignore[arg-type]

    return record
