"""What a comparison hands to processes of its own: reading whole files to rows, and merging parts of two sides.

No item goes from one process to another: a job names files, its answer names the file with the rows. Jobs are run
in the process itself when there is one worker only, so both ways are the same code.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
from array import array
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from struct import Struct
from typing import Any

from ops.errors import BadArgument, ExportCorrupt, OpsError, RunFolderUnusable
from ops.model.items import KeySchema
from ops.verify.fingerprint import TableDigest
from ops.verify.lines import LineFile
from ops.verify.merge import Raw, differences
from ops.verify.reading import BadSourceLine, Reader
from ops.verify.spill import FAULT, MEMORY_LIMIT_BYTES, ROW, Row, Spill, SpillFile

#: A place in a file of lines: number of the file, number of the line.
LINE_BITS = 40
_KINDS = ("missing", "extra", "changed", "duplicate", "shape")
_RAW = Struct(f">BB{ROW.size}s{ROW.size}s")
_NOTHING = bytes(ROW.size)


@dataclass(frozen=True, slots=True)
class ReadJob:
    """Whole files of one side: (number of the file, file)."""

    keys: KeySchema
    files: tuple[tuple[int, LineFile], ...]
    folder: Path | None
    memory_limit_bytes: int = MEMORY_LIMIT_BYTES

    def to_data(self) -> dict[str, Any]:
        """For another process."""
        files = [[number, file.to_data()] for number, file in self.files]
        folder = None if self.folder is None else str(self.folder)
        return {
            "job": "read", "keys": asdict(self.keys), "files": files, "folder": folder,
            "memory_limit_bytes": self.memory_limit_bytes,
        }  # fmt: skip

    def run(self) -> dict[str, Any]:
        """Read all of them; the answer names the file of rows."""
        total = count = faults = 0
        with Spill(self.folder, memory_limit_bytes=self.memory_limit_bytes) as spill:
            for number, file in self.files:
                for keys, items, places in read_rows(file, number, self.keys):
                    spill.extend(keys, items, places)
                    total += sum(map(int.from_bytes, items))
                    count += len(items)
                    faults += sum(1 for place in places if place >= FAULT)
            return {"count": count, "total": f"{total:x}", "faults": faults, "rows": spill.hand_over().to_data()}


@dataclass(frozen=True, slots=True)
class DigestJob:
    """Whole files of which only the digest is wanted."""

    keys: KeySchema
    files: tuple[LineFile, ...]

    def to_data(self) -> dict[str, Any]:
        """For another process."""
        return {"job": "digest", "keys": asdict(self.keys), "files": [file.to_data() for file in self.files]}

    def run(self) -> dict[str, Any]:
        """Read all of them; the answer is what `digest_of` takes."""
        table = TableDigest()
        for file in self.files:
            for keys, items, _ in read_rows(file, 0, self.keys):
                table.add_all(keys, items)
        sums = [f"{value:x}" for value in table.sums or ()]
        return {"count": table.count, "total": f"{table.total:x}", "counts": list(table.counts or ()), "sums": sums}


def digest_of(answer: dict[str, Any]) -> TableDigest:
    """What a DigestJob answered."""
    if not answer["count"]:
        return TableDigest()
    sums = [int(value, 16) for value in answer["sums"]]
    return TableDigest(answer["count"], int(answer["total"], 16), array("q", answer["counts"]), sums)


@dataclass(frozen=True, slots=True)
class MergeJob:
    """The parts from `first` until before `last` of two sides; what differs is written to `target`."""

    expected: tuple[SpillFile, ...]
    found: tuple[SpillFile, ...]
    first: int
    last: int
    target: Path

    def to_data(self) -> dict[str, Any]:
        """For another process."""
        return {
            "job": "merge", "expected": [one.to_data() for one in self.expected],
            "found": [one.to_data() for one in self.found], "first": self.first, "last": self.last,
            "target": str(self.target),
        }  # fmt: skip

    def run(self) -> dict[str, Any]:
        """Merge; the answer is the number of differences."""
        count = 0
        try:
            with (
                BorrowedRows(self.expected) as expected,
                BorrowedRows(self.found) as found,
                self.target.open("wb") as file,
            ):
                for raw in differences(expected, found, range(self.first, self.last), folder=self.target.parent):
                    file.write(_packed(raw))
                    count += 1
        except OSError as error:
            raise RunFolderUnusable(
                f"cannot hold the records of the comparison in {self.target.parent}", why=str(error)
            ) from error
        return {"differences": count}


Job = ReadJob | DigestJob | MergeJob


class BorrowedRows(Spill):
    """Rows in files that belong to another process, and stay."""

    def __init__(self, files: Iterable[SpillFile]) -> None:
        super().__init__()
        for file in files:
            self.adopt(file, 0)

    def close(self) -> None:
        for _, file in self._others:
            file.close()
        self._others = []


def read_rows(file: LineFile, number: int, keys: KeySchema) -> Iterator[tuple[list[bytes], list[bytes], Sequence[int]]]:
    """Digests of keys and items, and places, block by block; an error names a line that is no item."""
    reader = Reader(keys, wrapped=file.wrapped)
    first = start = number << LINE_BITS
    try:
        for block in file.blocks():
            found = reader.digests(block, first)
            first += len(found.keys)
            places: Sequence[int] = found.lines
            if found.faulty:
                places = [place | FAULT if place in found.faulty else place for place in places]
            yield found.keys, found.items, places
        file.check_count(first - start)
    except BadSourceLine as error:
        raise file.bad_line(error.number - start, str(error)) from error


def read_raws(target: Path, count: int) -> Generator[Raw, None, None]:
    """What a MergeJob wrote: as many as it answered, since one that is lost would be a difference unseen."""
    if target.stat().st_size != count * _RAW.size:
        raise RunFolderUnusable(f"{target} no longer holds the {count:,} differences that were written to it")
    with target.open("rb") as file:
        while packed := file.read(_RAW.size):
            kind, sides, expected, found = _RAW.unpack(packed)
            left = Row._make(ROW.unpack(expected)) if sides & 2 else None
            right = Row._make(ROW.unpack(found)) if sides & 1 else None
            yield Raw(_KINDS[kind], left, right)  # type: ignore[arg-type]


def _packed(raw: Raw) -> bytes:
    left = _NOTHING if raw.expected is None else ROW.pack(*raw.expected)
    right = _NOTHING if raw.found is None else ROW.pack(*raw.found)
    sides = 2 * (raw.expected is not None) + (raw.found is not None)
    return _RAW.pack(_KINDS.index(raw.kind), sides, left, right)


def processors() -> int:
    """Processors that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # not on macOS
    return os.cpu_count() or 1 if allowed is None else len(allowed(0))


