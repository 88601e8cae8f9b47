"""The head that every SDK sends to DynamoDB, taken apart without an email parser: half of a small request's cost.

Only a plain `POST /` whose head has arrived whole. Anything else (a path, a chunked body, a header twice, a folded
line, a request to be told to go on) is None, and the HTTP server of the standard library reads it from its start.
"""

from __future__ import annotations

from typing import Any, NamedTuple

_START = b"POST / HTTP/1.1\r\n"
_END = b"\r\n\r\n"
_NAMED = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
# each changes how the rest of the connection is read
_NOT_PLAIN = frozenset({"HTTP_TRANSFER_ENCODING", "HTTP_EXPECT", "HTTP_UPGRADE"})


class Head(NamedTuple):
    """The WSGI variables of the headers, the bytes that the head takes up, and those of the body behind it."""

    variables: dict[str, Any]
    size_bytes: int
    body_bytes: int


def plain_post(seen: bytes) -> Head | None:
    """The head of a plain `POST /` at the start of what has arrived."""
    end = seen.find(_END)
    if end < 0 or not seen.startswith(_START):
        return None
    variables: dict[str, Any] = {}
    lines = seen[len(_START) : end].decode("latin-1").split("\r\n")
    for line in lines:
        name, colon, value = line.partition(":")
        if not (colon and name.isascii() and name.replace("-", "").isalnum()):
            return None
        name = name.lower()
        variables[_NAMED.get(name) or "HTTP_" + name.upper().replace("-", "_")] = value.strip(" \t")
    length = variables.get("CONTENT_LENGTH", "")
    if len(variables) < len(lines) or not (length.isascii() and length.isdigit()):
        return None
    if variables.get("HTTP_CONNECTION", "keep-alive").lower() != "keep-alive" or _NOT_PLAIN & variables.keys():
        return None
    return Head(variables, end + len(_END), int(length))
