"""No answer is used before it was checked; no failure is read as an empty table."""

from __future__ import annotations

import re
import sys
import zlib
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from ops.aws import Aws, AwsError
from ops.clock import SystemClock
from ops.dynamodb.answers import Answer, checked
from ops.dynamodb.client import DataPlane, data_plane
from ops.dynamodb.retry import Failure, RetryPolicy
from ops.errors import BadResponse, CredentialsUnusable, NotAllowed, OpsError, TableNotFound, Throttled, Unreachable
from tests.unit.dynamodb.kit import raw_server

PAGE = {"Count": 1, "ScannedCount": 2, "Items": [{"pk": {"S": "a"}}], "LastEvaluatedKey": {"pk": {"S": "a"}}}


def answer(document: object, status: int = 200, **headers: str) -> Answer:
    body = orjson.dumps(document)
    told = {"content-length": str(len(body)), "x-amz-crc32": str(zlib.crc32(body))}
    return Answer(status, {**told, **{name.replace("_", "-"): value for name, value in headers.items()}}, body)


def http(document: object, status: str = "200 OK") -> bytes:
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status.encode(), len(body), body)


def plane_on(endpoint: str, monkeypatch: pytest.MonkeyPatch, *, aws: Aws | None = None, attempts: int = 3) -> DataPlane:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    policy = RetryPolicy(attempts=attempts, base_s=0.001, cap_s=0.002)
    return data_plane(aws or Aws(region="us-east-1"), SystemClock(), Random(1), policy=policy)


def test_a_whole_page_is_handed_on() -> None:
    assert checked("Scan", answer(PAGE)) == PAGE


@pytest.mark.parametrize("with_length", [True, False])
def test_a_body_cut_at_any_byte_is_never_a_page(with_length: bool) -> None:
    whole = answer(PAGE)
    headers = {"content-length": str(len(whole.body))} if with_length else {}
    for cut in range(len(whole.body)):
        with pytest.raises(Failure) as caught:
            checked("Scan", Answer(200, headers, whole.body[:cut]))
        assert caught.value.repeatable


@pytest.mark.parametrize(
    ("operation", "document"),
    [
        ("Scan", {}),
        ("Scan", {"Count": 0, "ScannedCount": 0}),
        ("Scan", {"Count": 2, "ScannedCount": 2, "Items": [{}]}),
        ("Scan", {"Count": 1, "ScannedCount": 0, "Items": [{}]}),
        ("Scan", {"Count": 0, "ScannedCount": 0, "Items": None}),
        ("Scan", {"Count": 1, "ScannedCount": 1, "Items": ["x"]}),
        ("Scan", {"Count": 0, "ScannedCount": 0, "Items": [], "LastEvaluatedKey": {}}),
        ("Scan", {"Count": 0, "ScannedCount": 0, "Items": [], "LastEvaluatedKey": None}),
        ("Query", {"Items": []}),
        ("GetItem", {}),
        ("PutItem", {}),
        ("UpdateItem", {}),
        ("DeleteItem", {}),
        ("BatchWriteItem", {}),
        ("BatchWriteItem", {"UnprocessedItems": None}),
        ("BatchGetItem", {"Responses": {}}),
    ],
)
def test_an_answer_without_its_members_is_refused(operation: str, document: dict[str, Any]) -> None:
    with pytest.raises(Failure) as caught:
        checked(operation, answer(document))
    assert caught.value.code == "MissingMembers"
    assert caught.value.repeatable


@pytest.mark.parametrize("checksum", ["0", "-1", "text"])
def test_a_wrong_checksum_is_refused(checksum: str) -> None:
    with pytest.raises(Failure) as caught:
        checked("Scan", answer(PAGE, x_amz_crc32=checksum))
    assert caught.value.code == "ChecksumMismatch"


@pytest.mark.parametrize("body", [b"[]", b"1", b"<html>", b""])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Failure) as caught:
        checked("Scan", Answer(200, {}, body))
    assert caught.value.code == "NotJson"


