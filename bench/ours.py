"""Our side of every case: thin adapters over the library, so that a change of its names is a change of a few lines.

As with the peers, the window opens when libraries are imported, and reading the export lines is part of the work.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from random import Random

import orjson

from bench.items import differences
from bench.servers import processors
from bench.window import Job, Window, main
from ops.aws import Aws
from ops.clock import SystemClock
from ops.dynamodb.client import DataPlane, data_plane
from ops.dynamodb.durable import Checkpoint, DeadLetters, put_lines
from ops.dynamodb.lines import read_lines, write_lines
from ops.dynamodb.scan import Scan, ScanRequest
from ops.dynamodb.write import BulkWriter, WriteTarget
from ops.model.items import Item, KeySchema
from ops.model.proof import SideInfo
from ops.recovery.objects import gzip_lines
from ops.verify.compare import compare
from ops.verify.gathering import digest_files
from ops.verify.lines import LineFile
from ops.verify.sides import FilesSide

TABLE = "bench"
REGION = "us-east-1"
KEYS = KeySchema("artist_id", "S", "id", "S")
#: What `ops --help` must not load: each costs about as much as all the rest.
HEAVY = ("boto3", "botocore", "pulumi", "duckdb", "moto")


def export_lines(files: tuple[str, ...]) -> Iterator[bytes]:
    """All export lines, unpacked as the data plane does it."""
    for path in files:
        with Path(path).open("rb") as file:
            yield from read_lines(file)


def export_items(files: tuple[str, ...]) -> Iterator[Item]:
    """The items of all export lines, as the library reads them."""
    for path in files:
        with Path(path).open("rb") as file:
            for line in gzip_lines(file):
                item: Item = orjson.loads(line)["Item"]
                yield item


def plane() -> DataPlane:
    """The data plane of the endpoint that the environment names."""
    return data_plane(Aws(region=REGION), SystemClock(), Random(0))


def write(job: Job, window: Window) -> int:
    """Export lines into a table as a command does it: rejected lines and checkpoint on disk, counts asserted."""
    work = _writing(job.files, Path(job.folder))
    with window:
        written = work()
    if written != job.items:
        raise RuntimeError(f"{written} of {job.items} items written")
    return written


def _writing(files: tuple[str, ...], folder: Path) -> Callable[[], int]:
    writer = BulkWriter(plane(), WriteTarget(TABLE, KEYS))
    checkpoint = Checkpoint(folder / "checkpoint.json", "bench", SystemClock())
    dead = DeadLetters(folder / "rejected.jsonl")
    return lambda: put_lines(writer, export_lines(files), checkpoint, dead).written


def write_together(job: Job, window: Window) -> int:
    """The same, each process with its share of the files; options: processes. The server counts the items."""

    def work(number: int, of: int) -> Callable[[], int]:
        folder = Path(job.folder, str(number))
        folder.mkdir()
        return _writing(job.files[number::of], folder)

    together(job, window, work)
    return job.items


def scan_together(job: Job, window: Window) -> int:
    """A parallel scan, each process with its share of the segments; options: segments, processes."""
    segments = int(job.options["segments"])

    def work(number: int, of: int) -> Callable[[], int]:
        reading = Scan(plane(), ScanRequest(TABLE, segments=segments, share=tuple(range(number, segments, of))))
        return lambda: write_lines(reading, Path(job.folder, f"{number}.json.gz")).items

    together(job, window, work)
    targets = [str(path) for path in Path(job.folder).glob("*.json.gz")]
    return sum(1 for _ in export_items(tuple(targets)))


def together(job: Job, window: Window, make: Callable[[int, int], Callable[[], int]]) -> None:
    """Work in several processes; the window opens when all are ready to begin.

    options: processes; endpoints, where each process has a processor and a server there of its own.
    """
    count = int(job.options["processes"])
    homes = list(zip(processors(), job.options.get("endpoints", ()), strict=False))
    if homes and len(homes) < count:
        raise RuntimeError(f"{count} processes apart need as many processors")
    context = get_context("fork")
    ready = context.Barrier(count + 1)

    def work(number: int) -> None:
        if homes:
            processor, os.environ["AWS_ENDPOINT_URL"] = homes[number]
            os.sched_setaffinity(0, {processor})
        task = make(number, count)
        ready.wait()
        task()

    workers = [context.Process(target=work, args=(number,)) for number in range(count)]
    for one in workers:
        one.start()
    ready.wait(30)
    with window:
        for one in workers:
            one.join()
    if any(one.exitcode for one in workers):
        raise RuntimeError("a process failed")


def scan(job: Job, window: Window) -> int:
    """A parallel scan into a file of export lines; options: segments."""
    reading = Scan(plane(), ScanRequest(TABLE, segments=int(job.options["segments"])))
    target = Path(job.folder) / "scan.json.gz"
    with window:
        write_lines(reading, target)
    return sum(1 for _ in export_items((str(target),)))


def read(job: Job, window: Window) -> int:
    """A parallel scan whose checked items go nowhere; options: segments (1)."""
    reading = Scan(plane(), ScanRequest(TABLE, segments=int(job.options.get("segments", 1))))
    with window:
        return sum(1 for _ in reading.items())


def fingerprint(job: Job, window: Window) -> int:
    """Export lines to the digest of the table; options: processes (1)."""
    with window:
        digest = digest_files(line_files(job.files), KEYS, workers=int(job.options.get("processes", 1)))
    return digest.count


def compare_sides(job: Job, window: Window) -> int:
    """Two exports compared; exactly the planted differences must come out. options: workers (as many as processors)."""
    sides = [FilesSide(SideInfo("export", files[0]), line_files(files), KEYS) for files in (job.files, job.others)]
    with window:
        found = compare(sides[0], sides[1], keys=KEYS, folder=Path(job.folder), workers=job.options.get("workers"))
    if (found.changed, found.missing, found.extra) != differences(job.items) or found.duplicates or found.shape:
        raise RuntimeError(f"wrong result: changed {found.changed}, missing {found.missing}, extra {found.extra}")
    return job.items


def line_files(files: tuple[str, ...]) -> tuple[LineFile, ...]:
    """The files as the comparison reads them."""
    return tuple(LineFile(Path(file)) for file in files)


def help_text(job: Job, window: Window) -> int:
    """`ops --help` as a process of its own; it must load nothing heavy."""
    command = [sys.executable, "-m", "ops", "--help"]
    with window:
        subprocess.run(command, check=True, capture_output=True, timeout=30)
    traced = [sys.executable, "-X", "importtime", *command[1:]]
    trace = subprocess.run(traced, check=True, capture_output=True, timeout=30, text=True).stderr
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in trace.splitlines()}
    if found := loaded.intersection(HEAVY):
        raise RuntimeError(f"ops --help loads {', '.join(sorted(found))}")
    return 1


def sandbox_up(job: Job, window: Window) -> int:
    """The whole sandbox, from nothing to a filled one that answers, as a command."""
    with _sandbox_command() as run:
        with window:
            run("up")
        run("down")
    return 1


def sandbox_down(job: Job, window: Window) -> int:
    """The end of one, its folder included."""
    with _sandbox_command() as run:
        run("up")
        with window:
            run("down")
    return 1


@contextmanager
def _sandbox_command() -> Iterator[Callable[[str], None]]:
    # imported here: what the other cases load must not be timed with it
    from ops.sandbox.state import private_folder

    folder = private_folder()
    environment = {**os.environ, "OPS_SANDBOX_DIR": str(folder)}

    def run(verb: str) -> None:
        command = [sys.executable, "-m", "ops", "sandbox", verb]
        subprocess.run(command, check=True, capture_output=True, timeout=60, env=environment)

    try:
        yield run
    finally:
        if folder.exists():
            run("down")


def server_write(job: Job, window: Window) -> int:
    """Items written into a table of a stand-in for AWS; its speed is what is measured."""
    _make_table()
    return write(job, window)


def server_scan(job: Job, window: Window) -> int:
    """The same table, filled and then scanned in one segment."""
    _make_table()
    write(job, Window())
    return read(job, window)


def _make_table() -> None:
    client = Aws(region=REGION).client("dynamodb")
    client.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in KEYS.types.items()],
        KeySchema=[
            {"AttributeName": name, "KeyType": kind} for name, kind in zip(KEYS.names, ("HASH", "RANGE"), strict=True)
        ],
    )
    client.get_waiter("table_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1, "MaxAttempts": 20})


CASES = {
    "write": write,
    "write_together": write_together,
    "scan_together": scan_together,
    "fingerprint_together": fingerprint,
    "scan": scan,
    "read": read,
    "fingerprint": fingerprint,
    "compare": compare_sides,
    "help": help_text,
    "sandbox_up": sandbox_up,
    "sandbox_down": sandbox_down,
    "server_write": server_write,
    "server_scan": server_scan,
}

if __name__ == "__main__":
    main(CASES)
