"""Who answers a connection must not be seen from its other end."""

from __future__ import annotations

import http.client
import io
import json
import socket
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.sandbox.aws.heads import plain_post
from ops.sandbox.control import SandboxControl

SIGNED = "AWS4-HMAC-SHA256 Credential=sandbox/20261121/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0"
MANY = 30


class Wire:
    """One connection, by bytes."""

    def __init__(self, port: int, *, buffer_bytes: int | None = None) -> None:
        self.socket = socket.socket()
        if buffer_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", port))

    def ask(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        self.socket.sendall(request(operation, body))
        return self.answer()

    def answer(self) -> dict[str, Any]:
        answer = http.client.HTTPResponse(self.socket)
        answer.begin()
        body = answer.read()
        assert int(answer.headers["x-amz-crc32"]) == zlib.crc32(body)
        found: dict[str, Any] = json.loads(body)
        return found


def request(operation: str, document: dict[str, Any]) -> bytes:
    body = json.dumps(document).encode()
    head = (
        f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-Target: DynamoDB_20120810.{operation}\r\n"
        f"Content-Type: application/x-amz-json-1.0\r\nAuthorization: {SIGNED}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@pytest.fixture(scope="module")
def own(
    tmp_path_factory: pytest.TempPathFactory, server_starter_of_the_module: Any
) -> Iterator[tuple[int, int, SandboxControl]]:
    """Port, pid and control of a server whose threads nobody else's requests change; with the table `t`."""
    process, ready = server_starter_of_the_module(tmp_path_factory.mktemp("serving"))
    key, wire = {"AttributeName": "pk"}, Wire(ready["port"])
    wire.ask(
        "CreateTable",
        {
            "TableName": "table", "BillingMode": "PAY_PER_REQUEST", "KeySchema": [key | {"KeyType": "HASH"}],
            "AttributeDefinitions": [key | {"AttributeType": "S"}],
        },
    )  # fmt: skip
    wire.socket.close()
    yield ready["port"], process.pid, SandboxControl(f"http://127.0.0.1:{ready['port']}")
    process.terminate()
    process.wait(timeout=5)


@pytest.fixture
def wires(own: tuple[int, int, SandboxControl]) -> Iterator[list[Wire]]:
    found = [Wire(own[0]) for _ in range(MANY)]
    yield found
    for one in found:
        one.socket.close()


def put(key: str, **more: Any) -> dict[str, Any]:
    return {"TableName": "table", "Item": {"pk": {"S": key}, **more}}


def get(key: str) -> dict[str, Any]:
    return {"TableName": "table", "Key": {"pk": {"S": key}}, "ConsistentRead": True}


def test_only_loopback_is_served(own: tuple[int, int, SandboxControl]) -> None:
    held = {str(path.readlink()) for path in Path(f"/proc/{own[1]}/fd").iterdir()}
    rows = [line.split() for name in ("tcp", "tcp6") for line in _lines(Path(f"/proc/{own[1]}/net/{name}"))]
    listening = {row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in held}
    assert listening == {f"0100007F:{own[0]:04X}"}


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()[1:] if path.exists() else []


def test_connections_that_ask_for_items_need_no_thread_each(
    own: tuple[int, int, SandboxControl], wires: list[Wire]
) -> None:
    before = threads(own[1])
    for number, wire in enumerate(wires):
        wire.ask("PutItem", put(f"many{number}"))
    for number, wire in enumerate(reversed(wires)):
        assert wire.ask("GetItem", get(f"many{number}"))["Item"] == {"pk": {"S": f"many{number}"}}
    assert threads(own[1]) < before + MANY // 2


def test_one_connection_may_ask_for_anything_in_any_order(
    own: tuple[int, int, SandboxControl], wires: list[Wire]
) -> None:
    wire = wires[0]
    for number in range(3):
        wire.ask("PutItem", put(f"mixed{number}"))
        assert "table" in wire.ask("ListTables", {})["TableNames"]
        assert "Item" in wire.ask("GetItem", get(f"mixed{number}"))
        assert wire.ask("DescribeTable", {"TableName": "table"})["Table"]["TableName"] == "table"


@pytest.mark.parametrize("cut", [1, 30, 300, -1], ids=str)
def test_a_request_that_arrives_in_pieces_is_answered(wires: list[Wire], cut: int) -> None:
    whole = request("PutItem", put(f"pieces{cut}", text={"S": "x" * 300}))
    wires[0].socket.sendall(whole[:cut])
    time.sleep(0.05)  # so that the server looks at the first piece alone, most often
    wires[0].socket.sendall(whole[cut:])
    assert wires[0].answer() == {}
    assert wires[1].ask("GetItem", get(f"pieces{cut}"))["Item"]["text"] == {"S": "x" * 300}


def test_requests_that_arrive_in_one_piece_are_answered_in_their_order(wires: list[Wire]) -> None:
    wires[0].ask("PutItem", put("order", n={"N": "0"}))
    both = (request("PutItem", put("order", n={"N": str(n)}) | {"ReturnValues": "ALL_OLD"}) for n in (1, 2))
    wires[0].socket.sendall(b"".join(both) + request("ListTables", {}))
    reader = wires[0].socket.makefile("rb")
    olds = [json.loads(_body(reader)) for _ in range(3)]
    assert [one.get("Attributes", {}).get("n") for one in olds] == [{"N": "0"}, {"N": "1"}, None]
    assert olds[2]["TableNames"] == ["table"]


def _body(reader: Any) -> bytes:
    reader.readline()
    length = http.client.parse_headers(reader)["Content-Length"]
    body: bytes = reader.read(int(length))
    return body


def test_a_reader_who_takes_his_time_holds_up_nobody_and_gets_all(
    own: tuple[int, int, SandboxControl], wires: list[Wire]
) -> None:
    text = {"S": "x" * 390_000}
    for number in range(3):
        wires[0].ask("PutItem", put(f"large{number}", text=text))
    slow = Wire(own[0], buffer_bytes=4_096)
    for _ in range(8):
        slow.socket.sendall(request("Scan", {"TableName": "table", "ConsistentRead": True}))
    for wire in wires:
        assert wire.ask("GetItem", get("large0"))["Item"]["text"] == text
    reader = slow.socket.makefile("rb")
    for _ in range(8):
        assert len(json.loads(_body(reader))["Items"]) >= 2
    slow.socket.close()
    for number in range(3):
        wires[0].ask("DeleteItem", {"TableName": "table", "Key": {"pk": {"S": f"large{number}"}}})


def test_a_fault_strikes_a_connection_that_was_open_before_it(
    own: tuple[int, int, SandboxControl], wires: list[Wire]
) -> None:
    wires[0].ask("PutItem", put("struck"))
    own[2].set_fault("throttle", operations=("GetItem",), count=1)
    assert "ProvisionedThroughputExceeded" in wires[0].ask("GetItem", get("struck"))["__type"]
    own[2].set_fault("reset", operations=("PutItem",), count=1)
    with pytest.raises(ConnectionError):
        wires[1].ask("PutItem", put("unseen"))
    own[2].clear_faults()
    assert "Item" not in wires[2].ask("GetItem", get("unseen"))


def test_a_connection_that_ends_in_the_middle_of_a_request_changes_nothing(
    own: tuple[int, int, SandboxControl], wires: list[Wire]
) -> None:
    for wire in wires:
        wire.ask("GetItem", get("half"))
    held = open_files(own[1])
    wires[0].socket.sendall(request("PutItem", put("half"))[:-1])
    wires[0].socket.close()
    assert "Item" not in wires[1].ask("GetItem", get("half"))
    deadline = time.monotonic() + 10
    while open_files(own[1]) >= held and time.monotonic() < deadline:
        time.sleep(0.02)
    assert open_files(own[1]) < held


def test_a_head_is_read_as_the_standard_library_reads_it() -> None:
    head, _, body = request("GetItem", get("one")).partition(b"\r\n\r\n")
    found = plain_post(head + b"\r\n\r\n" + body)
    assert found is not None
    assert (found.size_bytes, found.body_bytes) == (len(head) + 4, len(body))
    names = http.client.parse_headers(io.BytesIO(head.partition(b"\r\n")[2] + b"\r\n\r\n"))
    wanted = {name.upper().replace("-", "_"): value for name, value in names.items()}
    assert {name.removeprefix("HTTP_"): value for name, value in found.variables.items()} == wanted
    assert found.variables["CONTENT_TYPE"] == "application/x-amz-json-1.0"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"POST / ", b"GET / "), (b"POST / ", b"POST /x "), (b"HTTP/1.1", b"HTTP/1.0"), (b"\r\n\r\n", b"\r\n"),
        (b"Content-Length: ", b"Content-Length: +"), (b"Content-Length", b"Content-Size"),
        (b"Host: ", b"Transfer-Encoding: chunked\r\nHost: "), (b"Host: ", b"Expect: 100-continue\r\nHost: "),
        (b"Host: ", b"Connection: close\r\nHost: "), (b"Host: ", b"Host: b\r\nHost: "),
        (b"Host: ", b"X_Y: 1\r\nHost: "), (b"Host: ", b"X: folded\r\n line\r\nHost: "),
        (b"Host: ", b"no colon\r\nHost: "), (b"Host: ", b": none\r\nHost: "),
    ],
)  # fmt: skip
def test_a_head_that_is_not_plain_is_left_to_the_standard_library(old: bytes, new: bytes) -> None:
    whole = request("GetItem", get("one"))
    assert plain_post(whole) is not None
    assert plain_post(whole.replace(old, new, 1)) is None
