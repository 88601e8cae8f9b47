"""What a bulk write sends: requests as the bytes they travel as, each with the key that makes it one of a kind.

An export line is exactly the value of a PutRequest. It is not parsed: msgspec finds it to be one well-formed JSON
object and reads its key attributes on the way; what is odd about a line sends it to the full check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
        """The item, or the key of a deletion."""
        [item] = orjson.loads(self.wire).values()
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
        try:
            validate_item(item, self._keys, self._indexes)
            wire = b'{"Item":%s}' % orjson.dumps(item)
        except (TypeError, orjson.JSONEncodeError) as error:
            raise Unacceptable(str(error)) from error
        return Entry(position, key_of_texts(item, self._keys), wire, True)

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
    limits = (PARTITION_KEY_LIMIT_BYTES, SORT_KEY_LIMIT_BYTES)
    fields = [(f"k{at}", _value_type(kind)) for at, kind in enumerate(keys.types.values())]
    try:
        item = msgspec.defstruct("Item", fields, rename={f"k{at}": name for at, name in enumerate(keys.names)})
    except ValueError:  # a name with a quote or a backslash: msgspec has no such fields
        return _no_reader
    line = msgspec.defstruct("Line", [("item", item)], rename={"item": "Item"}, forbid_unknown_fields=True)
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(line).decode
    makers = [_key_maker(kind, limit) for kind, limit in zip(keys.types.values(), limits, strict=False)]
    if keys.sort is None:
        [only] = makers
        return lambda text: (only(decode(text).item.k0.text),)
    first, second = makers

    def both(text: bytes) -> Key:
        found = decode(text).item
        return (first(found.k0.text), second(found.k1.text))

    return both


def _no_reader(line: bytes) -> Key:
    raise Unacceptable("read whole")


def _value_type(kind: str) -> Any:
    return msgspec.defstruct("Value", [("text", str)], rename={"text": kind}, forbid_unknown_fields=True)


def _key_maker(kind: str, limit_bytes: int) -> Callable[[str], str]:
    if kind == "N":
        return canonical_number

    def text(content: str) -> str:
        # Four bytes is the longest that a character gets; base64 is longer than what it stands for.
        if not content or len(content) * 4 > limit_bytes:
            raise Unacceptable("a key to be looked at more closely")
        return content

    return text if kind == "S" else lambda content: _binary(text(content))


def keys_of(entries: list[Entry]) -> Iterator[Key]:
    """Their keys."""
    return (entry.key for entry in entries)
