"""An item may expire, and be removed, while a table is read for hours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from ops.flows import sides, verifying
from ops.flows.session import Session
from ops.flows.verifying import VerifyOptions
from ops.model.items import Item, KeySchema
from ops.model.proof import Comparison, SideInfo
from ops.progress import SilentProgress
from ops.verify.sides import LinesSide
from tests.unit.dynamodb.kit import StillClock

KEYS = KeySchema("pk")
KEPT: Item = {"pk": {"S": "kept"}}


class PassingClock(StillClock):
    """Its day goes on as well."""

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.monotonic())


class Reading:
    """Two sides of which the second is read for an hour; TTL removes an item from it meanwhile."""

    def __init__(self) -> None:
        self.clock = PassingClock()
        self.session = cast(Session, SimpleNamespace(clock=self.clock, progress=SilentProgress()))
        soon = int(self.clock.now().timestamp()) + 600
        expiring: Item = {"pk": {"S": "expiring"}, "expires": {"N": str(soon)}}
        self.expected = LinesSide(SideInfo("lines", "before"), lambda: iter([KEPT, expiring]), KEYS, ttl="expires")
        self.found = LinesSide(SideInfo("lines", "now"), self._read, KEYS, ttl="expires")

    def _read(self) -> Iterator[Item]:
        self.clock.sleep(3600)
        yield KEPT


def compared(reading: Reading, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Comparison | None:
    return sides.compared(reading.session, reading.expected, reading.found, KEYS, "expires", folder)


def verified(reading: Reading, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Comparison | None:
    both = reading.expected, reading.found, KEYS, "expires"
    monkeypatch.setattr(verifying, "open_both", lambda *_: both)
    return verifying.verify(reading.session, "t", "before", VerifyOptions(control=False)).proof


def differing(reading: Reading, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Comparison | None:
    both = reading.expected, reading.found, KEYS, "expires"
    monkeypatch.setattr(verifying, "open_both", lambda *_: both)
    return verifying.diff(reading.session, "before", "t", (), 20)


@pytest.mark.parametrize("compare", [compared, verified, differing])
def test_an_item_that_expired_while_the_table_was_read_is_not_lost(
    compare: Callable[..., Comparison], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = compare(Reading(), tmp_path, monkeypatch)
    assert (proof.missing, proof.ignored, proof.equal) == (0, {"ttl": 1}, True)
