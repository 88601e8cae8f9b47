"""Whatever the table refuses, delays or throttles: what is read is what is accounted for, and the table is right."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from ops.dynamodb.retry import Failure
from ops.dynamodb.scan import Scan, ScanRequest
from ops.dynamodb.write import BulkWriter, Rejected, WriteTarget, key_bytes
from ops.model.items import Item
from tests.property.examples import examples
from tests.unit.dynamodb.kit import KEYS, MemoryTable, plane

MOODS = st.sampled_from([None, None, None, 0.3, 0.9, "ThrottlingException", "InternalServerError", "Truncated"])
LINES = st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.text(max_size=5)), max_size=120)


def line(number: int, acceptable: bool, text: str) -> Item:
    return {"pk": {"S": "p"}, "sk": {"N": str(number)} if acceptable else {"S": "x"}, "text": {"S": text}}


@settings(max_examples=examples(150), deadline=None)
@given(LINES, st.lists(MOODS, min_size=1, max_size=7), st.integers(0, 40), st.integers())
def test_every_line_is_accounted_for_and_the_table_holds_the_last_of_each_key(
    lines: list[tuple[int, bool, str]], moods: list[str | float | None], poison: int, seed: int
) -> None:
    random = Random(seed)

    def mood(operation: str, number: int) -> Failure | float | None:
        found = moods[number % len(moods)] if random.random() < 0.5 else None
        return Failure(found, "", 500 if found == "InternalServerError" else 400) if isinstance(found, str) else found

    table = MemoryTable(mood=mood, refused=lambda item: item["sk"]["N"] == str(poison))
    rejected: list[Rejected] = []
    told: list[int] = []
    writer = BulkWriter(
        plane(table, attempts=1000), WriteTarget("t", KEYS), on_rejected=rejected.append, on_acknowledged=told.append
    )
    counts = writer.put(line(*one) for one in lines)
    oracle = {key_bytes(line(*one), KEYS): line(*one) for one in lines if one[1] and one[0] != poison}
    assert table.items == oracle
    assert counts.read == len(lines)
    assert counts.rejected == len(rejected)
    assert {one.position for one in rejected} >= {at for at, one in enumerate(lines, 1) if not one[1]}
    assert told == sorted(told)
    assert told[-1] == len(lines)


@settings(max_examples=examples(80), deadline=None)
@given(st.integers(0, 60), st.integers(1, 6), st.lists(MOODS, min_size=1, max_size=5), st.integers())
def test_a_scan_through_failures_reads_each_item_once(
    count: int, segments: int, moods: list[str | float | None], seed: int
) -> None:
    random = Random(seed)

    def mood(operation: str, number: int) -> Failure | None:
        found = random.choice(moods)
        return Failure(found, "", 500) if isinstance(found, str) and random.random() < 0.7 else None

    items = [line(number, True, "") for number in range(count)]
    table = MemoryTable(mood=mood, items={key_bytes(item, KEYS): item for item in items})
    scan = Scan(plane(table, attempts=1000), ScanRequest("t", segments=segments))
    read = [key_bytes(item, KEYS) for item in scan.items()]
    assert sorted(read) == sorted(table.items)
