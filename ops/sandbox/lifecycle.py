"""The life of a sandbox: up, status, down.

`up` starts a PostgreSQL, the Spotify-shaped API and the AWS stand-in, applies the Pulumi program to it and
fills the `artists` table. Children run in sessions of their own and end with `down`, never before.
"""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ops.clock import Clock, SystemClock, rfc3339
from ops.errors import PortTaken, SandboxBroken, SandboxNotRunning
from ops.progress import Progress
from ops.sandbox import children, postgres, processes, second_servers
from ops.sandbox.processes import ProcessRecord
from ops.sandbox.provision import provision
from ops.sandbox.state import (
    SandboxState,
    clear_folder,
    locked,
    make_folder,
    read_state,
    remove_folder,
    write_state,
)

PROJECT = "dynamo-ops"
STACK = "sandbox"
REGION = "us-east-1"
STOP_GRACE_S = 2.0


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """What `ops sandbox up` can be told; port 0 takes a free one, no catalogue means an invented one."""

    folder: Path
    items: int = 2000
    seed: int = 1
    port: int = 0
    catalogue: Path | None = None


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One process of the sandbox; `detail` says what is wrong when `ok` is false."""

    name: str
    ok: bool
    pid: int
    detail: str


@dataclass(frozen=True, slots=True)
class SandboxStatus:
    """What runs, and where; `action` says what `up` did: started, repaired, or unchanged."""

    folder: Path
    running: bool
    action: str
    parts: tuple[PartStatus, ...]
    endpoint: str = ""
    source_url: str = ""
    database: postgres.PostgresServer | None = None
    items: int = 0
    seed: int = 0
    artists: int = 0
    started: str = ""
    summary: Mapping[str, object] | None = None


def up(options: SandboxOptions, progress: Progress, clock: Clock | None = None) -> SandboxStatus:
    """Start a sandbox, mend one whose child was killed, or find that it already runs.

    Whatever fails on the way, nothing is left running and the folder is removed.
    """
    clock = clock or SystemClock()
    make_folder(options.folder)
    with locked(options.folder):
        state = read_state(options.folder)
        if state is not None and state.ready:
            return _keep(options, state, progress, clock)
        if state is not None or _leftovers(options.folder):
            progress.note("an earlier start was interrupted; its processes are ended and it starts over")
            _end_all(options.folder, state, clock)
            clear_folder(options.folder)
        try:
            return _start(options, progress, clock)
        except BaseException:
            _end_all(options.folder, None, clock)
            remove_folder(options.folder)
            raise


def status(folder: Path) -> SandboxStatus:
    """Ask every part for a proof that it is the one that was started; `SandboxNotRunning` when none was."""
    state = read_state(folder)
    if state is None:
        raise SandboxNotRunning(f"no sandbox is running in {folder}")
    parts = _parts(state)
    healthy = state.ready and all(part.ok for part in parts)
    return _status(folder, state, parts, healthy, "unchanged")


def require_running(folder: Path) -> SandboxStatus:
    """The status of a sandbox in which every part answers; else the error that names the broken part."""
    found = status(folder)
    broken = [part for part in found.parts if not part.ok]
    if broken:
        raise SandboxBroken(
            f"{broken[0].name} of the sandbox does not answer",
            why=broken[0].detail,
            fix=way_out(broken),
        )
    if not found.running:
        raise SandboxBroken(f"the start of the sandbox in {folder} was interrupted", fix=("ops sandbox up",))
    return found


def down(folder: Path, clock: Clock | None = None) -> bool:
    """End every process and remove the folder; False when there was nothing to end or remove.

    Works without a readable `state.json`: the processes are also found by their command lines.
    """
    clock = clock or SystemClock()
    if not folder.is_dir():
        return False
    if not any((folder / name).exists() for name in ("lock", "state.json", "pg")):
        return False
    with locked(folder):
        try:
            state = read_state(folder)
        except SandboxBroken:
            state = None
        _end_all(folder, state, clock)
        remove_folder(folder)
    return True


def export_lines(found: SandboxStatus) -> tuple[str, ...]:
    """The lines that a shell evaluates to point every AWS client at the sandbox."""
    return tuple(f"export {name}={value}" for name, value in environment(found).items())


def environment(found: SandboxStatus) -> dict[str, str]:
    """The same as variables; the credentials are dummies that only the sandbox accepts."""
    return {
        "AWS_ENDPOINT_URL": found.endpoint,
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_DEFAULT_REGION": REGION,
        "OPS_ENV": STACK,
        "OPS_PROJECT": PROJECT,
    }


def _start(options: SandboxOptions, progress: Progress, clock: Clock) -> SandboxStatus:
    children.refuse_taken_port(options.port)
    state = SandboxState(
        token=secrets.token_hex(16),
        ready=False,
        items=options.items,
        seed=options.seed,
        catalogue=str(options.catalogue.absolute()) if options.catalogue else "",
        started=rfc3339(clock.now().replace(microsecond=0)),
        client_id="sandbox-client",
        client_secret=secrets.token_urlsafe(24),
    )
    write_state(options.folder, state)
    with progress.phase("processes", "PostgreSQL, the Spotify-shaped API, the AWS stand-in"):
        state = _start_children(options, state, clock)
    with progress.phase("provision", "the Pulumi program of infra/, the source secret, the artists table"):
        summary = provision(options.folder, state, project=PROJECT, stack=STACK, region=REGION)
    state = replace(state, ready=True, artists=int(str(summary["artists"])), summary=summary)
    write_state(options.folder, state)
    return _status(options.folder, state, _parts(state), True, "started")


def _start_children(options: SandboxOptions, state: SandboxState, clock: Clock) -> SandboxState:
    folder = options.folder
    aws = children.spawn_aws(folder, options.port)
    state = _record(folder, state, aws)
    spotify = children.spawn_spotify(folder, state, 0)
    state = _record(folder, state, spotify)
    server = postgres.start(folder, clock)
    state = replace(_record(folder, state, server.process), postgres=server)
    write_state(folder, state)
    spotify_port, _ = children.wait_ready(folder, spotify, clock)
    aws_port, aws_token = children.wait_ready(folder, aws, clock)
    state = replace(state, spotify_port=spotify_port, aws_port=aws_port, summary={"aws_token": aws_token})
    write_state(folder, state)
    return state


def _record(folder: Path, state: SandboxState, process: ProcessRecord) -> SandboxState:
    """Written at once, so that a start that is killed leaves no process that nobody knows."""
    kept = tuple(known for known in state.processes if known.name != process.name)
    state = replace(state, processes=(*kept, process))
    write_state(folder, state)
    return state


def _keep(options: SandboxOptions, state: SandboxState, progress: Progress, clock: Clock) -> SandboxStatus:
    asked = (options.items, options.seed, str(options.catalogue.absolute()) if options.catalogue else "")
    if asked != (state.items, state.seed, state.catalogue) or options.port not in (0, state.aws_port):
        progress.note("a sandbox with other options already runs; ops sandbox down first to change them")
    broken = [part for part in _parts(state) if not part.ok]
    if not broken:
        progress.note("the sandbox already runs; nothing was started")
        return _status(options.folder, state, _parts(state), True, "unchanged")
    if any(part.name == "aws" for part in broken):
        raise SandboxBroken(
            "the AWS stand-in of the sandbox was ended",
            why="its tables were in its memory and are gone",
            fix=way_out(broken),
        )
    for part in broken:
        progress.note(f"{part.name} was ended ({part.detail}); it is started again")
        state = _restart(options.folder, state, part.name, clock)
    write_state(options.folder, state)
    return _status(options.folder, state, _parts(state), True, "repaired")


def _restart(folder: Path, state: SandboxState, name: str, clock: Clock) -> SandboxState:
    if name == "postgres" and state.postgres is not None:
        server = postgres.restart(folder, state.postgres, clock)
        return replace(_record(folder, state, server.process), postgres=server)
    old = state.process("spotify")
    if old is not None:
        processes.stop(old, clock, first=signal.SIGTERM, grace_s=STOP_GRACE_S)
    # The environment document names the port, so it has to be the same one.
    try:
        children.refuse_taken_port(state.spotify_port)
    except PortTaken as error:
        raise SandboxBroken(
            f"port {state.spotify_port} of the Spotify-shaped API was taken by another program meanwhile",
            fix=("ops sandbox down && ops sandbox up",),
        ) from error
    process = children.spawn_spotify(folder, state, state.spotify_port)
    state = _record(folder, state, process)
    children.wait_ready(folder, process, clock)
    return state


def _parts(state: SandboxState) -> tuple[PartStatus, ...]:
    checks = (
        ("postgres", lambda: postgres.problem(state.postgres) if state.postgres else "was never started"),
        ("spotify", lambda: children.spotify_problem(state.spotify_port, state.token)),
        ("aws", lambda: children.aws_problem(state.aws_port, str(state.summary.get("aws_token", "")))),
    )
    return tuple(_part(name, state.process(name), check) for name, check in checks)


def _part(name: str, process: ProcessRecord | None, check: children.Check) -> PartStatus:
    if process is None:
        return PartStatus(name, False, 0, "was never started")
    if not processes.alive(process):
        return PartStatus(name, False, process.pid, f"process {process.pid} is gone")
    problem = check()
    return PartStatus(name, not problem, process.pid, problem)


def way_out(broken: Sequence[PartStatus]) -> tuple[str, ...]:
    """The commands that lead out: AWS lost its memory and needs a new start, the others come back as they were."""
    if any(part.name == "aws" for part in broken):
        return ("ops sandbox down && ops sandbox up",)
    return ("ops sandbox up starts it again and keeps everything",)


def _status(
    folder: Path, state: SandboxState, parts: tuple[PartStatus, ...], running: bool, action: str
) -> SandboxStatus:
    return SandboxStatus(
        folder,
        running,
        action,
        parts,
        f"http://127.0.0.1:{state.aws_port}",
        f"http://127.0.0.1:{state.spotify_port}",
        state.postgres,
        state.items,
        state.seed,
        state.artists,
        state.started,
        {name: value for name, value in state.summary.items() if name != "aws_token"},
    )


def _leftovers(folder: Path) -> tuple[ProcessRecord, ...]:
    """Processes that serve this folder, by their command lines."""
    modules = ("ops.sandbox.server", "ops.sandbox.spotify")
    children_of_it = (f"-m {module} --folder {folder}" for module in modules)
    # initdb as well: the start may have been killed while it made the data folder
    databases = (folder / "pg" / "data", *second_servers.folders(folder))
    return processes.find(*children_of_it, *(f"-D {data}" for data in databases))


def _end_all(folder: Path, state: SandboxState | None, clock: Clock) -> None:
    recorded = state.processes if state is not None else ()
    found = {process.pid: process for process in (*_leftovers(folder), *recorded)}
    ours = os.getpid()
    left = [process for process in found.values() if process.pid != ours and not _end(process, clock)]
    if left:
        raise SandboxBroken(
            f"process {left[0].pid} of the sandbox does not end",
            changed="the state folder was kept",
            fix=(f"kill -9 {left[0].pid}", "ops sandbox down"),
        )


def _end(process: ProcessRecord, clock: Clock) -> bool:
    # PostgreSQL takes SIGINT as a fast shutdown; SIGTERM would wait for every session to leave.
    first = signal.SIGTERM if process.name in ("aws", "spotify") else signal.SIGINT
    return processes.stop(process, clock, first=first, grace_s=STOP_GRACE_S)
