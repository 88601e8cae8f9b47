"""No more capacity is used than was allowed, however many requests are on their way."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from ops.dynamodb.capacity import CapacityLimit
from ops.dynamodb.retry import Failure
from ops.dynamodb.scan import Scan, ScanRequest
from ops.dynamodb.table import segments_for
from ops.dynamodb.write import BulkWriter, WriteTarget, key_bytes
from ops.errors import BadArgument
from tests.unit.dynamodb.kit import KEYS, MemoryTable, ShuffledTable, StillClock, plane, some_items

TARGET = WriteTarget("t", KEYS)


def metered(clock: StillClock, **given: Any) -> tuple[MemoryTable, list[tuple[float, float]]]:
    """A table, and (second, units used until then) after each request."""
    used: list[tuple[float, float]] = []

    class Metered(MemoryTable):
        def send(self, operation: str, body: bytes) -> dict[str, Any]:
            answer = super().send(operation, body)
            found = answer["ConsumedCapacity"]
            units = (found[0] if isinstance(found, list) else found)["CapacityUnits"]
            used.append((clock.monotonic(), units + (used[-1][1] if used else 0.0)))
            return answer

    return Metered(**given), used


@pytest.mark.parametrize("rate", [40.0, 100.0, 1000.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_bulk_write_stays_within_its_units(rate: float, seed: int) -> None:
    clock = StillClock()
    table, used = metered(clock)
    wire = ShuffledTable(table, Random(seed))
    counts = BulkWriter(plane(wire, clock), TARGET, limit=CapacityLimit(rate, clock)).put(some_items(2000))
    assert counts.written == 2000
    # The first batches are sent before any cost is known.
    assert all(units <= rate * second + 75 for second, units in used)
    assert used[-1][0] <= 2000 / rate + 1


def test_failed_requests_cost_nothing_and_leave_no_debt() -> None:
    clock = StillClock()
    broken = Failure("InternalServerError", "", 500)
    table, used = metered(clock, mood=lambda operation, number: broken if number % 2 else None)
    limit = CapacityLimit(100.0, clock)
    writer = BulkWriter(plane(ShuffledTable(table, Random(1)), clock, attempts=50), TARGET, limit=limit)
    assert writer.put(some_items(1000)).written == 1000
    assert all(units <= 100 * second + 75 for second, units in used)
    assert not limit._held


@pytest.mark.parametrize("segments", [1, 4])
@pytest.mark.parametrize("raw", [True, False])
def test_a_scan_stays_within_its_units(segments: int, raw: bool) -> None:
    clock = StillClock()
    table, used = metered(clock, items={key_bytes(item, KEYS): item for item in some_items(120)})
    wire = ShuffledTable(table, Random(2))
    scan = Scan(plane(wire, clock), ScanRequest("t", segments=segments), CapacityLimit(2.0, clock))
    assert sum(len(page.items) for page in (scan.raw_pages() if raw else scan.pages())) == 120
    assert all(units <= 2 * second + 4 for second, units in used)
    assert scan.counts.capacity == used[-1][1]


def test_no_page_of_a_limited_scan_costs_much_more_than_a_second_of_it() -> None:
    """AWS reads up to 1 MB, 256 units, for one page: at 5 units a second that would be a minute at once."""
    clock = StillClock()
    pages: list[float] = []

    class Sized(MemoryTable):
        def _scan(self, params: dict[str, Any]) -> dict[str, Any]:
            answer = super()._scan(params)
            answer["ConsumedCapacity"]["CapacityUnits"] = 0.4 * answer["ScannedCount"]
            pages.append(answer["ConsumedCapacity"]["CapacityUnits"])
            return answer

    table = Sized(items={key_bytes(item, KEYS): item for item in some_items(600)}, page=600)
    scan = Scan(plane(table, clock), ScanRequest("t", segments=2), CapacityLimit(5.0, clock))
    assert sum(1 for _ in scan.items()) == 600
    assert max(pages) <= 5.0
    assert len(pages) < 600 * 0.4 / 5 + 10
    assert clock.monotonic() >= 600 * 0.4 / 5 - 10


def test_a_share_of_what_is_provisioned() -> None:
    clock = StillClock()
    limit = CapacityLimit.share(200, 25, clock)
    limit.before()
    limit.spent(100.0)
    limit.before()
    assert clock.slept == [pytest.approx(2.0)]


def test_a_limit_is_read_as_units_as_a_share_or_as_none() -> None:
    clock = StillClock()
    for text, units in (
        ("40", 40.0),
        ("1.5", 1.5),
        ("1", 1.0),
        ("25%", 50.0),
        ("0.5%", 1.0),
        ("0.1%", 0.2),
        ("100%", 200.0),
    ):
        limit = CapacityLimit.of(text, 200, "table t", clock)
        assert limit is not None
        assert limit.units_per_s == pytest.approx(units)
    assert CapacityLimit.of(None, 200, "table t", clock) is CapacityLimit.of("adaptive", 200, "table t", clock) is None


@pytest.mark.parametrize(
    "text", ["", "%", "0", "0.5", "0.99", "100.1%", "101%", "0.09%", "0%", "-4", "1e9", "many", "4 %", "nan", "٤"]
)
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(BadArgument, match="capacity units"):
        CapacityLimit.of(text, 200, "table t", StillClock())


def test_a_share_of_what_is_on_demand_is_refused() -> None:
    with pytest.raises(BadArgument, match="table t is on demand"):
        CapacityLimit.of("25%", 0, "table t", StillClock())


def test_a_whole_scan_of_a_larger_table_has_more_segments_within_bounds() -> None:
    mib = 1024 * 1024
    assert [segments_for(size) for size in (0, mib, 200 * mib, 10**15)] == [4, 4, 6, 32]


def test_a_request_is_taken_to_cost_what_requests_cost_so_far() -> None:
    clock = StillClock()
    limit = CapacityLimit(10.0, clock)
    limit.before()
    limit.spent(8.0)  # 0.8 s of debt; the next are taken to cost 8 units
    limit.before()
    assert clock.slept == [pytest.approx(0.8)]
    limit.before()
    assert clock.slept[1:] == [pytest.approx(0.8)]
    limit.spent(16.0)  # 8 more than was held back for it; the next are taken to cost (7 * 8 + 16) / 8 = 9
    limit.spent(0.0)  # one that failed gives its 8 back and is no measure
    limit.before()
    assert clock.slept[2:] == [pytest.approx(0.8)]
    limit.before()
    assert clock.slept[3:] == [pytest.approx(0.9)]


def test_a_request_that_costs_less_than_a_unit_is_a_measure_too() -> None:
    clock = StillClock()
    limit = CapacityLimit(1.0, clock)
    limit.before()
    limit.spent(0.5)
    limit.before()
    limit.before()
    assert clock.slept == [pytest.approx(0.5), pytest.approx(0.5)]
