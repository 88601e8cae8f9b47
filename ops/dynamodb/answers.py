"""What an answer must hold before any of it is used.

Length, checksum (when sent), JSON and the members that its operation must have: a truncated 200 that looks like an
empty page would end a scan early and pass for a small table.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from ops.dynamodb.capacity import consumed
from ops.dynamodb.retry import Failure
from ops.model.items import Item

#: Members without which an answer of the operation is not an answer.
REQUIRED: dict[str, tuple[str, ...]] = {
    "Scan": ("Count", "ScannedCount", "Items"),
    "Query": ("Count", "ScannedCount", "Items"),
    "BatchWriteItem": ("UnprocessedItems",),
    "BatchGetItem": ("Responses", "UnprocessedKeys"),
    "GetItem": ("ConsumedCapacity",),
    "PutItem": ("ConsumedCapacity",),
    "UpdateItem": ("ConsumedCapacity",),
    "DeleteItem": ("ConsumedCapacity",),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A raw HTTP answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes | bytearray


@dataclass(frozen=True, slots=True)
class RawPage:
    """A checked page of a Scan whose items stay the bytes that AWS sent: JSON objects without line feeds."""

    items: list[Any]
    scanned: int
    capacity: float
    next_key: Item | None


def checked(operation: str, answer: Answer) -> dict[str, Any]:
    """The document of an answer, or the `Failure` that says why it cannot be used."""
    _whole(answer)
    document = _document(answer)
    if answer.status != 200:
        raise _refusal(document, answer.status)
    _require(operation, document)
    return document


def checked_page(operation: str, answer: Answer) -> RawPage:
    """The same checks on a page, without building its items: they are only found to be well-formed JSON objects."""
    _whole(answer)
    if answer.status != 200:
        raise _refusal(_document(answer), answer.status)
    try:
        page = _PAGE.decode(answer.body)
        if "x-amz-crc32" not in answer.headers:
            # Nothing else has looked into the texts: msgspec steps over them as bytes.
            answer.body.decode()
    except msgspec.ValidationError as error:
        raise Failure("MissingMembers", f"{operation}: {error}", 200) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Failure("NotJson", f"HTTP 200: {error}", 200) from error
    if page.count != len(page.items) or page.scanned < page.count:
        raise Failure("MissingMembers", _COUNTS % (operation, page.count, page.scanned, len(page.items)), 200)
    if not all(memoryview(item)[0] == _BRACE for item in page.items):
        raise Failure("MissingMembers", f"{operation}: Items is no list of items", 200)
    if page.key is not msgspec.UNSET and not page.key:
        raise Failure("MissingMembers", f"{operation}: LastEvaluatedKey without a key", 200)
    key = None if page.key is msgspec.UNSET else page.key
    return RawPage(
        _one_line_each(answer.body, page.items), page.scanned, consumed({"ConsumedCapacity": page.used}), key
    )


_COUNTS = "%s: Count %s of %s, %s Items"
_BRACE = ord("{")


class _Page(msgspec.Struct, gc=False):
    count: int = msgspec.field(name="Count")
    scanned: int = msgspec.field(name="ScannedCount")
    items: list[msgspec.Raw] = msgspec.field(name="Items")
    key: dict[str, dict[str, Any]] | msgspec.UnsetType = msgspec.field(name="LastEvaluatedKey", default=msgspec.UNSET)
    used: Any = msgspec.field(name="ConsumedCapacity", default=None)


_PAGE = msgspec.json.Decoder(_Page)


def _one_line_each(body: bytes | bytearray, items: list[msgspec.Raw]) -> list[Any]:
    if b"\n" not in body:
        return items
    # A stand-in for AWS may indent; AWS does not. In JSON a line feed can only stand between members.
    return [orjson.dumps(orjson.loads(memoryview(item))) for item in items]


def _whole(answer: Answer) -> None:
    declared = answer.headers.get("content-length")
    if declared is not None and declared.strip() != str(len(answer.body)):
        raise Failure("Truncated", f"{len(answer.body)} of {declared} bytes arrived", answer.status)
    checksum = answer.headers.get("x-amz-crc32")
    if checksum is not None and checksum.strip() != str(zlib.crc32(answer.body)):
        raise Failure("ChecksumMismatch", "CRC32 of the body is not the one that was sent", answer.status)


def _document(answer: Answer) -> dict[str, Any]:
    try:
        document = orjson.loads(answer.body)
    except orjson.JSONDecodeError as error:
        raise Failure("NotJson", f"HTTP {answer.status}: {error}", answer.status) from error
    if not isinstance(document, dict):
        raise Failure("NotJson", "the body is no JSON object", answer.status)
    return document


def _refusal(document: dict[str, Any], status: int) -> Failure:
    code = str(document.get("__type", "Unknown")).rpartition("#")[2]
    message = str(document.get("message", document.get("Message", "")))
    told = document.get("ThrottlingReasons") or ()
    reasons = [str(one.get("reason", "")) for one in told if isinstance(one, dict)]
    if reasons:
        message = f"{message} ({', '.join(reasons)})"
    return Failure(code, message, status)


def _require(operation: str, document: dict[str, Any]) -> None:
    missing = [name for name in REQUIRED.get(operation, ()) if name not in document]
    if missing:
        raise Failure("MissingMembers", f"{operation} without {', '.join(missing)}", 200)
    if operation in ("Scan", "Query"):
        _require_page(operation, document)
    elif any(not isinstance(document[name], dict) for name in _OBJECTS & document.keys()):
        raise Failure("MissingMembers", f"{operation}: a member has another shape than AWS gives it", 200)


#: Members that are objects whenever they are there.
_OBJECTS = frozenset({"UnprocessedItems", "Responses", "UnprocessedKeys"})


def _require_page(operation: str, document: dict[str, Any]) -> None:
    items, count, scanned = document["Items"], document["Count"], document["ScannedCount"]
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Failure("MissingMembers", f"{operation}: Items is no list of items", 200)
    if count != len(items) or not isinstance(scanned, int) or scanned < count:
        raise Failure("MissingMembers", _COUNTS % (operation, count, scanned, len(items)), 200)
    key = document.get("LastEvaluatedKey", _LAST_PAGE)
    if key is not _LAST_PAGE and not (isinstance(key, dict) and key):
        # Empty or null is neither "more" nor "the end": taking it for the end would cut the table short.
        raise Failure("MissingMembers", f"{operation}: LastEvaluatedKey without a key", 200)


_LAST_PAGE = object()
