"""The answers of a service in trouble: refusals, spoiled bodies, spoiled objects.

docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html (codes and statuses),
docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ThrottlingReason.html (reasons: resource, operation, limit).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from random import Random
from typing import Any

import orjson

from ops.sandbox.aws.world import ACCOUNT

Reply = tuple[int, bytes]

EXCEEDED = (
    "The level of configured provisioned throughput for the table was exceeded. Consider increasing your "
    "provisioning level with the UpdateTable API."
)
_PREFIX = "com.amazonaws.dynamodb.v20120810#"
_READS = frozenset({"GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems"})

# what the service always sends, by operation: a reader must not take an answer without it for an empty one
ALWAYS_SENT: Mapping[str, tuple[str, ...]] = {
    "Query": ("Items", "Count", "ScannedCount"),
    "Scan": ("Items", "Count", "ScannedCount"),
    "BatchGetItem": ("Responses", "UnprocessedKeys"),
    "BatchWriteItem": ("UnprocessedItems",),
}


def refusal(fault: str, operation: str, region: str, body: bytes) -> Reply | None:
    """The error that this fault answers with, before anything is applied; None for other faults."""
    if fault == "throttle":
        reasons = _reasons(operation, region, body, "ProvisionedThroughputExceeded")
        return 400, _error("ProvisionedThroughputExceededException", EXCEEDED, ThrottlingReasons=reasons)
    if fault == "throttling":
        reasons = _reasons(operation, region, body, "KeyRangeThroughputExceeded")
        return 400, _error("ThrottlingException", "Rate exceeded", throttlingReasons=reasons)
    if fault == "expired_token":
        message = "The security token included in the request is expired"
        return 400, orjson.dumps({"__type": "com.amazon.coral.service#ExpiredTokenException", "message": message})
    if fault == "denied":
        message = f"User is not authorized to perform: dynamodb:{operation}"
        return 400, orjson.dumps({"__type": "com.amazon.coral.service#AccessDeniedException", "Message": message})
    return server_error() if fault == "error500" else None


def server_error() -> Reply:
    """HTTP 500."""
    return 500, _error("InternalServerError", "Internal server error")


def _error(code: str, message: str, **more: Any) -> bytes:
    return orjson.dumps({"__type": _PREFIX + code, "message": message, **more})


def _reasons(operation: str, region: str, body: bytes, limit: str) -> list[dict[str, str]]:
    """One reason per table of the request."""
    kind = "Read" if operation in _READS else "Write"
    return [
        {
            "reason": f"Table{kind}{limit}",
            "resource": name if name.startswith("arn:") else f"arn:aws:dynamodb:{region}:{ACCOUNT}:table/{name}",
        }
        for name in _tables(body)
    ]


def _tables(body: bytes) -> list[str]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return []
    if not isinstance(document, dict):
        return []
    requested = document.get("RequestItems")
    if isinstance(requested, dict):
        return sorted(map(str, requested))
    name = document.get("TableName")
    return [str(name)] if name else []


def without_member(operation: str, body: bytes, random: Random) -> bytes:
    """The answer without one of the members that are always there."""
    document = orjson.loads(body)
    present = [name for name in ALWAYS_SENT[operation] if name in document]
    if present:
        del document[random.choice(present)]
    return orjson.dumps(document)


def wrong_crc(body: bytes) -> int:
    """A checksum of another body."""
    return zlib.crc32(body) ^ 1


def spoiled_object(fault: str, content: bytes, random: Random) -> bytes:
    """The object as damage leaves it."""
    if fault == "s3_cut" or not content:
        return content[: len(content) // 2]
    place = random.randrange(len(content))
    return content[:place] + bytes([content[place] ^ (1 << random.randrange(8))]) + content[place + 1 :]


NO_SUCH_KEY = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code>'
    b"<Message>The specified key does not exist.</Message></Error>"
)
