"""Faults on a scripted wire, each by a seed: what is told, what is kept, and how the next run ends."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from ops.dynamodb.durable import Checkpoint, DeadLetters, put_lines
from ops.dynamodb.retry import Failure
from ops.dynamodb.scan import Scan, ScanRequest
from ops.dynamodb.write import BulkWriter, WriteCounts, WriteTarget, key_bytes
from ops.errors import BadResponse, CredentialsUnusable, NotAllowed, OpsError, Throttled, Unreachable
from tests.unit.dynamodb.kit import KEYS, MemoryTable, ShuffledTable, StillClock, plane, some_items, some_lines

TARGET = WriteTarget("t", KEYS)
SEEDS = range(5)
EMPTY: list[Any] = [{}, None, [], "", 0]
LATE = "Signature expired: 20261120T100216Z is now earlier than 20261120T102216Z (20261120T103716Z - 15 min.)"
EARLY = "Signature not yet current: 20261120T100216Z is still later than 20261120T094716Z (… + 15 min.)"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("failure", "error", "code"),
    [
        (Failure("ProvisionedThroughputExceededException", "slow", 400), Throttled, 9),
        (Failure("ThrottlingException", "slow", 400), Throttled, 9),
        (Failure("InternalServerError", "oops", 500), BadResponse, 9),
        (Failure("Truncated", "cut", 200), BadResponse, 9),
        (Failure("ChecksumMismatch", "other", 200), BadResponse, 9),
        (Failure("ConnectionBroken", "reset", 0), Unreachable, 9),
        (Failure("Timeout", "hang", 0), Unreachable, 9),
        (Failure("ExpiredTokenException", "expired", 400), CredentialsUnusable, 8),
        (Failure("InvalidSignatureException", LATE, 400), CredentialsUnusable, 8),
        (Failure("AccessDeniedException", "no", 400), NotAllowed, 8),
    ],
    ids=lambda value: value.code if isinstance(value, Failure) else "",
)
def test_a_fault_that_does_not_end_keeps_the_checkpoint_and_the_next_run_ends_as_if_it_had_not_been(
    tmp_path: Path, seed: int, failure: Failure, error: type[OpsError], code: int
) -> None:
    random = Random(seed)
    after, lost = random.randrange(1, 12), random.random() * 0.3
    table = MemoryTable(mood=lambda operation, number: failure if number > after else None)
    wire = ShuffledTable(table, Random(seed), lost=lost)
    items = some_items(400)
    lines = some_lines(items)
    lines[random.randrange(400)] = b"{\n"

    def run() -> WriteCounts:
        checkpoint = Checkpoint(tmp_path / "c.json", "lines", StillClock(), every_s=0.0)
        return put_lines(BulkWriter(plane(wire, seed=seed), TARGET), lines, checkpoint, DeadLetters(tmp_path / "d"))

    with pytest.raises(error) as caught:
        run()
    assert caught.value.exit_code == code
    settled = Checkpoint(tmp_path / "c.json", "lines", StillClock()).load()
    before = {key_bytes(item, KEYS) for item, line in zip(items, lines, strict=True) if line != b"{\n"}
    done = {key_bytes(item, KEYS) for item in items[: settled.read]} & before
    assert done <= table.items.keys()
    table.mood = lambda operation, number: None
    wire.lost = 0.0
    assert run() == WriteCounts(read=400, written=399, rejected=1)
    assert table.items.keys() == before
    assert [one["line"] for one in DeadLetters(tmp_path / "d").read()] == [lines.index(b"{\n") + 1]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("InvalidSignatureException", LATE),
        ("SignatureDoesNotMatch", EARLY),
        ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
        ("RequestExpired", "Request has expired."),
    ],
)
def test_a_clock_that_is_wrong_is_told_as_that(code: str, message: str) -> None:
    table = MemoryTable(mood=lambda operation, number: Failure(code, message, 400))
    with pytest.raises(CredentialsUnusable, match="the clock of this machine") as caught:
        BulkWriter(plane(table), TARGET).put(some_items(1))
    assert "15 minutes" in caught.value.fix[0]
    assert caught.value.why == message


def test_a_signature_that_is_wrong_for_another_reason_is_no_matter_of_the_clock() -> None:
    table = MemoryTable(mood=lambda operation, number: Failure("InvalidSignatureException", "does not match", 400))
    with pytest.raises(CredentialsUnusable, match="credentials refused"):
        BulkWriter(plane(table), TARGET).put(some_items(1))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_page_key_that_comes_again_after_any_number_of_pages_ends_the_scan(seed: int) -> None:
    random = Random(seed)
    again = random.randrange(1, 20)
    pages: list[dict[str, Any]] = []

    class Looping(MemoryTable):
        def send(self, operation: str, body: bytes) -> dict[str, Any]:
            answer = super().send(operation, body)
            if len(pages) == again:
                answer["LastEvaluatedKey"] = random.choice(pages)["LastEvaluatedKey"]
            pages.append(answer)
            return answer

    table = Looping(items={key_bytes(item, KEYS): item for item in some_items(90)})
    with pytest.raises(BadResponse, match="a second time"):
        list(Scan(plane(table), ScanRequest("t", segments=1)).items())
    assert len(pages) <= again + 20


@pytest.mark.parametrize("seed", SEEDS)
def test_a_page_key_without_a_key_is_no_last_page(seed: int) -> None:
    random = Random(seed)
    empty: Any = random.choice(EMPTY)
    at = random.randrange(1, 9)

    class Losing(MemoryTable):
        def send(self, operation: str, body: bytes) -> dict[str, Any]:
            answer = super().send(operation, body)
            return {**answer, "LastEvaluatedKey": empty} if len(self.asked) >= at else answer

    table = Losing(items={key_bytes(item, KEYS): item for item in some_items(90)})
    wire = ShuffledTable(table, random)
    with pytest.raises(BadResponse):
        list(Scan(plane(wire), ScanRequest("t", segments=1)).items())