def test_the_reasons_of_a_throttle_are_told() -> None:
    document = {
        "__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException",
        "message": "slow",
        "ThrottlingReasons": [{"reason": "TableReadProvisionedThroughputExceeded", "resource": "arn"}],
    }
    with pytest.raises(Failure) as caught:
        checked("Scan", answer(document, 400))
    assert caught.value.throttled
    assert "TableReadProvisionedThroughputExceeded" in caught.value.message


REFUSALS: list[tuple[str, str, type[OpsError], int]] = [
    ("400 Bad Request", "AccessDeniedException", NotAllowed, 1),
    ("400 Bad Request", "ExpiredTokenException", CredentialsUnusable, 1),
    ("400 Bad Request", "UnrecognizedClientException", CredentialsUnusable, 1),
    ("400 Bad Request", "InvalidSignatureException", CredentialsUnusable, 1),
    ("400 Bad Request", "ResourceNotFoundException", TableNotFound, 1),
    ("400 Bad Request", "ValidationException", AwsError, 1),
    ("400 Bad Request", "ProvisionedThroughputExceededException", Throttled, 3),
    ("400 Bad Request", "ThrottlingException", Throttled, 3),
    ("500 Internal Server Error", "InternalServerError", BadResponse, 3),
]


@pytest.mark.parametrize(("status", "code", "error", "tries"), REFUSALS)
def test_each_refusal_has_its_error_and_its_number_of_tries(
    status: str, code: str, error: type[OpsError], tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def refuse(number: int, request: bytes) -> bytes:
        seen.append(number)
        return http({"__type": f"com.amazon.coral.service#{code}", "message": "said by AWS"}, status)

    with raw_server(refuse) as endpoint, pytest.raises(error) as caught:
        plane_on(endpoint, monkeypatch).call("Scan", {"TableName": "t"})
    assert len(seen) == tries
    assert "said by AWS" in caught.value.why


def test_a_page_of_html_with_a_success_status_is_told_as_unusable(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(lambda number, request: http(b"<html>login</html>")) as endpoint, pytest.raises(BadResponse):
        plane_on(endpoint, monkeypatch).call("Scan", {"TableName": "t"})


def test_a_throttle_then_an_answer_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    throttle = http({"__type": "x#ThrottlingException", "message": ""}, "400 Bad Request")
    with raw_server(lambda number, request: throttle if number < 3 else http(PAGE)) as endpoint:
        assert plane_on(endpoint, monkeypatch).call("Scan", {"TableName": "t"}) == PAGE


def test_an_answer_cut_on_the_wire_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = http(PAGE)
    with raw_server(lambda number, request: whole[: number * 60 - 40] if number < 3 else whole) as endpoint:
        assert plane_on(endpoint, monkeypatch).call("Scan", {"TableName": "t"}) == PAGE


def test_nothing_listening_is_told_as_a_sandbox_that_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(lambda number, request: b"") as endpoint:
        pass
    with pytest.raises(Unreachable) as caught:
        plane_on(endpoint, monkeypatch).call("Scan", {"TableName": "t"})
    assert "ops sandbox up" in caught.value.fix


def test_a_server_that_hangs_is_left_after_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    from ops.dynamodb.transport import HttpTransport

    end = threading.Event()

    def hang(number: int, request: bytes) -> bytes:
        end.wait(5)
        return b""

    with raw_server(hang) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        transport = HttpTransport(Aws(region="us-east-1"), timeouts_s=(0.5, 0.2))
        with pytest.raises(Failure) as caught:
            transport.send("Scan", b'{"TableName":"t"}')
        end.set()
    assert caught.value.code == "Timeout"


def test_every_request_is_signed_and_asks_for_no_compression(monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[bytes] = []

    def keep(number: int, request: bytes) -> bytes:
        requests.append(request.lower())
        return http(PAGE)

    monkeypatch.setenv("AWS_SESSION_TOKEN", "session")
    with raw_server(keep) as endpoint:
        plane_on(endpoint, monkeypatch).call("Scan", {"TableName": "t"})
    [request] = requests
    assert b"accept-encoding: identity\r\n" in request
    assert b"authorization: aws4-hmac-sha256 credential=" in request
    assert b"x-amz-target: dynamodb_20120810.scan\r\n" in request
    assert b"x-amz-security-token: session\r\n" in request


class Watcher:
    """Keeps what it is told; refuses one operation."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def before(self, service: str, operation: str, params: dict[str, Any]) -> None:
        self.told.append(("before", f"{service}:{operation}:{params['TableName']}"))
        if operation == "PutItem":
            raise NotAllowed("not in a drill")

    def after(self, service: str, operation: str, params: dict[str, Any], outcome: str) -> None:
        self.told.append(("after", outcome))


def test_an_observer_sees_each_call_and_may_refuse_it_before_it_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    arrived: list[int] = []

    def count(number: int, request: bytes) -> bytes:
        arrived.append(number)
        return http(PAGE)

    watcher = Watcher()
    with raw_server(count) as endpoint:
        data = plane_on(endpoint, monkeypatch, aws=Aws(region="us-east-1", observers=(watcher,)))
        data.call("Scan", {"TableName": "t"})
        with pytest.raises(NotAllowed):
            data.call("PutItem", {"TableName": "t"})
    assert len(arrived) == 1
    assert watcher.told == [("before", "dynamodb:Scan:t"), ("after", "ok"), ("before", "dynamodb:PutItem:t")]


def test_the_proxy_of_the_environment_is_used_but_never_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    from ops.dynamodb.connection import proxy_for

    monkeypatch.setenv("HTTPS_PROXY", "http://user:p%40ss@proxy.example:8080")
    monkeypatch.setenv("NO_PROXY", "internal.example")
    address, headers = proxy_for("https", "dynamodb.us-east-1.amazonaws.com")
    assert address == ("proxy.example", 8080)
    assert headers == {"Proxy-Authorization": "Basic dXNlcjpwQHNz"}
    assert proxy_for("https", "internal.example") == (None, {})
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example")
    assert proxy_for("https", "dynamodb.us-east-1.amazonaws.com") == (("proxy.example", 80), {})
    assert proxy_for("https", "127.0.0.1") == (None, {})


@pytest.mark.parametrize("address", ["https://proxy.example:443", "socks5h://proxy.example:1080"])
def test_a_proxy_that_is_not_spoken_to_is_told_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(Unreachable, match="proxy") as caught:
        plane_on("https://dynamodb.example", monkeypatch)
    assert "NO_PROXY" in " ".join(caught.value.fix)


def test_authorities_that_cannot_be_read_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nonexistent/bundle.pem")
    with pytest.raises(Unreachable, match=r"/nonexistent/bundle\.pem") as caught:
        plane_on("https://dynamodb.example", monkeypatch)
    assert "AWS_CA_BUNDLE" in caught.value.fix[0]


def test_a_long_run_goes_on_with_renewed_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Those that are about to expire are asked for anew before each request, as botocore does."""
    process = tmp_path / "renew.py"
    process.write_text(
        "import datetime, json, pathlib\n"
        f"times = pathlib.Path({str(tmp_path / 'times')!r})\n"
        "number = len(times.read_text()) if times.exists() else 0\n"
        "times.write_text('x' * (number + 1))\n"
        "soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=60)\n"
        "print(json.dumps(dict(Version=1, AccessKeyId=f'KEY{number}', SecretAccessKey='s',"
        " SessionToken=f'token{number}', Expiration=soon.isoformat())))\n"
    )
    (tmp_path / "config").write_text(f"[profile renewing]\ncredential_process = {sys.executable} {process}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    keys: list[tuple[list[bytes], list[bytes]]] = []

    def keep(number: int, request: bytes) -> bytes:
        keys.append((re.findall(rb"Credential=KEY(\d+)/", request), re.findall(rb"-token: token(\d+)\r\n", request)))
        return http(PAGE)

    with raw_server(keep) as endpoint:
        data = plane_on(endpoint, monkeypatch, aws=Aws(region="us-east-1", profile="renewing"))
        for _ in range(3):
            data.call("Scan", {"TableName": "t"})
    assert all(len(key) == 1 and key == token for key, token in keys)
    assert len({key for [key], _ in keys}) == 3
