"""The server behind the figures must answer like DynamoDB where clients look, and count what it is sent."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from bench import pages, servers
from bench.items import items
from bench.servers import Server

Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def connect(server: Server) -> Iterator[http.client.HTTPConnection]:
    address, secure = urlsplit(server.url), server.certificate
    host, port = address.hostname or "", address.port
    if secure is None:
        connection = http.client.HTTPConnection(host, port, timeout=10)
    else:
        context = ssl.create_default_context(cafile=secure)
        connection = http.client.HTTPSConnection(host, port, timeout=10, context=context)
    with closing(connection):
        yield connection


def ask(connection: http.client.HTTPConnection, operation: str, document: dict[str, Any]) -> Answer:
    headers = {"X-Amz-Target": f"DynamoDB_20120810.{operation}", "Content-Type": "application/x-amz-json-1.0"}
    connection.request("POST", "/", json.dumps(document).encode(), headers)
    response = connection.getresponse()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


def batch(count: int) -> dict[str, Any]:
    return {"RequestItems": {"bench": [{"PutRequest": {"Item": json.loads(text)}} for text in items("small", count)]}}


@pytest.fixture(scope="module")
def null(work: Path) -> Iterator[Server]:
    table = work / "table.json"
    table.write_text('{"TableName":"bench"}')
    with servers.dynamodb(work, table=table) as server:
        yield server


def test_a_batch_leaves_nothing_unprocessed_and_every_item_is_counted(null: Server) -> None:
    null.take()
    with connect(null) as connection:
        for count in (1, 25, 7):
            status, _, body = ask(connection, "BatchWriteItem", batch(count))
            assert (status, json.loads(body)) == (200, {"UnprocessedItems": {}})
    load = null.take()
    assert (load.items, load.requests) == (33, 3)


def test_length_and_checksum_are_those_of_the_body(null: Server) -> None:
    with connect(null) as connection:
        _, headers, body = ask(connection, "BatchWriteItem", batch(3))
    assert int(headers["content-length"]) == len(body)
    assert int(headers["x-amz-crc32"]) == zlib.crc32(body)


def test_capacity_is_told_only_when_asked(null: Server) -> None:
    with connect(null) as connection:
        _, _, body = ask(connection, "BatchWriteItem", {**batch(10), "ReturnConsumedCapacity": "TOTAL"})
    assert json.loads(body)["ConsumedCapacity"] == [{"TableName": "bench", "CapacityUnits": 10.0}]


def test_a_batch_of_nothing_is_refused(null: Server) -> None:
    with connect(null) as connection:
        status, _, body = ask(connection, "BatchWriteItem", {"RequestItems": {"bench": []}})
    assert status == 400
    assert json.loads(body)["__type"].endswith("#ValidationException")


def test_the_table_is_described(null: Server) -> None:
    with connect(null) as connection:
        assert json.loads(ask(connection, "DescribeTable", {})[2]) == {"Table": {"TableName": "bench"}}
        assert json.loads(ask(connection, "UpdateTable", {})[2]) == {"TableDescription": {"TableName": "bench"}}
        assert ask(connection, "DescribeLimits", {})[0] == 400


def test_requests_that_arrive_together_or_in_pieces_are_each_answered(null: Server) -> None:
    body = json.dumps(batch(2)).encode()
    head = (
        f"POST / HTTP/1.1\r\nhost: x\r\nX-AMZ-TARGET: D.BatchWriteItem\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    )
    null.take()
    address = urlsplit(null.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as wire:
        whole = (head + body) * 3
        for at in (50, len(head) + 10, len(whole)):
            wire.sendall(whole[:at])
            whole = whole[at:]
            time.sleep(0.02)
        wire.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: wire.recv(65536), b""))
    assert received.count(b'{"UnprocessedItems":{}}') == 3
    assert null.take().items == 6


def test_it_listens_on_the_loopback_address_only(null: Server) -> None:
    port = f"{urlsplit(null.url).port:04X}"
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines() if " 0A " in line]
    assert [one for one in listening if one.endswith(f":{port}")] == [f"0100007F:{port}"]


@pytest.mark.parametrize("segments", [1, 3, 40])
def test_a_scan_gives_every_item_once_whatever_the_number_of_segments(work: Path, segments: int) -> None:
    count = 3_000
    found = []
    recorded = pages.write_pages(work, "track", count)
    with servers.dynamodb(work, pages=recorded) as server, connect(server) as connection:
        for segment in range(segments):
            request: dict[str, Any] = {"TableName": "bench", "Segment": segment, "TotalSegments": segments}
            while True:
                _, headers, body = ask(connection, "Scan", request)
                page = json.loads(body)
                assert int(headers["x-amz-crc32"]) == zlib.crc32(body)
                assert page["Count"] == page["ScannedCount"] == len(page["Items"])
                found += page["Items"]
                if "LastEvaluatedKey" not in page:
                    break
                assert page["LastEvaluatedKey"] == {name: found[-1][name] for name in ("artist_id", "id")}
                request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        assert server.take().items == count
    assert sorted(one["id"]["S"] for one in found) == sorted(
        json.loads(text)["id"]["S"] for text in items("track", count)
    )


def test_a_delayed_server_takes_its_time_but_serves_connections_at_once(work: Path) -> None:
    with servers.dynamodb(work, delay_ms=100) as server, ExitStack() as stack:
        connections = [stack.enter_context(connect(server)) for _ in range(8)]
        started = time.monotonic()
        for connection in connections:
            connection.request("POST", "/", json.dumps(batch(1)), {"x-amz-target": "D.BatchWriteItem"})
        answers = [json.loads(connection.getresponse().read()) for connection in connections]
        took_s = time.monotonic() - started
    assert answers == [{"UnprocessedItems": {}}] * 8
    assert 0.1 <= took_s < 0.8  # one after the other would take at least 0.8


def test_a_client_that_leaves_while_it_waits_harms_nobody(work: Path) -> None:
    with servers.dynamodb(work, delay_ms=50) as server, connect(server) as leaving, connect(server) as staying:
        for connection in (leaving, staying):
            connection.request("POST", "/", json.dumps(batch(1)), {"x-amz-target": "D.BatchWriteItem"})
        leaving.close()
        assert staying.getresponse().read() == b'{"UnprocessedItems":{}}'
        assert ask(staying, "BatchWriteItem", batch(1))[0] == 200


def test_over_tls_the_same_is_served_under_its_certificate(work: Path) -> None:
    try:
        with servers.dynamodb(work, tls=True) as server, connect(server) as connection:
            assert server.url.startswith("https://")
            for _ in range(3):
                assert ask(connection, "BatchWriteItem", batch(25))[0] == 200
            assert server.take().items == 75
    except servers.NotServed as error:
        pytest.skip(f"no TLS here: {error}")


def test_servers_apart_are_bound_to_a_processor_each_and_their_loads_are_added_up(work: Path) -> None:
    with servers.apart(work) as first:
        assert len(first.all) == len(servers.processors())
        assert [os.sched_getaffinity(one.pid) for one in first.all] == [{number} for number in servers.processors()]
        for server in first.all:
            with connect(server) as connection:
                assert ask(connection, "BatchWriteItem", batch(3))[0] == 200
        assert first.take().items == 3 * len(first.all)
        assert first.take().items == 0
