"""The one door to the network: a request in, status + headers + bytes out. Also its recorder and its replay."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from loader.errors import FileMissing, RunFolderUnusable, UnrecordedRequest

if TYPE_CHECKING:
    import requests

CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 10.0
BODY_LIMIT_BYTES = 8 * 1024 * 1024
KEPT_HEADERS = ("content-type", "retry-after", "date")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request; `secret` headers are sent and never written anywhere."""

    method: str
    url: str
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Header names are lower case; the body is whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpFailure(Exception):
    """No whole answer: refused, reset, timed out, cut. Always worth another try."""


class HttpDoor(Protocol):
    """Sends one request, once."""

    def send(self, request: HttpRequest) -> HttpAnswer:
        """The answer, whatever its status; `HttpFailure` when there is none."""


class RequestsDoor:
    """`requests` with explicit timeouts and no retry of its own: urllib3 would sleep six hours on a Retry-After."""

    def __init__(self) -> None:
        self._local = threading.local()

    def send(self, request: HttpRequest) -> HttpAnswer:
        import requests
        import urllib3

        try:
            with self._session().request(
                request.method,
                request.url,
                params=dict(request.query),
                data=dict(request.form) or None,
                headers={"Accept": "application/json", **request.secret},
                timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
                # A redirect could carry the token to another host.
                allow_redirects=False,
                stream=True,
            ) as answer:
                body = answer.raw.read(BODY_LIMIT_BYTES + 1, decode_content=True)
                headers = {name.lower(): value for name, value in answer.headers.items()}
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise HttpFailure(f"{urlsplit(request.url).netloc}: {type(error).__name__}") from error
        if len(body) > BODY_LIMIT_BYTES:
            raise HttpFailure(f"answer is larger than {BODY_LIMIT_BYTES} bytes")
        length = headers.get("content-length", "")
        if "content-encoding" not in headers and length.isdecimal() and len(body) != int(length):
            raise HttpFailure(f"answer was cut: {len(body)} of {length} bytes")
        return HttpAnswer(answer.status_code, headers, body)

    def _session(self) -> requests.Session:
        """One per thread, because a session is not promised to be thread-safe."""
        import requests
        from requests.adapters import HTTPAdapter

        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            # Without an auth of its own, requests would let a ~/.netrc replace our Authorization header.
            session.auth = _leave_alone
            for scheme in ("http://", "https://"):
                session.mount(scheme, HTTPAdapter(max_retries=0))
            self._local.session = session
        return session


class RecordingDoor:
    """Keeps every answer of another door as `{status, headers, body}`, without any token."""

    def __init__(self, door: HttpDoor, folder: Path) -> None:
        self._door = door
        self._folder = folder
        self._lock = threading.Lock()
        _make_folder(folder)

    def send(self, request: HttpRequest) -> HttpAnswer:
        answer = self._door.send(request)
        body = _without_token(answer.body) if _is_token_request(request) else answer.body
        document = {
            "request": {"method": request.method, "path": urlsplit(request.url).path, "query": dict(request.query)},
            "status": answer.status,
            "headers": {name: value for name, value in answer.headers.items() if name in KEPT_HEADERS},
            "body": body.decode("utf-8", "replace"),
        }
        with self._lock:
            self._write(request_digest(request), document)
        return answer

    def _write(self, digest: str, document: Mapping[str, object]) -> None:
        number = 1
        while (path := self._folder / f"{digest}-{number}.json").exists():
            number += 1
        try:
            path.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
            path.chmod(0o600)
        except OSError as error:
            raise RunFolderUnusable(f"cannot record to {path}", why=error.strerror or "") from error


class ReplayDoor:
    """Answers from a recording, never from the network. Repeats of a request get its answers in their order."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise FileMissing(f"no recording in {folder}")
        self._folder = folder
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def send(self, request: HttpRequest) -> HttpAnswer:
        digest = request_digest(request)
        with self._lock:
            self._asked[digest] += 1
            number = self._asked[digest]
        recorded = sorted(self._folder.glob(f"{digest}-*.json"), key=_number)
        if not recorded:
            raise UnrecordedRequest(
                f"{request.method} {urlsplit(request.url).path} {dict(request.query)} is not in {self._folder}"
            )
        document = json.loads(recorded[min(number, len(recorded)) - 1].read_text(encoding="utf-8"))
        headers = {name.lower(): value for name, value in document["headers"].items()}
        return HttpAnswer(int(document["status"]), headers, document["body"].encode())


def request_digest(request: HttpRequest) -> str:
    """Names a request without its host, port and secrets, so that a recording can be replayed anywhere."""
    path = "/api/token" if _is_token_request(request) else urlsplit(request.url).path
    text = json.dumps([request.method, path, sorted(request.query.items())])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _is_token_request(request: HttpRequest) -> bool:
    return bool(request.form)


def _without_token(body: bytes) -> bytes:
    try:
        document = json.loads(body)
    except ValueError:
        return b""
    if isinstance(document, dict) and "access_token" in document:
        document["access_token"] = "removed-from-the-recording"
    return json.dumps(document).encode()


def _leave_alone(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _number(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(folder, os.W_OK):
            raise RunFolderUnusable(f"{folder} is not writable")
    except OSError as error:
        raise RunFolderUnusable(f"cannot record to {folder}", why=error.strerror or "") from error
