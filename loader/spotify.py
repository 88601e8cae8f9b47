"""Client of the Spotify Web API: one token at a time, one policy for every answer it may give."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from loader.decode import whole_number
from loader.http import HttpAnswer, HttpDoor, HttpFailure, HttpRequest
from loader.ledger import Ledger
from loader.patience import Pace, Patience, RetryPolicy, Waiting
from loader.runtime import Runtime
from loader.verdict import Meaning, Verdict, judge

RENEW_EARLY_S = 60.0


@dataclass(frozen=True, slots=True)
class SpotifyAccess:
    """Where the API is, and who asks. The secret never appears in a text of this object."""

    client_id: str
    client_secret: str = field(repr=False)
    api_url: str = "https://api.spotify.com/v1"
    accounts_url: str = "https://accounts.spotify.com"


class SpotifyClient:
    """GET with a token. Every answer is either a document or an error of `loader.errors`."""

    def __init__(
        self,
        access: SpotifyAccess,
        door: HttpDoor,
        ledger: Ledger,
        runtime: Runtime,
        policy: RetryPolicy | None = None,
        on_wait: Callable[[Waiting], None] | None = None,
    ) -> None:
        self._access = access
        self._door = door
        self._ledger = ledger
        self._runtime = runtime
        self._pace = Pace(runtime)
        self._patience = Patience(policy or RetryPolicy(), runtime, ledger, self._pace, on_wait)
        self._token_lock = threading.Lock()
        self._token = ""
        self._renew_at = 0.0

    @property
    def runtime(self) -> Runtime:
        """The clock that answers are stamped with."""
        return self._runtime

    def get(self, path: str, query: Mapping[str, str]) -> Any:
        """The document of a 200; 401 renews the token once, 429 and failures are waited out within the policy."""
        tries = self._patience.tries()
        renewed = False
        while True:
            self._pace.wait()
            token = self._valid_token()
            self._ledger.spend()
            request = HttpRequest(
                "GET", f"{self._access.api_url}{path}", query, secret={"Authorization": f"Bearer {token}"}
            )
            verdict = self._send(request)
            if verdict.meaning is Meaning.OK:
                self._pace.faster()
                return verdict.document
            if verdict.meaning is Meaning.TOKEN_EXPIRED and not renewed:
                renewed = True
                self._forget(token)
                continue
            tries.wait_or_raise(verdict, path)

    def _send(self, request: HttpRequest) -> Verdict:
        self._runtime.check()
        try:
            answer: HttpAnswer = self._door.send(request)
        except HttpFailure as failure:
            return Verdict(Meaning.TRANSIENT, str(failure))
        return judge(answer, self._runtime.now())

    def _valid_token(self) -> str:
        """The cached token, or a new one. The lock lets one thread renew while the others wait for it."""
        with self._token_lock:
            if not self._token or self._runtime.monotonic() >= self._renew_at:
                document = self._ask_token()
                lifetime = whole_number(document.get("expires_in")) or 3600
                self._token = str(document["access_token"])
                early = min(RENEW_EARLY_S, lifetime / 2)
                # Monotonic: a wall clock that is set must not make a token immortal.
                self._renew_at = self._runtime.monotonic() + lifetime - early
            return self._token

    def _forget(self, token: str) -> None:
        with self._token_lock:
            if self._token == token:
                self._token = ""

    def _ask_token(self) -> Mapping[str, Any]:
        pair = f"{self._access.client_id}:{self._access.client_secret}".encode()
        request = HttpRequest(
            "POST",
            f"{self._access.accounts_url}/api/token",
            form={"grant_type": "client_credentials"},
            secret={"Authorization": f"Basic {base64.b64encode(pair).decode()}"},
        )
        tries = self._patience.tries()
        while True:
            verdict = self._send(request)
            if verdict.meaning is Meaning.OK and isinstance(verdict.document.get("access_token"), str):
                token: Mapping[str, Any] = verdict.document
                return token
            if verdict.meaning is Meaning.OK:
                verdict = Verdict(Meaning.TRANSIENT, "token answer without access_token")
            elif verdict.meaning in (Meaning.TOKEN_EXPIRED, Meaning.BAD_REQUEST, Meaning.UNKNOWN_ID):
                verdict = Verdict(Meaning.BAD_CLIENT, verdict.said)
            tries.wait_or_raise(verdict, "/api/token")
