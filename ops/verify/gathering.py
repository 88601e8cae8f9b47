"""Sides, each read once: rows by part of the key's digest, and the way back to what they stand for."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ops.model.items import KeySchema
from ops.model.proof import SideCount
from ops.verify.details import Details, Lines, Notes
from ops.verify.fingerprint import TableDigest
from ops.verify.lines import LineFile
from ops.verify.sides import FilesSide, LinesSide, SealedSide, Side
from ops.verify.spill import Spill, SpillFile
from ops.verify.worker import DigestJob, ReadJob, digest_of, processors, run_jobs, shares

#: Less than this is read sooner than another process has started.
_WORTH_A_PROCESS_BYTES = 4_000_000


@dataclass(slots=True)
class Gathered:
    """A side, read once: its digest, its rows, what can be told about them, and what could not be used."""

    side: Side
    spill: Spill
    digest: TableDigest = field(default_factory=TableDigest)
    faults: int = 0
    details: Details = field(default_factory=Notes)
    #: Where temporary files lie; of a side of files it goes with this.
    folder: Path | None = None
    #: Processes that it was to be read by, and is to be merged by; None: one for each processor.
    workers: int | None = None
    held: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give memory and files back."""
        self.details.close()
        self.spill.close()
        self.held.close()

    def adopt(self, answer: dict[str, Any]) -> None:
        """Add what another process has read."""
        self.spill.adopt(SpillFile.from_data(answer["rows"]), answer["count"])
        self.digest.merge(TableDigest(answer["count"], int(answer["total"], 16)))
        self.faults += answer["faults"]

    @property
    def count(self) -> SideCount:
        """For the result."""
        if isinstance(self.side, SealedSide):
            return SideCount(self.side.info, self.side.seal.count, self.side.seal.sum, self.side.seal.count)
        return SideCount(self.side.info, self.digest.count, self.digest.hex(), self.side.declared())


def gather(side: Side, folder: Path | None = None, *, workers: int | None = None) -> Gathered:
    """Read a side once, to its end; local files by as many processes as there are processors, or `workers`."""
    return gather_all((side,), folder, workers=workers)[0]


def gather_all(sides: Sequence[Side], folder: Path | None = None, *, workers: int | None = None) -> list[Gathered]:
    """Read sides once, to their ends; the files of all of them at the same time."""
    found: list[Gathered] = []
    try:
        for given in sides:
            side = given.in_files() if isinstance(given, LinesSide) else None
            found.append(
                _empty(side or given, folder, workers)
            )  # one by one, so that each is closed if the next one fails
        _read_files(found, workers)
        for gathered in found:
            if isinstance(gathered.details, Notes):
                _read_stream(gathered, gathered.details)
    except BaseException:
        for gathered in found:
            gathered.close()
        raise
    return found


def digest_files(files: Sequence[LineFile], keys: KeySchema, *, workers: int | None = None) -> TableDigest:
    """Count and sum of the items of some files, in total and per bucket; nothing is put aside."""
    jobs = [[DigestJob(keys, tuple(file for _, file in share))] for share in shares(files, _processes(files, workers))]
    table = TableDigest()
    for [answer] in run_jobs(jobs):
        table.merge(digest_of(answer))
    return table


def _processes(files: Sequence[LineFile], workers: int | None) -> int:
    if workers is not None:
        return workers
    return 1 if sum(file.size_bytes for file in files) < _WORTH_A_PROCESS_BYTES else processors()


def _empty(side: Side, folder: Path | None, workers: int | None) -> Gathered:
    if not isinstance(side, FilesSide):
        return Gathered(side, Spill(folder), details=Notes(folder), folder=folder, workers=workers)
    gathered = Gathered(side, Spill(folder), details=Lines(side), workers=workers)
    gathered.folder = Path(gathered.held.enter_context(tempfile.TemporaryDirectory(dir=folder, prefix="ops-compare-")))
    return gathered


def _read_stream(gathered: Gathered, notes: Notes) -> None:
    for record in gathered.side.records():
        gathered.digest.add(record)
        gathered.spill.add(record.key, record.item, notes.add(record))
        if record.fault:
            gathered.faults += 1


def _read_files(sides: Sequence[Gathered], workers: int | None) -> None:
    """Whole files for each process; each answers with the rows of its files, side by side."""
    files: list[tuple[Gathered, int, LineFile]] = [
        (one, number, file)
        for one in sides
        if isinstance(one.side, FilesSide)
        for number, file in enumerate(one.side.files)
    ]
    plain = [file for *_, file in files]
    tasks = [_tasks([files[at] for at, _ in share]) for share in shares(plain, _processes(plain, workers))]
    answers = run_jobs([[job for _, job in own] for own in tasks])
    for own, found in zip(tasks, answers, strict=True):
        for (gathered, _), answer in zip(own, found, strict=True):
            gathered.adopt(answer)


def _tasks(files: Sequence[tuple[Gathered, int, LineFile]]) -> list[tuple[Gathered, ReadJob]]:
    """One job for each side that has files in this share."""
    found = []
    for gathered in {id(one): one for one, _, _ in files}.values():
        side = gathered.side
        if isinstance(side, FilesSide):
            own = sorted((number, file) for one, number, file in files if one is gathered)
            found.append((gathered, ReadJob(side.keys, tuple(own), gathered.folder)))
    return found
