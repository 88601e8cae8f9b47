"""`ops sandbox`: a stand-in for AWS on this machine, with real point-in-time history and a real PostgreSQL."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.clock import parse_duration_s
from ops.commands._context import Outcome, app_of
from ops.commands._private import down_line
from ops.errors import BadArgument, SandboxBroken
from ops.report.text import facts, table

if TYPE_CHECKING:
    from ops.sandbox.control import SandboxControl
    from ops.sandbox.lifecycle import SandboxStatus

HELP = "Run a local stand-in for AWS: true history, real PostgreSQL, the real Pulumi program."


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None)
    group.command("up", epilog="\b\nExample:\n  ops sandbox up --items 5000")(up)
    group.command("status", epilog='\b\nExample:\n  eval "$(ops sandbox status --export)"')(status)
    group.command("down", epilog="\b\nExample:\n  ops sandbox down")(down)
    group.command("clock", epilog="\b\nExample:\n  ops sandbox clock --advance 2h")(clock)
    group.command("fault", epilog="\b\nExample:\n  ops sandbox fault set throttle --share 0.3 --seed 7")(fault)
    group.command("limits", epilog="\b\nExample:\n  ops sandbox limits --throughput --burst 60s")(limits)
    group.command("replication", epilog="\b\nExample:\n  ops sandbox replication --lag 90s")(replication)
    app.add_typer(group, name="sandbox")


def up(
    context: typer.Context,
    items: Annotated[int, typer.Option(min=1, help="About how many tracks the track source answers.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of the invented artists and tracks.")] = 1,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the AWS stand-in; 0 takes a free one.")] = 0,
    catalogue: Annotated[
        Path | None, typer.Option(help="Folder with artists.csv and top-tracks.jsonl.gz instead of invented ones.")
    ] = None,
) -> None:
    """Start the sandbox, or find that it already runs."""
    from ops.sandbox.lifecycle import SandboxOptions
    from ops.sandbox.lifecycle import up as start

    app = app_of(context, "sandbox up")
    folder = _folder()
    app.voice.say(f"sandbox in {folder}")
    with app.signals.at_stake(f"a half-started sandbox in {folder}", down_line(folder)):
        found = start(SandboxOptions(folder, items, seed, port, catalogue), app.voice)
    following = ('eval "$(ops sandbox status --export)"', "ops load spotify --to top_tracks --market SE --market US")
    app.finish(Outcome(_document(found), _lines(found, found.action), next=following))


def status(
    context: typer.Context,
    export: Annotated[bool, typer.Option("--export", help="Print the lines a shell must evaluate.")] = False,
) -> None:
    """Ask every part of the sandbox whether it is there."""
    from ops.sandbox.lifecycle import export_lines, require_running, way_out
    from ops.sandbox.lifecycle import status as ask

    app = app_of(context, "sandbox status")
    if export:
        found = require_running(_folder())
        app.finish(Outcome(_document(found), export_lines(found)))
        return
    found = ask(_folder())
    broken = [part for part in found.parts if not part.ok]
    errors = tuple(
        SandboxBroken(f"{part.name} of the sandbox does not answer", why=part.detail, fix=way_out(broken))
        for part in broken
    )
    app.finish(Outcome(_document(found), _lines(found, "BROKEN" if broken else "running"), errors=errors))


def down(
    context: typer.Context,
    keep: Annotated[bool, typer.Option("--keep", help="Keep all data; the next `up` goes on from here.")] = False,
) -> None:
    """End every process of the sandbox and remove its folder with all its data."""
    from ops.sandbox.lifecycle import down as stop
    from ops.sandbox.lifecycle import sleep

    app = app_of(context, "sandbox down")
    folder = _folder()
    if keep:
        sleep(folder)
        line = f"sandbox in {folder} ended, its data kept"
        app.finish(Outcome({"folder": str(folder), "ended": True, "kept": True}, [line], next=("ops sandbox up",)))
        return
    with app.signals.cleaning(f"a half-removed sandbox in {folder}", down_line(folder)):
        ended = stop(folder)
    line = f"sandbox in {folder} ended and removed" if ended else f"no sandbox in {folder}: nothing to end"
    app.finish(Outcome({"folder": str(folder), "ended": ended, "kept": False}, [line]))


def clock(
    context: typer.Context,
    advance: Annotated[str | None, typer.Option(help="Step forwards by this much, e.g. 90s, 15m, 2h.")] = None,
) -> None:
    """Show the sandbox's clock, or step it forwards without waiting."""
    app = app_of(context, "sandbox clock")
    control = _control()
    found = control.advance(parse_duration_s(advance)) if advance else control.clock()
    app.finish(Outcome(found, facts([("now", found["now"]), ("ahead of this machine", f"{found['offset_s']:.0f} s")])))


