"""Client of the sandbox's admin routes, and a clock that runs on sandbox time. Standard library only."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ops.errors import SandboxNotRunning

TIMEOUT_S = 5.0
REAL_SLEEP_LIMIT_S = 1.0


class SandboxControl:
    """Talks to `http://127.0.0.1:PORT/moto-api/sandbox/`."""

    def __init__(self, endpoint: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self.endpoint = endpoint.rstrip("/")
        self._timeout_s = timeout_s

    def status(self) -> dict[str, Any]:
        """{"service", "token", "now", "offset_s", "durations", "databases", "faults"}."""
        return self._call("GET", "status")

    def clock(self) -> dict[str, Any]:
        """{"now": RFC 3339, "offset_s"}."""
        return self._call("GET", "clock")

    def advance(self, seconds: float) -> dict[str, Any]:
        """Step the sandbox's clock forwards; what falls due is done before this returns."""
        return self._call("POST", "clock", {"advance_s": seconds})

    def set_durations(self, **seconds: float) -> dict[str, Any]:
        """Change how long things take from now on, e.g. `restore_s=5, backups_ready_s=6`; answers all of them."""
        return self._call("POST", "durations", seconds)

    def limit_throughput(self, on: bool, *, burst_s: float = 300.0) -> dict[str, Any]:
        """Throttle by a token bucket on the provisioned capacity, with so many seconds of burst."""
        return self._call("POST", "limits", {"throughput": on, "burst_s": burst_s})

    def limits(self) -> dict[str, Any]:
        """{"throughput": whether capacity throttles, "burst_s"}."""
        return self._call("GET", "limits")

    def replication(self, *, lag_s: float | None = None, paused: bool | None = None) -> dict[str, Any]:
        """Set the lag of global tables, pause or resume them; answers {"lag_s", "paused", "pending"}."""
        wanted = {name: value for name, value in (("lag_s", lag_s), ("paused", paused)) if value is not None}
        return self._call("POST", "replication", wanted) if wanted else self._call("GET", "replication")

    def save(self) -> int:
        """Write the whole state into the state folder; its size in bytes. RuntimeError says why not."""
        return int(self._call("POST", "save")["bytes"])

    def bind_database(
        self, *, engine: str, address: str, port: int, username: str, password: str, database: str
    ) -> dict[str, Any]:
        """RDS instances of this engine created from now on stand for this database."""
        document = {
            "engine": engine, "address": address, "port": port, "username": username, "password": password,
            "database": database,
        }  # fmt: skip
        return self._call("POST", "database", document)

    def set_fault(
        self, name: str, *, share: float = 1.0, seed: int = 1, count: int | None = None,
        operations: tuple[str, ...] = (), region: str | None = None, match: str = "", delay_s: float = 3.0,
    ) -> dict[str, Any]:  # fmt: skip
        """Switch a fault on; `operations`, `region`, `match` and `delay_s` are for the faults that say so."""
        wanted = {
            "name": name, "share": share, "seed": seed, "count": count, "operations": list(operations),
            "region": region, "match": match, "delay_s": delay_s,
        }  # fmt: skip
        return self._call("POST", "fault", wanted)

    def faults(self) -> list[dict[str, Any]]:
        """The faults that are on, each with how often it has struck."""
        found: list[dict[str, Any]] = self._call("GET", "fault")["faults"]
        return found

    def known_faults(self) -> dict[str, str]:
        """Every fault there is, explained."""
        known: dict[str, str] = self._call("GET", "fault")["known"]
        return known

    def clear_faults(self, name: str | None = None) -> None:
        """Switch one or all faults off."""
        self._call("DELETE", "fault" if name is None else f"fault?name={name}")

    def _call(self, method: str, route: str, document: Mapping[str, Any] | None = None) -> dict[str, Any]:
        data = None if document is None else json.dumps(document).encode()
        url = f"{self.endpoint}/moto-api/sandbox/{route}"
        request = urllib.request.Request(url, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with self._opener().open(request, timeout=self._timeout_s) as answer:
                found = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise self._refused(error) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SandboxNotRunning(f"the sandbox at {self.endpoint} does not answer", why=str(error)) from error
        if not isinstance(found, dict):
            raise SandboxNotRunning(f"what answers at {self.endpoint} is not the sandbox")
        return found

    def _refused(self, error: urllib.error.HTTPError) -> Exception:
        text = error.read().decode(errors="replace")
        try:
            said = str(json.loads(text)["error"])
        except (ValueError, KeyError, TypeError):
            return SandboxNotRunning(
                f"what answers at {self.endpoint} is not the sandbox", why=f"HTTP {error.code}: {text[:200]}"
            )
        return ValueError(f"the sandbox refused: {said}")

    @staticmethod
    def _opener() -> urllib.request.OpenerDirector:
        # loopback never goes through a proxy, whatever the environment says
        return urllib.request.build_opener(urllib.request.ProxyHandler({}))


class SandboxClock:
    """ops.clock.Clock on sandbox time: a long wait advances the sandbox instead of the reader's patience."""

    def __init__(self, control: SandboxControl) -> None:
        self._control = control
        self._advanced_s = 0.0

    def now(self) -> datetime:
        """The sandbox's instant, aware UTC."""
        return datetime.fromisoformat(str(self._control.clock()["now"])).astimezone(UTC)

    def monotonic(self) -> float:
        """Real seconds plus what this clock has advanced."""
        return time.monotonic() + self._advanced_s

    def sleep(self, seconds: float) -> None:
        """Over one second: advance the sandbox. Up to one second: really sleep."""
        if seconds > REAL_SLEEP_LIMIT_S:
            self._control.advance(seconds)
            self._advanced_s += seconds
        elif seconds > 0:
            time.sleep(seconds)
