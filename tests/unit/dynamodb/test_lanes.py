"""Many requests at once on real sockets: each answer belongs to its request, and a broken connection costs a try."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from ops.aws import Aws, AwsError
from ops.clock import SystemClock
from ops.dynamodb.answers import checked
from ops.dynamodb.client import DataPlane
from ops.dynamodb.pipeline import Pipeline
from ops.dynamodb.retry import Failure, Retrier, RetryPolicy
from ops.dynamodb.transport import HttpTransport
from ops.errors import NotAllowed, OpsError, Unreachable

#: Of a connection: the number of the request on it, its body; the bytes to send (empty: close).
Answering = Callable[[int, dict[str, Any]], bytes]


def http(document: object, *more: bytes) -> bytes:
    body = orjson.dumps(document)
    head = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), b"x-amz-crc32: %d" % zlib.crc32(body), *more]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def page(name: str) -> dict[str, Any]:
    return {"Count": 0, "ScannedCount": 0, "Items": [], "Echo": name}


@contextmanager
def keeping_server(answer: Answering) -> Iterator[str]:
    """A server that keeps its connections and answers each request on its own thread."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            number = 0
            while line := self.rfile.readline():
                length = 0
                while line.strip():
                    name, _, value = line.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                    line = self.rfile.readline()
                number += 1
                sent = answer(number, orjson.loads(self.rfile.read(length)))
                if not sent:
                    return
                self.wfile.write(sent)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def transport(monkeypatch: pytest.MonkeyPatch, endpoint: str, **given: Any) -> HttpTransport:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    return HttpTransport(Aws(region="us-east-1", **given), timeouts_s=(1.0, 0.3))


def pipeline(wire: HttpTransport, attempts: int = 4) -> Pipeline[str]:
    policy = RetryPolicy(attempts=attempts, base_s=0.001, cap_s=0.002)
    return Pipeline(DataPlane(wire, Retrier(SystemClock(), Random(1), policy)), "Scan", "t")


def ask(pipe: Pipeline[str], names: list[str]) -> dict[str, str]:
    """What was echoed to each name."""
    found: dict[str, str] = {}
    todo = list(names)
    while todo or pipe.busy:
        while todo and pipe.room():
            name = todo.pop()
            pipe.submit(name, orjson.dumps({"TableName": name}))
        ended = pipe.take()
        assert ended is not None
        found[ended.ticket] = ended.outcome["Echo"]
    return found


NAMES = [f"n{number}" for number in range(200)]


def test_each_answer_belongs_to_its_request_whatever_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(4)

    def answer(number: int, body: dict[str, Any]) -> bytes:
        time.sleep(random.random() * 0.01)
        return http(page(body["TableName"]))

    with keeping_server(answer) as endpoint, pipeline(transport(monkeypatch, endpoint)) as pipe:
        assert ask(pipe, NAMES) == {name: name for name in NAMES}


def test_connections_that_the_server_closed_meanwhile_are_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    # Each connection is closed in place of its third answer; no try may be spent on it.
    def answer(number: int, body: dict[str, Any]) -> bytes:
        return http(page(body["TableName"])) if number < 3 else b""

    with keeping_server(answer) as endpoint, pipeline(transport(monkeypatch, endpoint), attempts=1) as pipe:
        assert ask(pipe, NAMES[:60]) == {name: name for name in NAMES[:60]}


@pytest.mark.parametrize("cut", [1, 20, 60, 90, 120])
def test_answers_cut_anywhere_are_asked_for_again(monkeypatch: pytest.MonkeyPatch, cut: int) -> None:
    seen: set[str] = set()

    def answer(number: int, body: dict[str, Any]) -> bytes:
        name, whole = body["TableName"], http(page(body["TableName"]), b"Connection: close")
        if name in seen or name.endswith("0"):
            return whole
        seen.add(name)
        return whole[:cut]

    with _closing(answer) as endpoint, pipeline(transport(monkeypatch, endpoint)) as pipe:
        assert ask(pipe, NAMES[:40]) == {name: name for name in NAMES[:40]}


@contextmanager
def _closing(answer: Answering) -> Iterator[str]:
    """A server that closes after each answer."""
    from tests.unit.dynamodb.kit import raw_server

    with raw_server(lambda number, request: answer(1, orjson.loads(request.partition(b"\r\n\r\n")[2]))) as endpoint:
        yield endpoint


def test_one_that_never_answers_is_left_while_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    hung, answered, end = threading.Event(), threading.Event(), threading.Event()

    def answer(number: int, body: dict[str, Any]) -> bytes:
        if body["TableName"] == "n7" and not hung.is_set():
            hung.set()
            end.wait(60)
            answered.set()
        return http(page(body["TableName"]))

    with keeping_server(answer) as endpoint:
        try:
            with pipeline(transport(monkeypatch, endpoint)) as pipe:
                assert ask(pipe, NAMES) == {name: name for name in NAMES}
            assert hung.is_set()
            assert not answered.is_set()
        finally:
            end.set()


def test_nothing_listening_ends_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with keeping_server(lambda number, body: b"") as endpoint:
        pass
    with pipeline(transport(monkeypatch, endpoint)) as pipe, pytest.raises(Unreachable):
        ask(pipe, NAMES[:3])


