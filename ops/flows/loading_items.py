"""`ops load FILE`: items of a file, of objects or of stdin, written into a table that exists and read back."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from ops.environment import TableTarget
from ops.errors import BadArgument, RunFolderUnusable
from ops.flows import into_table, into_work
from ops.flows.backing_up import work_folder
from ops.flows.common import begun_with, owns, resumable
from ops.flows.file_lines import FileLines, Repeats
from ops.flows.held import held
from ops.flows.into_work import How, IntoPlan, IntoResult, Mode, Work
from ops.flows.item_files import Files, local_files, stored_files
from ops.flows.reading import open_table
from ops.flows.session import Session
from ops.flows.typed_lines import types_of
from ops.recovery.addresses import SUMMARY, is_local_export
from ops.recovery.preflight import Form
from ops.runs import Run

STDIN = "-"
INPUT = "input"
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ItemsOptions:
    """`most_bad` None: any number of unusable lines. `form` None: by the name. `rate`: see `CapacityLimit.of`."""

    source: str
    mode: Mode = "put"
    newer_by: str = "fetched_at"
    only_changed: bool = False
    repeats: Repeats = "last"
    types: str = ""
    delimiter: str = ","
    form: Form | None = None
    most_bad: int | None = 0
    rate: str | None = None
    dead_letter: Path | None = None

    @property
    def how(self) -> How:
        """As the writing takes it."""
        out = "--max-errors N writes the others and keeps up to N unusable lines in a file; all: any number of them"
        return How(self.only_changed, self.most_bad, self.rate, self.mode, self.newer_by, out)


def plan_items(session: Session, table: TableTarget, options: ItemsOptions, stdin: IO[bytes]) -> IntoPlan:
    """Every line judged, nothing changed."""
    _check_dead_letter(options)
    with work_folder() as folder, _work(session, table, options, _files(session, options, stdin, folder)) as work:
        return work.plan


def load_items(
    session: Session,
    run: Run,
    table: TableTarget,
    options: ItemsOptions,
    stdin: IO[bytes],
    on_plan: Callable[[IntoPlan], None],
) -> IntoResult:
    """Judge every line, tell the plan, write, read back; a run that was killed goes on where it stood."""
    with resumable(session, run, f"load {shlex.quote(options.source)} --to {owns(table)}"):
        options = _kept(run, table, options)
        _check_dead_letter(options)
        files = _files(session, options, stdin, run.folder)
        _same_files(run, files)
        with _work(session, table, options, files) as work:
            on_plan(work.plan)
            try:
                return into_table.write(session, run, work, options.how)
            finally:
                _dead_letters(run, options.dead_letter)


def _kept(run: Run, table: TableTarget, given: ItemsOptions) -> ItemsOptions:
    """What a resumed run began with; only the pace and the place of the rejected lines may be new."""
    own = {name: value for name, value in asdict(given).items() if name not in ("rate", "dead_letter")}
    kept: dict[str, Any] = begun_with(run, {"table": table.physical, **own}, asdict(ItemsOptions("")))
    return ItemsOptions(
        **{name: value for name, value in kept.items() if name in own}, rate=given.rate, dead_letter=given.dead_letter
    )


def _files(session: Session, options: ItemsOptions, stdin: IO[bytes], folder: Path) -> Files:
    if options.source == STDIN:
        return local_files(_spooled(stdin, folder), options.form or "jsonl", "stdin")
    if is_local_export(options.source) or options.source.endswith(SUMMARY):
        raise BadArgument(
            f"{options.source} is an export, not a file of items", fix=(f"ops import-s3 {options.source} --into RES",)
        )
    if options.source.startswith("s3://"):
        return stored_files(session, options.source, options.form)
    return local_files(Path(options.source), options.form)


def _spooled(stdin: IO[bytes], folder: Path) -> Path:
    """All of stdin as a file: it is read more than once, and a resumed run has no stdin any more."""
    path, part = folder / INPUT, folder / f".{INPUT}.part"
    if path.is_file():
        return path
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            shutil.copyfileobj(stdin, file, _CHUNK_BYTES)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise RunFolderUnusable(f"stdin cannot be kept in {folder}", why=str(error)) from error
    return path


def _same_files(run: Run, files: Files) -> None:
    stamps = files.stamps()
    kept = run.find("files")
    if kept is None:
        run.write("files", stamps=stamps)
    elif kept.data["stamps"] != stamps:
        raise BadArgument(
            f"{files.where} is not what run {run.id} began with",
            why="positions in it would stand for other lines",
            fix=("begin a new run: what is written already is written again, to the same effect",),
        )


@contextmanager
def _work(session: Session, table: TableTarget, options: ItemsOptions, files: Files) -> Iterator[Work]:
    bench = open_table(session, table)
    indexes = {name: index.keys for name, index in bench.table.indexes.items()}
    newer_by = options.newer_by if options.mode == "put-newer" else None
    lines = FileLines(
        files, bench.table.keys, indexes, types_of(options.types), options.delimiter, options.repeats, newer_by
    )
    with work_folder() as folder, held(folder, "newest") as newest:
        yield into_work.judged(session, bench, lines, newest, folder, options.how)


def _check_dead_letter(options: ItemsOptions) -> None:
    """It is replaced at the end: that must not be the only copy of the items, nor be impossible by then."""
    path, source = options.dead_letter, Path(options.source)
    if path is None:
        return
    if path.exists() and source.exists() and path.samefile(source):
        raise BadArgument(f"--dead-letter {path} is the file that is loaded", fix=("give another --dead-letter FILE",))
    if path.is_dir() or not path.absolute().parent.is_dir():
        why = "it is a folder" if path.is_dir() else f"there is no folder {path.parent}"
        raise BadArgument(f"--dead-letter {path} cannot be written", why=why, fix=("give another --dead-letter FILE",))


def _dead_letters(run: Run, path: Path | None) -> None:
    """What was rejected, also where it was asked for; the run folder keeps it in any case."""
    if path is None:
        return
    kept = [run.folder / name for name in (into_work.REJECTED, into_work.REFUSED)]
    part = path.with_name(f".{path.name}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            for one in kept:
                if one.is_file():
                    file.write(one.read_bytes())
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise RunFolderUnusable(f"rejected lines cannot be written to {path}", why=str(error)) from error