def fault(
    context: typer.Context,
    action: Annotated[str, typer.Argument(help="set, list or clear.")] = "list",
    name: Annotated[str, typer.Argument(help="A fault; `ops sandbox fault list` explains them.")] = "",
    share: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of the calls that it strikes.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Which calls it strikes.")] = 1,
    count: Annotated[int | None, typer.Option(min=1, help="End after this many strikes.")] = None,
    operation: Annotated[
        list[str] | None, typer.Option(metavar="CALL", help="Strike only this call, e.g. Scan; repeatable.")
    ] = None,
    region: Annotated[
        str | None, typer.Option("--in", metavar="REGION", help="Strike only this Region; region_down needs one.")
    ] = None,
    match: Annotated[str, typer.Option(help="Strike only objects whose key contains this.")] = "",
    delay: Annotated[str, typer.Option(help="How late slow answers.")] = "3s",
) -> None:
    """Make calls fail as AWS's do: set, list or clear faults."""
    app = app_of(context, "sandbox fault")
    control = _control()
    if action not in ("set", "list", "clear") or (action == "set" and not name):
        raise BadArgument(f"'{action} {name}' is not an action on faults", fix=("ops sandbox fault --help",))
    try:
        if action == "set":
            control.set_fault(
                name, share=share, seed=seed, count=count, operations=tuple(operation or ()), region=region,
                match=match, delay_s=parse_duration_s(delay),
            )  # fmt: skip
        elif action == "clear":
            control.clear_faults(name or None)
    except ValueError as error:
        raise BadArgument(str(error), fix=("ops sandbox fault list",)) from error
    found, known = control.faults(), control.known_faults()
    columns = ("name", "share", "seed", "injected")
    rows = [[str(one.get(column, "")) for column in columns] for one in found]
    lines = table(("name", "share", "seed", "struck"), rows, app.width) if found else ["no faults"]
    if action == "list":
        lines += ["", *facts(sorted(known.items()))]
    app.finish(Outcome({"faults": found, "known": known}, lines))


def limits(
    context: typer.Context,
    throughput: Annotated[
        bool | None, typer.Option("--throughput/--no-throughput", help="Throttle by the tables' capacity.")
    ] = None,
    burst: Annotated[str, typer.Option(help="How much unused capacity may be saved up.")] = "300s",
) -> None:
    """Show or switch the throttling by provisioned capacity, which is off at first."""
    app = app_of(context, "sandbox limits")
    control = _control()
    found = (
        control.limits()
        if throughput is None
        else control.limit_throughput(throughput, burst_s=parse_duration_s(burst))
    )
    app.finish(
        Outcome(
            found,
            facts([("throughput", "on" if found["throughput"] else "off"), ("burst", f"{found['burst_s']:.0f} s")]),
        )
    )


def replication(
    context: typer.Context,
    lag: Annotated[str | None, typer.Option(help="How long a change takes to the other Region, e.g. 0s, 90s.")] = None,
    pause: Annotated[
        bool | None, typer.Option("--pause/--go-on", help="Hold all changes back, or let them go.")
    ] = None,
) -> None:
    """Show, delay or pause the replication between the Regions of global tables."""
    app = app_of(context, "sandbox replication")
    found = _control().replication(lag_s=None if lag is None else parse_duration_s(lag), paused=pause)
    shown = [
        ("lag", f"{found['lag_s']:.0f} s"),
        ("paused", "yes" if found["paused"] else "no"),
        ("pending", found["pending"]),
    ]
    app.finish(Outcome(found, facts(shown)))


def _folder() -> Path:
    from ops.sandbox.state import default_folder

    return default_folder(os.environ)


def _control() -> SandboxControl:
    from ops.sandbox.control import SandboxControl
    from ops.sandbox.lifecycle import require_running

    return SandboxControl(require_running(_folder()).endpoint)


def _document(found: SandboxStatus) -> dict[str, object]:
    """The status without the database's password, which belongs to no output."""
    return {
        "folder": str(found.folder),
        "running": found.running,
        "action": found.action,
        "endpoint": found.endpoint,
        "source_url": found.source_url,
        "items": found.items,
        "seed": found.seed,
        "artists": found.artists,
        "started": found.started,
        "parts": [{"name": one.name, "ok": one.ok, "pid": one.pid, "detail": one.detail} for one in found.parts],
        "deployment": dict(found.summary or {}),
    }


def _lines(found: SandboxStatus, state: str) -> list[str]:
    parts = [(one.name, f"{'ok' if one.ok else 'DOWN'}   pid {one.pid}   {one.detail}".rstrip()) for one in found.parts]
    shown: list[tuple[str, object]] = [
        ("endpoint", found.endpoint),
        ("track source", found.source_url),
        ("artists", f"{found.artists:,}, about {found.items:,} tracks, seed {found.seed}"),
        ("folder", found.folder),
        *parts,
    ]
    shown.extend((name, value) for name, value in (found.summary or {}).items() if isinstance(value, str | int))
    return [f"sandbox {state}", *facts(shown)]
