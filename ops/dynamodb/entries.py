"""What a bulk write sends: requests as the bytes they travel as, each with the key that makes it one of a kind.

An export line is exactly the value of a PutRequest. It is not parsed: msgspec finds it to be one well-formed JSON
object and reads its key attributes on the way; what is odd about a line sends it to the full check.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from ops.dynamodb.attributes import (
    ITEM_LIMIT_BYTES,
    PARTITION_KEY_LIMIT_BYTES,
    SORT_KEY_LIMIT_BYTES,
    Unacceptable,
    canonical_number,
    decode_binary,
    validate_item,
    validate_key,
)
from ops.model.items import Item, KeySchema

#: Texts of the key attributes: equal for keys that are one to DynamoDB.
Key = tuple[str, ...]


@dataclass(slots=True)
class Entry:
    """One request: where its item stood in the input (from 1), its key, its value on the wire (`{"Item":{…}}`)."""

    position: int
    key: Key
    wire: bytes
    #: Whether every value was looked at; a line is only when AWS refuses its batch.
    checked: bool

    @property
    def item(self) -> Item:
        """The item, or the key of a deletion; empty for a line that turned out to be none."""
        try:
            [item] = orjson.loads(self.wire).values()
        except orjson.JSONDecodeError:
            return {}
        found: Item = item
        return found


def key_of_texts(item: Item, keys: KeySchema) -> Key:
    """Equal keys give equal texts: `1` and `1.0`, or base64 with other unused bits, are one key to DynamoDB."""
    return tuple([_TEXT[kind](item[name][kind]) for name, kind in keys.types.items()])


def _binary(content: str) -> str:
    return decode_binary(content).hex()


def _same(content: str) -> str:
    return content


_TEXT: dict[str, Callable[[str], str]] = {"S": _same, "N": canonical_number, "B": _binary}


class Entries:
    """Makes entries for one table; Unacceptable says why an input cannot become one."""

    def __init__(self, keys: KeySchema, indexes: Any) -> None:
        self._keys = keys
        self._indexes = indexes
        self._read_key = _line_reader(keys)

    def put(self, position: int, item: Item) -> Entry:
        """A put of an item, every value of it checked."""
        validate_item(item, self._keys, self._indexes)
        return Entry(position, key_of_texts(item, self._keys), b'{"Item":%s}' % orjson.dumps(item), True)

    def delete(self, position: int, key: Item) -> Entry:
        """A deletion by key."""
        validate_key(key, self._keys)
        return Entry(position, key_of_texts(key, self._keys), b'{"Key":%s}' % orjson.dumps(key), True)

    def line(self, position: int, line: bytes) -> Entry:
        """A put of an export line, only its form, size and key checked."""
        # In JSON no item is shorter than by AWS's arithmetic: only long lines can be too long.
        if len(line) <= ITEM_LIMIT_BYTES:
            try:
                return Entry(position, self._read_key(line), line, False)
            except (msgspec.DecodeError, Unacceptable, RecursionError):
                pass  # the full check below decides, and says why
        return self.put(position, item_of_line(line))

    def why_not(self, entry: Entry) -> str | None:
        """The reason for which AWS refuses this entry, where one can be seen from here."""
        if entry.checked:
            return None
        try:
            validate_item(item_of_line(entry.wire), self._keys, self._indexes)
        except Unacceptable as error:
            return str(error)
        entry.checked = True
        return None


def item_of_line(line: bytes) -> Any:
    """The item of an export line `{"Item": {…}}`; Unacceptable for anything else."""
    if line.startswith(b"\xef\xbb\xbf"):
        raise Unacceptable("the line begins with a byte order mark")
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise Unacceptable(f"not JSON: {error}" if line.strip() else "the line is empty") from error
    if not isinstance(document, dict) or set(document) != {"Item"}:
        raise Unacceptable('a line must be {"Item": {…}} and nothing else')
    return document["Item"]


def _line_reader(keys: KeySchema) -> Callable[[bytes], Key]:
    """The key of a line, its item's other attributes stepped over."""
    fields = [(f"k{at}", _value_type(kind)) for at, kind in enumerate(keys.types.values())]
    try:
        item = msgspec.defstruct("Item", fields, rename={f"k{at}": name for at, name in enumerate(keys.names)})
    except ValueError:  # a name with a quote or a backslash: msgspec has no such fields
        return _no_reader
    line = msgspec.defstruct("Line", [("item", item)], rename={"item": "Item"}, forbid_unknown_fields=True)
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(line).decode
    first = _TEXT[keys.partition_type]
    # Four bytes is the longest that a character gets; base64 and digits are longer than what they stand for.
    most_first, most_second = PARTITION_KEY_LIMIT_BYTES // 4, SORT_KEY_LIMIT_BYTES // 4
    if keys.sort is None:

        def one(text: bytes) -> Key:
            partition = decode(text).item.k0.text
            if not 0 < len(partition) <= most_first:
                raise Unacceptable("a key to be looked at more closely")
            return (first(partition),)

        return one
    second = _TEXT[keys.sort_type or "S"]

    def both(text: bytes) -> Key:
        found = decode(text).item
        partition, sort = found.k0.text, found.k1.text
        if not (0 < len(partition) <= most_first and 0 < len(sort) <= most_second):
            raise Unacceptable("a key to be looked at more closely")
        return (first(partition), second(sort))

    def both_texts(text: bytes) -> Key:
        found = decode(text).item
        partition, sort = found.k0.text, found.k1.text
        if not (0 < len(partition) <= most_first and 0 < len(sort) <= most_second):
            raise Unacceptable("a key to be looked at more closely")
        return (partition, sort)

    return both_texts if first is second is _same else both


def _no_reader(line: bytes) -> Key:
    raise Unacceptable("read whole")


def _value_type(kind: str) -> Any:
    return msgspec.defstruct("Value", [("text", str)], rename={"text": kind}, forbid_unknown_fields=True)
