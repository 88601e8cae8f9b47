"""Answers that the stand-in for Spotify gives on demand: each row of what the real one was seen to do."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

Json = dict[str, object]

JSON_TYPE = {"Content-Type": "application/json; charset=utf-8"}
TEXT_TYPE = {"Content-Type": "text/plain; charset=utf-8"}
PREMIUM_TEXT = "Active premium subscription required for the owner of the app"


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, headers and the exact bytes; `cut` sends half of the body under the full length."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool = False


@dataclass(slots=True)
class Fault:
    """One fault that is set: where it applies, how often still, and its own parameters."""

    name: str
    path: str = ""
    market: str = ""
    skip: int = 0
    left: int | None = None
    served: int = 0
    parameters: Json = field(default_factory=dict)

    def describe(self) -> Json:
        """What GET /sandbox/fault shows."""
        return {
            "name": self.name,
            "path": self.path,
            "market": self.market,
            "skip": self.skip,
            "left": self.left,
            "served": self.served,
            "parameters": self.parameters,
        }


def json_reply(status: int, body: object, headers: Mapping[str, str] | None = None) -> Reply:
    """A JSON answer."""
    return Reply(status, {**JSON_TYPE, **(headers or {})}, json.dumps(body, ensure_ascii=False).encode())


def api_error(status: int, message: str, reason: str = "", headers: Mapping[str, str] | None = None) -> Reply:
    """The API's own error shape: an object under `error`."""
    error: Json = {"status": status, "message": message}
    if reason:
        error["reason"] = reason
    return json_reply(status, {"error": error}, headers)


def fixed_reply(fault: Fault) -> Reply | None:
    """The answer of a fault that replaces the real one; None for a fault that only bends it."""
    after = str(fault.parameters.get("retry_after", ""))
    wait = {"Retry-After": after} if after else {}
    replies = {
        "expired-token": lambda: api_error(401, "The access token expired"),
        "invalid-token": lambda: api_error(401, "Invalid access token"),
        "forbidden": lambda: api_error(403, "Forbidden"),
        "premium": lambda: Reply(403, TEXT_TYPE, PREMIUM_TEXT.encode()),
        "not-found": lambda: api_error(404, "non existing id"),
        "bad-request": lambda: api_error(400, "Invalid limit"),
        "gone": lambda: api_error(410, "Gone"),
        "rate-limit": lambda: api_error(429, "API rate limit exceeded", headers=wait),
        "rate-limit-text": lambda: Reply(429, {**TEXT_TYPE, **wait}, b"Too many requests"),
        "quota": lambda: api_error(429, "Too many requests", "QUOTA_EXCEEDED", {"retry-after": after or "48925"}),
        "server-error": lambda: Reply(_number(fault, "status", 503), TEXT_TYPE, b"upstream connect error"),
        "not-json": lambda: Reply(200, {"Content-Type": "text/html"}, b"<html>maintenance</html>"),
        "wrong-shape": lambda: json_reply(200, {"songs": []}),
        "empty": lambda: json_reply(200, {"tracks": []}),
    }
    build = replies.get(fault.name)
    return build() if build else None


BENDING = ("null-entries", "odd-numbers", "cut-body", "slow", "reset", "hang", "bad-items")
NAMES = (
    *(
        "expired-token",
        "invalid-token",
        "forbidden",
        "premium",
        "not-found",
        "bad-request",
        "gone",
        "rate-limit",
    ),
    *("rate-limit-text", "quota", "server-error", "not-json", "wrong-shape", "empty", *BENDING),
)


def bend(fault: Fault, reply: Reply) -> Reply:
    """The real answer, changed the way the fault says."""
    if fault.name == "cut-body":
        return Reply(reply.status, reply.headers, reply.body, cut=True)
    if fault.name not in ("null-entries", "odd-numbers", "bad-items") or reply.status != 200:
        return reply
    body = json.loads(reply.body)
    tracks = body.get("tracks")
    if not isinstance(tracks, list) or not tracks:
        return reply
    if fault.name == "null-entries":
        body["tracks"] = [None, *tracks, None]
    elif fault.name == "bad-items":
        tracks[0]["name"] = "x" * 410_000
    else:
        return Reply(reply.status, reply.headers, _odd_numbers(body))
    return Reply(reply.status, reply.headers, json.dumps(body).encode())


class FaultBox:
    """The faults that are set, shared by the server's threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, wanted: Json) -> Fault:
        """Set one; an unknown name or a wrong number is a ValueError that says so."""
        name = str(wanted.get("name", ""))
        if name not in NAMES:
            raise ValueError(f"unknown fault '{name}'; known: {', '.join(NAMES)}")
        count = wanted.get("count")
        fault = Fault(
            name,
            str(wanted.get("path", "")),
            str(wanted.get("market", "")),
            int(str(wanted.get("skip", 0))),
            None if count is None else int(str(count)),
            parameters={
                key: value for key, value in wanted.items() if key not in ("name", "path", "market", "skip", "count")
            },
        )
        with self._lock:
            self._faults.append(fault)
        return fault

    def take(self, path: str, market: str) -> Fault | None:
        """The first fault that applies to this request, counted down."""
        with self._lock:
            for fault in self._faults:
                if fault.path not in path or fault.market not in ("", market) or fault.left == 0:
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.served += 1
                if fault.left is not None:
                    fault.left -= 1
                return fault
        return None

    def describe(self) -> list[Json]:
        """Every fault that is set, with its counts."""
        with self._lock:
            return [fault.describe() for fault in self._faults]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._faults.clear()


def _number(fault: Fault, name: str, default: int) -> int:
    return int(str(fault.parameters.get(name, default)))


def _odd_numbers(body: Json) -> bytes:
    """`85.0` for an integer, and NaN, as fixtures of client libraries hold them."""
    tracks = body["tracks"]
    assert isinstance(tracks, list)
    tracks[0]["popularity"] = 85.0
    tracks[0]["duration_ms"] = 200000.0
    tracks[-1]["popularity"] = float("nan")
    return json.dumps(body).encode()
