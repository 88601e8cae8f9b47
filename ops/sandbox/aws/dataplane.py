"""The data plane without moto's request machinery; None hands a call to moto."""

from __future__ import annotations

from ops.sandbox.aws.history import History
from ops.sandbox.aws.world import World


class DataPlane:
    """Answers the hot data calls."""

    def __init__(self, world: World, history: History) -> None:
        self._world = world
        self._history = history

    def answer(self, operation: str, region: str, body: bytes) -> tuple[int, bytes] | None:
        """Status and JSON body; the caller holds the lock."""
        return None
