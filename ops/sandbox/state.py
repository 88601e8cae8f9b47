"""The state folder of a sandbox: where it lies, what is in it, and who may touch it.

One folder holds everything: `state.json`, logs, ready files, the PostgreSQL data. For an ordinary user it
is `$XDG_STATE_HOME/ops/sandbox`, mode 0700. For root it is `/var/lib/ops-sandbox`, mode 0711: PostgreSQL
refuses to run as root, so another user has to pass through the folder (it can list nothing, and the files
are 0600); root's home is closed to that user, and only root can create names in /var/lib.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ops.errors import Locked, SandboxBroken, StateFolderUnusable
from ops.sandbox.postgres import PostgresServer, reachable_by_others
from ops.sandbox.processes import ProcessRecord

SCHEMA = "ops.sandbox/1"
STATE_FILE = "state.json"
LOCK_FILE = "lock"
REMOVE_TRIES = 20
REMOVE_PAUSE_S = 0.05
NEEDED_BYTES = 150 * 1024 * 1024
FOLDER_ERRORS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOTDIR: "a part of the path is a file",
    errno.EFBIG: "the file size limit is reached",
}


@dataclass(frozen=True, slots=True)
class SandboxState:
    """What `up` wrote down. `ready` is false from the first child until everything was loaded."""

    token: str
    ready: bool
    items: int
    seed: int
    catalogue: str
    started: str
    client_id: str
    client_secret: str
    processes: tuple[ProcessRecord, ...] = ()
    postgres: PostgresServer | None = None
    aws_port: int = 0
    spotify_port: int = 0
    artists: int = 0
    summary: Mapping[str, object] = field(default_factory=dict)

    def process(self, name: str) -> ProcessRecord | None:
        """The recorded child of that name."""
        return next((process for process in self.processes if process.name == name), None)


def default_folder(environment: Mapping[str, str]) -> Path:
    """`OPS_SANDBOX_DIR`, else the place described above."""
    if chosen := environment.get("OPS_SANDBOX_DIR"):
        return Path(chosen).expanduser().absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/ops-sandbox")
    base = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "ops" / "sandbox"


def private_folder() -> Path:
    """A new folder for a sandbox that lives as long as one command."""
    for parent in (Path(tempfile.gettempdir()), Path("/var/tmp"), Path("/tmp")):
        usable = parent.is_dir() and os.access(parent, os.W_OK)
        if usable and (os.geteuid() != 0 or reachable_by_others(parent) is None) and len(str(parent)) < 40:
            with _explained(parent):
                folder = Path(tempfile.mkdtemp(prefix="ops-sandbox-", dir=parent))
                folder.chmod(_mode())
            return folder
    raise StateFolderUnusable("no temporary folder can hold a sandbox", fix=("set TMPDIR to a writable folder",))


def make_folder(folder: Path) -> None:
    """Create it with a safe mode; refuse a full disk, a symlink, a foreign owner, before anything is made."""
    with _explained(folder):
        _refuse_full_disk(folder)
        for parent in reversed(folder.parents):
            parent.mkdir(mode=0o755, exist_ok=True)
        if folder.is_symlink():
            raise StateFolderUnusable(f"{folder} is a symbolic link", fix=("remove the link",))
        folder.mkdir(mode=_mode(), exist_ok=True)
        if folder.stat().st_uid != os.geteuid():
            raise StateFolderUnusable(f"{folder} belongs to another user")
        unknown = [path.name for path in folder.iterdir() if not _ours(path.name)]
        if unknown:
            raise StateFolderUnusable(
                f"{folder} holds other files ({', '.join(sorted(unknown)[:3])})",
                why="ops sandbox down removes the whole folder",
                fix=("choose an empty folder: OPS_SANDBOX_DIR=DIR ops sandbox up",),
            )
        folder.chmod(_mode())


def _refuse_full_disk(folder: Path) -> None:
    """A sandbox that is there already has the room it needs."""
    if (folder / STATE_FILE).exists():
        return
    there = next(path for path in (folder, *folder.parents) if path.is_dir())
    free = shutil.disk_usage(there).free
    if free < NEEDED_BYTES:
        raise StateFolderUnusable(
            f"{folder} has {free >> 20} MB free; the sandbox needs {NEEDED_BYTES >> 20} MB",
            why=FOLDER_ERRORS[errno.ENOSPC],
        )


def write_atomically(path: Path, document: object) -> None:
    """Replace `path` by a whole new file (mode 0600) or leave it as it was."""
    partial = path.with_name(f"{path.name}.part")
    with _explained(path):
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)


def write_state(folder: Path, state: SandboxState) -> None:
    """Replace `state.json`."""
    write_atomically(folder / STATE_FILE, {"schema": SCHEMA, **asdict(state)})


def read_state(folder: Path) -> SandboxState | None:
    """None when there is none; a file that cannot be understood is a `SandboxBroken` with the way out."""
    try:
        text = (folder / STATE_FILE).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StateFolderUnusable(f"{folder / STATE_FILE}: {error.strerror}") from error
    try:
        return _parse(json.loads(text))
    except (ValueError, KeyError, TypeError) as error:
        raise SandboxBroken(
            f"{folder / STATE_FILE} is damaged",
            why=f"{type(error).__name__}: {error}",
            fix=("ops sandbox down removes it and its processes; then ops sandbox up",),
        ) from error


def read_ready_file(path: Path) -> Mapping[str, object] | None:
    """What a child wrote when it began to listen; None while it has not, or when it is cut."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for one `up` or `down`. The kernel frees the lock of a dead process by itself."""
    path = folder / LOCK_FILE
    with _explained(folder):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
            raise Locked(
                f"another ops sandbox command works on {folder}",
                why=f"process {holder} holds the lock",
                fix=("wait for it, then run the command again",),
            ) from error
        with _explained(folder):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def clear_folder(folder: Path) -> None:
    """Remove what an interrupted start left; the lock stays, because it is held."""
    with _explained(folder):
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                _remove_tree(path)
            elif path.name != LOCK_FILE:
                path.unlink()


def remove_folder(folder: Path) -> None:
    """Remove the folder and all in it."""
    with _explained(folder):
        _remove_tree(folder)


def _remove_tree(folder: Path) -> None:
    """A process that was ended a moment ago may still have been making a file: then what is new goes too."""
    for left in range(REMOVE_TRIES, 0, -1):
        try:
            shutil.rmtree(folder)
            return
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or left == 1:
                raise
            time.sleep(REMOVE_PAUSE_S)


def _parse(document: Mapping[str, object]) -> SandboxState:
    if document["schema"] != SCHEMA:
        raise ValueError(f"schema is {document['schema']}, this version writes {SCHEMA}")
    members = {name: value for name, value in document.items() if name in SandboxState.__dataclass_fields__}
    records = members["processes"]
    if not isinstance(records, list):
        raise TypeError("processes is not a list")
    members["processes"] = tuple(ProcessRecord(**entry) for entry in records)
    database = members["postgres"]
    if isinstance(database, dict):
        members["postgres"] = PostgresServer(**{**database, "process": ProcessRecord(**database["process"])})
    return SandboxState(**members)  # type: ignore[arg-type]


def _mode() -> int:
    return 0o711 if os.geteuid() == 0 else 0o700


def _ours(name: str) -> bool:
    known = ("state.json", "lock", "pg", "spotify", "aws", "postgres", "deploy", "pulumi", "runs")
    return name.startswith(known)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = FOLDER_ERRORS.get(error.errno or 0, error.strerror or str(error))
        raise StateFolderUnusable(f"{path} cannot be used", why=why) from error
