"""The life of a sandbox: up, status, down.

`up` starts a PostgreSQL, the Spotify-shaped API and the AWS stand-in, applies the Pulumi program to it and
fills the `artists` table. Children run in sessions of their own and end with `down`, never before.
"""

from __future__ import annotations

import secrets
import signal
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from ops.clock import Clock, SystemClock, rfc3339
from ops.errors import OpsError, PortTaken, SandboxBroken, SandboxNotRunning
from ops.progress import Progress
from ops.sandbox import children, postgres, processes, second_servers
from ops.sandbox.aws.kept import FILE as KEPT_FILE
from ops.sandbox.control import SandboxControl
from ops.sandbox.ending import STOP_GRACE_S, end_all, leftovers
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
from ops.sandbox.warmup import load_slow_packages

PROJECT = "dynamo-ops"
STACK = "sandbox"
REGION = "us-east-1"
KEEP_LIMIT_S = 120.0


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
        if state is not None and kept(options.folder):
            return _wake(options, state, progress, clock)
        if state is not None and state.ready:
            return _keep(options, state, progress, clock)
        if state is not None or leftovers(options.folder):
            progress.note("an earlier start was interrupted; its processes are ended and it starts over")
            end_all(options.folder, state, clock)
            clear_folder(options.folder)
        try:
            return _start(options, progress, clock)
        except BaseException:
            end_all(options.folder, None, clock)
            remove_folder(options.folder)
            raise


def status(folder: Path) -> SandboxStatus:
    """Ask every part for a proof that it is the one that was started; `SandboxNotRunning` when none was."""
    state = read_state(folder)
    if state is None:
        raise SandboxNotRunning(f"no sandbox is running in {folder}")
    if kept(folder):
        raise SandboxNotRunning(f"the sandbox in {folder} was put to sleep", why="ops sandbox up wakes it as it was")
    if not state.ready:
        with locked(folder):  # held by a start that is still at work, which is then named
            raise SandboxBroken(f"the start of the sandbox in {folder} was interrupted", fix=("ops sandbox up",))
    parts = _parts(state)
    return _status(folder, state, parts, all(part.ok for part in parts), "unchanged")


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
    return found


def kept(folder: Path) -> bool:
    """Whether a sandbox was ended with its state kept."""
    return (folder / KEPT_FILE).exists()


def sleep(folder: Path, clock: Clock | None = None) -> None:
    """End every process and keep all that they knew: the next `up` goes on from here."""
    clock = clock or SystemClock()
    found = require_running(folder)
    with locked(folder):
        try:
            SandboxControl(found.endpoint, timeout_s=KEEP_LIMIT_S).save()
        except ValueError as error:
            raise SandboxBroken(
                "the state of the sandbox cannot be kept",
                why=str(error),
                changed="nothing: the sandbox runs on",
                fix=("make room or mend what it names, then ops sandbox down --keep",),
            ) from error
        except OpsError as error:
            raise SandboxBroken("the state of the sandbox cannot be kept", why=str(error)) from error
        end_all(folder, read_state(folder), clock)


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
        end_all(folder, state, clock)
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


def _wake(options: SandboxOptions, state: SandboxState, progress: Progress, clock: Clock) -> SandboxStatus:
    """Start every process on what the last one left. Whatever fails, nothing runs on and the state stays."""
    folder = options.folder
    if _asked(options) != (state.items, state.seed, state.catalogue):
        progress.note("a kept sandbox with other options is here; ops sandbox down first to change them")
    end_all(folder, state, clock)
    if state.postgres is None:
        raise SandboxBroken("the kept sandbox has no database", fix=("ops sandbox down && ops sandbox up",))
    try:
        # the environment document names this one; the other one only the shell's variables do
        children.await_free_port(state.spotify_port, clock)
        aws = children.spawn_aws(folder, _same_port(state.aws_port, progress))
        spotify = children.spawn_spotify(folder, state, state.spotify_port)
        server = postgres.restart(folder, state.postgres, clock)
        more = second_servers.restart_all(folder, clock)
        state = replace(state, processes=(aws, spotify, server.process, *more), postgres=server)
        write_state(folder, state)
        children.wait_ready(folder, spotify, clock)
        aws_port, token = children.wait_ready(folder, aws, clock)
    except BaseException:
        end_all(folder, state, clock)
        raise
    state = replace(state, aws_port=aws_port, summary={**state.summary, "aws_token": token})
    write_state(folder, state)
    # from here on a kill loses what is in memory, and the older state must not come back in its place
    (folder / KEPT_FILE).unlink()
    return _status(folder, state, _parts(state), True, "woken")


def _same_port(port: int, progress: Progress) -> int:
    """The port of before, or 0 for a free one where another program has taken it meanwhile."""
    try:
        children.refuse_taken_port(port)
    except PortTaken:
        progress.note(f"port {port} is taken; evaluate ops sandbox status --export again for the new one")
        return 0
    return port


def _asked(options: SandboxOptions) -> tuple[int, int, str]:
    return options.items, options.seed, str(options.catalogue.absolute()) if options.catalogue else ""


def _start_children(options: SandboxOptions, state: SandboxState, clock: Clock) -> SandboxState:
    folder = options.folder
    # leaving the block waits for the thread: nothing that fails here may leave an initdb behind
    with ThreadPoolExecutor(1) as beside:
        aws = children.spawn_aws(folder, options.port)
        state = _record(folder, state, aws)
        starting = beside.submit(postgres.start, folder, clock)
        spotify = children.spawn_spotify(folder, state, 0)
        state = _record(folder, state, spotify)
        load_slow_packages()
        spotify_port, _ = children.wait_ready(folder, spotify, clock)
        server = starting.result()
    state = replace(_record(folder, state, server.process), postgres=server)
    write_state(folder, state)
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
    if _asked(options) != (state.items, state.seed, state.catalogue) or options.port not in (0, state.aws_port):
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
