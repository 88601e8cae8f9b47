"""Requests of the data plane by parameters: encoded, sent, repeated where that is safe."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import orjson

from ops.aws import Aws
from ops.clock import Clock
from ops.dynamodb.retry import Retrier, RetryPolicy
from ops.dynamodb.transport import HttpTransport, Transport


@dataclass(frozen=True, slots=True)
class DataPlane:
    """What scan, query and write need: the wire and the patience."""

    transport: Transport
    retrier: Retrier

    def call(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """One request with its repetitions; the checked document of the answer."""
        body = orjson.dumps(params)
        return self.retrier.run(lambda: self.transport.send(operation, body), operation, params)


def data_plane(
    aws: Aws, clock: Clock, random: Random, *, region: str | None = None, policy: RetryPolicy | None = None
) -> DataPlane:
    """The real data plane of a region."""
    transport = HttpTransport(aws, region=region)
    endpoint = aws.endpoint("dynamodb", region)
    return DataPlane(transport, Retrier(clock, random, policy or RetryPolicy(), endpoint))
