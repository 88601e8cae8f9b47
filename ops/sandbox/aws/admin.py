"""The sandbox's own routes, under /moto-api/sandbox/: status, clock, durations, limits, replication, …"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

from ops.sandbox.aws.clock import zulu
from ops.sandbox.aws.faults import FAULTS
from ops.sandbox.aws.replicas import Replicas
from ops.sandbox.aws.throughput import BURST_S, Meter
from ops.sandbox.aws.world import DatabaseBinding, World

PREFIX = "/moto-api/sandbox/"
Answer = tuple[int, dict[str, Any]]


class Admin:
    """Answers one admin request; bad input is a 400 that says what was wrong."""

    def __init__(self, world: World, replicas: Replicas, meter: Meter) -> None:
        self._world = world
        self._replicas = replicas
        self._meter = meter
        self._routes: Mapping[tuple[str, str], Callable[[dict[str, Any]], dict[str, Any]]] = {
            ("GET", "status"): self._status,
            ("GET", "clock"): self._clock,
            ("POST", "clock"): self._advance,
            ("GET", "durations"): self._durations,
            ("POST", "durations"): self._set_durations,
            ("GET", "limits"): self._limits,
            ("POST", "limits"): self._set_limits,
            ("GET", "replication"): self._replication,
            ("POST", "replication"): self._set_replication,
            ("GET", "database"): self._databases,
            ("POST", "database"): self._bind,
            ("GET", "fault"): self._faults,
            ("POST", "fault"): self._set_fault,
            ("DELETE", "fault"): self._clear_faults,
        }

    def answer(self, method: str, path: str, query: str, body: bytes) -> Answer:
        """Status code and JSON document."""
        route = self._routes.get((method, path.removeprefix(PREFIX).strip("/")))
        if route is None:
            known = ", ".join(f"{verb} {name}" for verb, name in self._routes)
            return 404, {"error": f"no such route; known: {known}"}
        try:
            given = json.loads(body) if body.strip() else {}
            if not isinstance(given, dict):
                raise TypeError("the body must be a JSON object")
            given |= {name: values[-1] for name, values in parse_qs(query).items()}
            with self._world.lock:
                return 200, route(given)
        except (ValueError, TypeError, KeyError) as error:
            missing = f"missing member {error}" if isinstance(error, KeyError) else str(error)
            return 400, {"error": missing}

    def _status(self, _given: dict[str, Any]) -> dict[str, Any]:
        world = self._world
        return {
            "service": "dynamo-ops sandbox",
            "token": world.token,
            "now": zulu(world.now(), millis=True),
            "offset_s": world.clock.offset_s,
            "durations": self._durations({}),
            "databases": sorted(world.databases),
            "faults": world.faults.listed(),
        }

    def _clock(self, _given: dict[str, Any]) -> dict[str, Any]:
        return {"now": zulu(self._world.now(), millis=True), "offset_s": self._world.clock.offset_s}

    def _advance(self, given: dict[str, Any]) -> dict[str, Any]:
        self._world.clock.advance(float(given["advance_s"]))
        self._world.settle()
        return self._clock({})

    def _durations(self, _given: dict[str, Any]) -> dict[str, Any]:
        return {name: getattr(self._world.durations, name) for name in self._world.durations.names()}

    def _set_durations(self, given: dict[str, Any]) -> dict[str, Any]:
        if unknown := sorted(set(given) - set(self._world.durations.names())):
            raise ValueError(f"unknown durations: {', '.join(unknown)}")
        wanted = {name: float(seconds) for name, seconds in given.items()}
        if any(seconds < 0 for seconds in wanted.values()):
            raise ValueError("a duration is not negative")
        self._world.durations = replace(self._world.durations, **wanted)
        return self._durations({})

    def _limits(self, _given: dict[str, Any]) -> dict[str, Any]:
        return {"throughput": self._meter.on, "burst_s": self._meter.burst_s}

    def _set_limits(self, given: dict[str, Any]) -> dict[str, Any]:
        on = given["throughput"]
        if not isinstance(on, bool):
            raise TypeError("throughput must be true or false")
        self._meter.switch(on=on, burst_s=float(given.get("burst_s", BURST_S)))
        return self._limits({})

    def _replication(self, _given: dict[str, Any]) -> dict[str, Any]:
        lag_s = self._world.durations.replica_lag_s
        return {"lag_s": lag_s, "paused": self._replicas.paused, "pending": self._replicas.pending()}

    def _set_replication(self, given: dict[str, Any]) -> dict[str, Any]:
        if "lag_s" in given:
            self._set_durations({"replica_lag_s": given["lag_s"]})
        if "paused" in given:
            self._replicas.pause(bool(given["paused"]))
        return self._replication({})

    def _databases(self, _given: dict[str, Any]) -> dict[str, Any]:
        return {
            "databases": [
                {"engine": one.engine, "address": one.address, "port": one.port, "database": one.database}
                for one in self._world.databases.values()
            ]
        }

    def _bind(self, given: dict[str, Any]) -> dict[str, Any]:
        binding = DatabaseBinding(
            engine=str(given["engine"]), address=str(given["address"]), port=int(given["port"]),
            username=str(given["username"]), password=str(given["password"]), database=str(given["database"]),
        )  # fmt: skip
        self._world.databases[binding.engine] = binding
        return self._databases({})

    def _faults(self, _given: dict[str, Any]) -> dict[str, Any]:
        return {"faults": self._world.faults.listed(), "known": dict(FAULTS)}

    def _set_fault(self, given: dict[str, Any]) -> dict[str, Any]:
        return self._world.faults.set(given).as_dict()

    def _clear_faults(self, given: dict[str, Any]) -> dict[str, Any]:
        self._world.faults.clear(given.get("name"))
        return {"faults": self._world.faults.listed()}
