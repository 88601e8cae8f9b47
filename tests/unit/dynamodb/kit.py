"""A scripted wire and a table that answers like DynamoDB, for the data plane's tests."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

import orjson

from ops.dynamodb.answers import Answer
from ops.dynamodb.client import DataPlane
from ops.dynamodb.retry import Failure, Retrier, RetryPolicy
from ops.dynamodb.transport import Decode
from ops.dynamodb.write import key_bytes
from ops.model.items import Item, KeySchema

KEYS = KeySchema("pk", "S", "sk", "N")


class StillClock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 11, 20, 10, 2, 16, tzinfo=UTC)

    def monotonic(self) -> float:
        return sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


Step = dict[str, Any] | Failure | Callable[[str, dict[str, Any]], dict[str, Any]]


@dataclass
class Scripted:
    """Answers in the order of a script, then by the last step for ever."""

    steps: Sequence[Step]
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def send(self, operation: str, body: bytes) -> dict[str, Any]:
        params = orjson.loads(body)
        step = self.steps[min(len(self.asked), len(self.steps) - 1)]
        self.asked.append((operation, params))
        if isinstance(step, Failure):
            raise step
        return step if isinstance(step, dict) else step(operation, params)


@dataclass
class MemoryTable:
    """BatchWriteItem, BatchGetItem and paged, segmented Scan on a dictionary; `mood` may fail a call or hold items."""

    keys: KeySchema = KEYS
    page: int = 3
    items: dict[bytes, Item] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    mood: Callable[[str, int], Failure | float | None] = lambda operation, number: None
    refused: Callable[[Item], bool] = lambda item: False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, operation: str, body: bytes) -> dict[str, Any]:
        with self._lock:
            self.asked.append(operation)
            mood = self.mood(operation, len(self.asked))
        if isinstance(mood, Failure):
            raise mood
        try:
            params = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Failure("SerializationException", "the request is no JSON", 400) from error
        if operation == "Scan":
            return self._scan(params)
        if operation == "BatchGetItem":
            return self._get(params, 0.0 if mood is None else mood)
        assert operation == "BatchWriteItem"
        return self._write(params, 0.0 if mood is None else mood)

    def _scan(self, params: dict[str, Any]) -> dict[str, Any]:
        segment, total = params.get("Segment", 0), params.get("TotalSegments", 1)
        mine = [key for key in sorted(self.items) if sum(key) % total == segment]
        start = params.get("ExclusiveStartKey")
        after = b"" if start is None else key_bytes(start, self.keys)
        following = [key for key in mine if key > after]
        shown = following[: min(self.page, params.get("Limit", self.page))]
        answer: dict[str, Any] = {
            "Count": len(shown),
            "ScannedCount": len(shown),
            "Items": [self.items[key] for key in shown],
            "ConsumedCapacity": {"CapacityUnits": 1.0},
        }
        if len(following) > len(shown):
            answer["LastEvaluatedKey"] = {name: self.items[shown[-1]][name] for name in self.keys.names}
        return answer

    def _get(self, params: dict[str, Any], share_left: float) -> dict[str, Any]:
        [(table, asked)] = params["RequestItems"].items()
        held = round(len(asked["Keys"]) * share_left)
        done = asked["Keys"][held:]
        found = [self.items[key_bytes(key, self.keys)] for key in done if key_bytes(key, self.keys) in self.items]
        left = {table: {"Keys": asked["Keys"][:held]}} if held else {}
        return {"Responses": {table: found}, "UnprocessedKeys": left}

    def _write(self, params: dict[str, Any], share_left: float) -> dict[str, Any]:
        [(table, requests)] = params["RequestItems"].items()
        keys = [self._key(request) for request in requests]
        if len(set(keys)) != len(keys) or len(keys) > 25:
            raise Failure("ValidationException", "Provided list of item keys contains duplicates", 400)
        if any(self.refused(request["PutRequest"]["Item"]) for request in requests if "PutRequest" in request):
            raise Failure("ValidationException", "One item is not acceptable", 400)
        held = round(len(requests) * share_left)
        for request, key in list(zip(requests, keys, strict=True))[held:]:
            if "PutRequest" in request:
                self.items[key] = request["PutRequest"]["Item"]
            else:
                self.items.pop(key, None)
        used = [{"TableName": table, "CapacityUnits": float(len(requests) - held)}]
        return {"UnprocessedItems": {table: requests[:held]} if held else {}, "ConsumedCapacity": used}

    def _key(self, request: dict[str, Any]) -> bytes:
        item = request["PutRequest"]["Item"] if "PutRequest" in request else request["DeleteRequest"]["Key"]
        return key_bytes(item, self.keys)


@dataclass
class ShuffledTable:
    """A table that is asked many things at once: they take effect, and are answered, in an order of the seed.

    `lost` may let an answer be lost after its request took effect.
    """

    table: MemoryTable
    random: Random
    lost: float = 0.0
    most_seen: int = 0

    def send(self, operation: str, body: bytes) -> dict[str, Any]:
        return self.table.send(operation, body)

    def lanes(self, decode: Decode, most: int) -> ShuffledLanes:
        return ShuffledLanes(self, decode, most)


class ShuffledLanes:
    def __init__(self, shuffled: ShuffledTable, decode: Decode, most: int) -> None:
        self.most = most
        self._shuffled = shuffled
        self._decode = decode
        self._flying: dict[int, tuple[str, bytes]] = {}
        self._outcomes: dict[int, Any] = {}
        self._number = 0

    def start(self, operation: str, body: bytes) -> int:
        assert len(self._flying) + len(self._outcomes) < self.most
        self._number += 1
        self._flying[self._number] = (operation, body)
        self._shuffled.most_seen = max(self._shuffled.most_seen, len(self._flying))
        return self._number

    def ready(self, timeout_s: float | None) -> list[int]:
        random = self._shuffled.random
        ended = random.sample(sorted(self._flying), random.randint(1, len(self._flying))) if self._flying else []
        for number in ended:
            operation, body = self._flying.pop(number)
            try:
                document = self._shuffled.table.send(operation, body)
                if random.random() < self._shuffled.lost:
                    raise Failure("ConnectionBroken", "the answer was lost", 0)
                self._outcomes[number] = self._decode(operation, Answer(200, {}, orjson.dumps(document)))
            except Failure as failure:
                self._outcomes[number] = failure
        return ended

    def take(self, number: int) -> Any:
        outcome = self._outcomes.pop(number)
        if isinstance(outcome, Failure):
            raise outcome
        return outcome

    def close(self) -> None:
        self._flying.clear()


def some_lines(items: Sequence[Item]) -> list[bytes]:
    return [orjson.dumps({"Item": item}) + b"\n" for item in items]


def plane(transport: Any, clock: StillClock | None = None, *, seed: int = 1, attempts: int = 4) -> DataPlane:
    """A data plane on a scripted wire; its waits are recorded, not slept."""
    retrier = Retrier(clock or StillClock(), Random(seed), RetryPolicy(attempts=attempts, unreached_attempts=attempts))
    return DataPlane(transport, retrier)


def some_items(count: int, start: int = 0) -> list[Item]:
    return [
        {"pk": {"S": f"p{number % 5}"}, "sk": {"N": str(number)}, "text": {"S": f"t{number}"}}
        for number in range(start, start + count)
    ]


@contextmanager
def raw_server(answer: Callable[[int, bytes], bytes]) -> Iterator[str]:
    """Endpoint of a server that sends exactly the bytes of `answer(number of the request, its bytes)`, then closes."""
    number = iter(range(1, 1_000_000))

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            head = b""
            while (line := self.rfile.readline()).strip():
                head += line
            length = next(
                int(one.split(b":")[1]) for one in head.split(b"\r\n") if one.lower().startswith(b"content-l")
            )
            self.wfile.write(answer(next(number), head + b"\r\n" + self.rfile.read(length)))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
