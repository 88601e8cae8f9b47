"""What the lines of an incremental export say: one net change for each key.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html: the old image is the state
just before the window; an item that was put and deleted inside it has no line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ops.clock import whole_seconds
from ops.dynamodb.attributes import Unacceptable, validate_item, validate_key
from ops.errors import BadArgument
from ops.model.items import Item, KeySchema, key_of
from ops.recovery.lines import BadLine, parse_json
from ops.recovery.manifest import Export
from ops.recovery.preflight import without_value
from ops.verify.canonical import ShapeError
from ops.verify.patch import same


@dataclass(frozen=True, slots=True)
class NetChange:
    """A key, its item before the window and after it; None is no item (or, in NEW_IMAGE exports, an unknown one)."""

    key: Item
    old: Item | None
    new: Item | None


def parse_change(raw: bytes, keys: KeySchema, indexes: Mapping[str, KeySchema]) -> NetChange:
    """One line; BadLine says why it cannot be used, without values."""
    document = parse_json(raw, wrapped=False)
    key, old, new = document.get("Keys"), document.get("OldImage"), document.get("NewImage")
    if not isinstance(key, dict):
        raise BadLine("no member Keys")
    try:
        validate_key(key, keys)
        for image, schemas in ((old, {}), (new, indexes)):
            if image is None:
                continue
            validate_item(image, keys, schemas)
            if not same(key_of(image, keys), key):
                raise BadLine("an image of another key")
    except (Unacceptable, ShapeError) as error:
        raise BadLine(without_value(str(error))) from error
    return NetChange(key, old, new)


def window_of(export: Export) -> tuple[datetime, datetime]:
    """From (inclusive) and to (exclusive) of an incremental export."""
    if not export.incremental:
        raise BadArgument(f"{export.address} is a full export, not an incremental one")
    since, until = (
        whole_seconds(datetime.fromisoformat(str(export.summary[name]))) for name in ("exportFromTime", "exportToTime")
    )
    return since, until