def test_a_failure_for_good_leaves_the_others_to_be_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(number: int, body: dict[str, Any]) -> bytes:
        if body["TableName"] == "n2":
            text = orjson.dumps({"__type": "x#ValidationException", "message": "no"})
            return b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)
        return http(page(body["TableName"]))

    with keeping_server(answer) as endpoint, pipeline(transport(monkeypatch, endpoint)) as pipe:
        for name in NAMES[:6]:
            pipe.submit(name, orjson.dumps({"TableName": name}))
        landed: set[str] = set()
        try:
            while ended := pipe.take():
                landed.add(ended.ticket)
        except AwsError:
            landed |= {ended.ticket for ended in pipe.landed()}
        assert landed == {*NAMES[:6]} - {"n2"}


@pytest.mark.parametrize(
    "form",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\ncontent-length: %d\r\n\r\n%s",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length:%d\r\n\r\n%s",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 5000 + b"\r\nCONTENT-LENGTH: %d \r\n\r\n%s",
    ],
)
@pytest.mark.parametrize("pieces", [1, 7, 64_000])
def test_every_form_of_an_answer_is_read(monkeypatch: pytest.MonkeyPatch, form: bytes, pieces: int) -> None:
    document = page("x" * 300_000)
    body = orjson.dumps(document)
    whole = form % (len(body), body)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.recv(65_536)
            at = 0
            # The head in small pieces, then the rest.
            for size in (pieces,) * 9:
                connection.sendall(whole[at : at + size])
                at += size
                time.sleep(0.001)
            connection.sendall(whole[at:])

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    wire = transport(monkeypatch, f"http://127.0.0.1:{listening.getsockname()[1]}")
    assert wire.send("Scan", b'{"TableName":"t"}') == document
    thread.join()
    listening.close()


class Refusing:
    """Refuses one table before the request leaves; keeps how the others ended."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def before(self, service: str, operation: str, params: dict[str, Any]) -> None:
        if params["TableName"] == "forbidden":
            raise NotAllowed("not in a drill")

    def after(self, service: str, operation: str, params: dict[str, Any], outcome: str) -> None:
        self.ended.append(f"{params['TableName']} {outcome}")


def test_observers_see_and_may_refuse_requests_that_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    arrived: list[str] = []

    def answer(number: int, body: dict[str, Any]) -> bytes:
        arrived.append(body["TableName"])
        return http(page(body["TableName"]) if body["TableName"] != "n1" or arrived.count("n1") > 1 else {})

    watcher = Refusing()
    with (
        keeping_server(answer) as endpoint,
        pipeline(transport(monkeypatch, endpoint, observers=(watcher,))) as pipe,
    ):
        ask(pipe, NAMES[:3])
        with pytest.raises(OpsError):
            pipe.submit("forbidden", b'{"TableName":"forbidden"}')
    assert "forbidden" not in arrived
    assert sorted(watcher.ended) == ["n0 ok", "n1 MissingMembers", "n1 ok", "n2 ok"]


def test_leaving_closes_what_is_on_its_way_and_keeps_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def answer(number: int, body: dict[str, Any]) -> bytes:
        if body["TableName"] == "slow":
            release.wait(90)
        return http(page(body["TableName"]))

    with keeping_server(answer) as endpoint:
        wire = transport(monkeypatch, endpoint)
        lanes = wire.lanes(checked, 8)
        slow, quick = lanes.start("Scan", b'{"TableName":"slow"}'), lanes.start("Scan", b'{"TableName":"quick"}')
        assert lanes.ready(None) == [quick]
        assert lanes.take(quick)["Echo"] == "quick"
        assert slow not in lanes.ready(0.0)
        lanes.close()
        release.set()
        assert len(wire._idle) == 1
        assert wire.send("Scan", b'{"TableName":"again"}')["Echo"] == "again"


def test_a_request_that_hangs_fails_after_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def hang(number: int, body: dict[str, Any]) -> bytes:
        release.wait(90)
        return b""

    with keeping_server(hang) as endpoint:
        lanes = transport(monkeypatch, endpoint).lanes(checked, 1)
        number = lanes.start("Scan", b'{"TableName":"t"}')
        started = time.monotonic()
        while not (ended := lanes.ready(None)):
            assert time.monotonic() - started < 60
        assert ended == [number]
        with pytest.raises(Failure) as caught:
            lanes.take(number)
        release.set()
        lanes.close()
    assert caught.value.code == "Timeout"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux lists what a process holds open so")
def test_what_lanes_open_is_closed_with_them_but_for_the_connections_that_the_pool_keeps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def kinds() -> Counter[str]:
        links = []
        for link in Path("/proc/self/fd").iterdir():
            with suppress(FileNotFoundError):  # the listing of the folder itself
                links.append(str(link.readlink()).partition(":")[0])
        return Counter(links)

    with keeping_server(lambda number, body: http(page(body["TableName"]))) as endpoint:
        wire = transport(monkeypatch, endpoint)
        before = kinds()
        with pipeline(wire) as pipe:
            ask(pipe, NAMES[:20])
            assert kinds()["anon_inode"] == before["anon_inode"] + 1
        assert kinds()["anon_inode"] == before["anon_inode"]