def run_jobs(shares: Sequence[Sequence[Job]]) -> list[list[dict[str, Any]]]:
    """The answers of all jobs, each share in a process of its own when there is more than one."""
    if len(shares) < 2:
        return [[job.run() for job in share] for share in shares]
    running: list[_Child] = []
    try:
        for share in shares:
            running.append(_Child(share))
        return [child.answers() for child in running]
    finally:
        for child in running:
            child.end()


class _Child:
    """Jobs in a process of its own, which ends with them."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        # Found where this process found it, whatever the folder it runs in.
        path = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ops.verify.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        if self._process.stdin is not None:
            # One that has ended already: its answers, or the lack of them, say how.
            with suppress(BrokenPipeError), self._process.stdin as pipe:
                pipe.write(json.dumps([job.to_data() for job in jobs]).encode())
            self._process.stdin = None

    def answers(self) -> list[dict[str, Any]]:
        """What the jobs found; the error of one is raised here."""
        text, complaint = self._process.communicate()
        if self._process.returncode:
            last = complaint.decode(errors="replace").strip().rpartition("\n")[2]
            raise OpsError(f"a process of the comparison ended with {self._process.returncode}", why=last)
        answers: list[dict[str, Any]] = json.loads(text)
        for answer in answers:
            if "error" in answer:
                raise _ERRORS[answer["error"]](answer["what"], why=answer["why"], fix=tuple(answer["fix"]))
        return answers

    def end(self) -> None:
        """End it, if it is still there."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


_ERRORS: dict[str, type[OpsError]] = {
    "lines": BadArgument,
    "export": ExportCorrupt,
    "folder": RunFolderUnusable,
}


def _job(data: dict[str, Any]) -> Job:
    if data["job"] == "read":
        files = tuple((number, LineFile.from_data(file)) for number, file in data["files"])
        folder = None if data["folder"] is None else Path(data["folder"])
        return ReadJob(KeySchema(**data["keys"]), files, folder, data["memory_limit_bytes"])
    if data["job"] == "digest":
        return DigestJob(KeySchema(**data["keys"]), tuple(map(LineFile.from_data, data["files"])))
    expected, found = (tuple(map(SpillFile.from_data, data[side])) for side in ("expected", "found"))
    return MergeJob(expected, found, data["first"], data["last"], Path(data["target"]))


def shares(files: Sequence[LineFile], workers: int) -> list[list[tuple[int, LineFile]]]:
    """Whole files for each worker, the largest first to whoever has least; none is left without."""
    out: list[list[tuple[int, LineFile]]] = [[] for _ in range(workers)]
    loads = [0] * workers
    for number, file in sorted(enumerate(files), key=lambda one: -one[1].size_bytes):
        least = loads.index(min(loads))
        out[least].append((number, file))
        loads[least] += file.size_bytes + 1
    return [one for one in out if one]


def main() -> int:
    """Read jobs from standard input, write their answers to standard output."""
    # An interrupt is the parent's to handle: it ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Nothing here refers to itself; the collector would look through every row of every block.
    gc.disable()
    answers: list[dict[str, Any]] = []
    try:
        for data in json.loads(sys.stdin.buffer.read()):
            answers.append(_job(data).run())
    except (BadArgument, ExportCorrupt, RunFolderUnusable) as error:
        name = next(name for name, kind in _ERRORS.items() if isinstance(error, kind))
        answers.append({"error": name, "what": error.what, "why": error.why, "fix": list(error.fix)})
    sys.stdout.write(json.dumps(answers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
