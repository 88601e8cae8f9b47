"""A disk that takes no more ends a run with an error that says so, and with what was written before it."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from ops.dynamodb.durable import Checkpoint, DeadLetters, put_lines
from ops.dynamodb.write import BulkWriter, WriteTarget
from ops.errors import RunFolderUnusable
from ops.flows.checkpoints import Appended
from ops.flows.held import held
from ops.recovery.preflight import preflight
from tests.unit.dynamodb.kit import KEYS, MemoryTable, ShuffledTable, StillClock, plane, some_items, some_lines


@contextmanager
def files_of(size_bytes: int) -> Iterator[None]:
    """No file of this process grows beyond that size: writes end as they do on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


LINES = some_lines(some_items(300))


@pytest.mark.parametrize("most", [1, 64])
@pytest.mark.parametrize("apart", [3, 30])
@pytest.mark.parametrize("size_bytes", [130, 700])
@pytest.mark.parametrize("every_s", [0.0, 3600.0])
def test_rejected_lines_that_do_not_fit_end_a_run_that_says_what_it_wrote_and_goes_on_later(
    tmp_path: Path, size_bytes: int, every_s: float, apart: int, most: int
) -> None:
    table = MemoryTable()
    lines = [line if at % apart else b"no item\n" for at, line in enumerate(LINES)]

    def run() -> None:
        writer = BulkWriter(plane(ShuffledTable(table, Random(size_bytes))), WriteTarget("t", KEYS), most=most)
        kept = Checkpoint(tmp_path / "checkpoint.json", "lines", StillClock(), every_s)
        put_lines(writer, lines, kept, DeadLetters(tmp_path / "dead.jsonl"))

    with pytest.raises(RunFolderUnusable) as caught, files_of(size_bytes):
        run()
    assert f"{len(table.items)} items were written" in caught.value.changed
    run()
    assert len(table.items) == 300 - 300 // apart
    assert [one["line"] for one in DeadLetters(tmp_path / "dead.jsonl").read()] == list(range(1, 301, apart))


def test_lines_that_do_not_fit_are_told_and_those_forced_before_stay(tmp_path: Path) -> None:
    path = tmp_path / "queue"
    with pytest.raises(RunFolderUnusable, match="cannot write"), Appended(path, 0) as file:
        file.add(b"x" * 50)
        kept = file.force()
        with files_of(100):
            file.add(b"y" * 100)
            file.force()
    with pytest.raises(RunFolderUnusable, match="cannot write"), files_of(100), Appended(path, kept) as file:
        file.add(b"z" * 100)
    with Appended(path, kept) as file:
        file.add(b"end")
    assert path.read_bytes() == b"x" * 50 + b"\nend\n"


@pytest.mark.parametrize("lines", [3, 100_000])
def test_keys_of_an_import_that_do_not_fit_are_told(lines: int) -> None:
    given = (("f", at, b'{"Item":{"pk":{"S":"p"},"sk":{"N":"%d"}}}' % at) for at in range(lines))
    with pytest.raises(RunFolderUnusable, match="cannot be held on the disk"), files_of(20):
        preflight(given, KEYS, {}, "dynamodb-json")


def test_digests_that_do_not_fit_are_told(tmp_path: Path) -> None:
    with pytest.raises(RunFolderUnusable, match="on the disk"), files_of(200_000), held(tmp_path, "newest") as found:
        for number in range(1000):
            found.add((b"%016d" % one, b"x" * 900) for one in range(number * 1000, number * 1000 + 1000))
