"""`ops load`: tracks of the artists in the database, or the items of a file, into a table."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ops.commands._context import App, Outcome, app_of
from ops.commands._options import DryRun, Limit, Resume
from ops.errors import BadArgument, Interrupted, OpsError
from ops.report.text import facts, table

if TYPE_CHECKING:
    from loader.load import LoadPlan
    from loader.report import LoadReport
    from ops.flows.load_sources import LoadOptions
    from ops.flows.loading import LoadOutcome

Value = TypeVar("Value")
TRACK_SOURCES = ("spotify", "spotify-search")

EXAMPLES = """\b
Examples:
  ops load spotify --to top_tracks --market SE --market US
  ops load answers.jsonl.gz --to top_tracks --market SE --artists artists.csv
  ops load items.jsonl.zst --to top_tracks --only-changed
  ops load items.csv --to top_tracks --types popularity=N,explicit=BOOL --max-errors 10 --dead-letter bad.jsonl
  ops scan top_tracks --all --format jsonl | ops load - --to ddb:top_tracks-copy"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("load", epilog=EXAMPLES)(load)


def load(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="spotify, spotify-search, a file, s3://..., or - for stdin.", show_default=False
        ),
    ],
    to: Annotated[str, typer.Option("--to", metavar="RES", help="Table to write to.", show_default=False)],
    market: Annotated[
        list[str] | None,
        typer.Option("--market", metavar="CC", help="Market, ISO 3166-1 alpha-2; repeatable. For tracks."),
    ] = None,
    artists: Annotated[
        str | None, typer.Option(metavar="rds:ID|FILE", help="Artists; the environment's database when left out.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=32, help="Requests to the source at once.")] = 4,
    budget: Annotated[
        int, typer.Option(min=0, help="Calls to the source in 24 hours; 0 for none. The sandbox has none.")
    ] = 900,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove tracks that a complete answer no longer names.")
    ] = False,
    record: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep every answer, without secrets.")] = None,
    replay: Annotated[Path | None, typer.Option(metavar="DIR", help="Answer from a recording only.")] = None,
    ca_file: Annotated[str, typer.Option(metavar="FILE", help="CA bundle of the database; needed over TCP.")] = "",
    mode: Annotated[
        str, typer.Option(help="Items: put overwrites, put-new never, put-newer only what is older.")
    ] = "put",
    newer_by: Annotated[
        str, typer.Option(metavar="ATTR", help="Items: what put-newer compares; larger is newer.")
    ] = "fetched_at",
    only_changed: Annotated[
        bool, typer.Option("--only-changed", help="Items: read the table first, write only what differs.")
    ] = False,
    repeats: Annotated[
        str,
        typer.Option(
            help="Items: of lines with one key the last (put-newer: newest) is put, or reject all but the first."
        ),
    ] = "last",
    types: Annotated[
        str | None, typer.Option(metavar="A=N,B=SS", help="Items: types of CSV columns and plain JSON members.")
    ] = None,
    delimiter: Annotated[str, typer.Option(help="Items: of a CSV file.")] = ",",
    form: Annotated[
        str | None, typer.Option("--input", help="Items: dynamodb-json, csv or jsonl; default: by name.")
    ] = None,
    max_errors: Annotated[
        str, typer.Option(metavar="N|all", help="Items: with more unusable lines nothing is written.")
    ] = "0",
    rate: Annotated[
        str, typer.Option(metavar="WCU|P%|adaptive", help="Items: write units a second at most.")
    ] = "adaptive",
    dead_letter: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Items: put rejected lines here too, with place and reason.")
    ] = None,
    limit: Limit = 20,
    resume: Resume = None,
    dry_run: DryRun = False,
) -> None:
    """Load the tracks of every artist in every market, or the items of a file.

    Each artist, line and item is accounted for. A file of items holds DynamoDB JSON (export lines or bare items), plain
    JSON, or CSV with a header; it may end in .gz or .zst. All lines are judged before the first is written.
    """
    if not market and source not in TRACK_SOURCES and replay is None:
        from ops.commands import _load_items

        if artists or record or prune:
            raise BadArgument(
                "--artists, --record and --prune are about tracks: --market is missing", fix=("--market SE",)
            )
        options = _load_items.options_from(
            source, mode=mode, newer_by=newer_by, only_changed=only_changed, repeats=repeats, types=types,
            delimiter=delimiter, form=form, max_errors=max_errors, rate=rate, dead_letter=dead_letter,
        )  # fmt: skip
        _load_items.load(context, to, options, limit, resume, dry_run=dry_run)
        return
    given = (mode != "put", only_changed, repeats != "last", types, form, max_errors != "0", rate != "adaptive")
    if any(given) or dead_letter:
        raise BadArgument("--mode, --types, --rate and the like are about items; tracks are merged by their markets")
    _tracks(context, source, to, market, artists, record, replay, budget, workers, ca_file, resume, prune, dry_run)


def _tracks(
    context: typer.Context,
    source: str,
    to: str,
    market: list[str] | None,
    artists: str | None,
    record: Path | None,
    replay: Path | None,
    budget: int,
    workers: int,
    ca_file: str,
    resume: str | None,
    prune: bool,
    dry_run: bool,
) -> None:
    from ops.flows.load_sources import LoadOptions

    app = app_of(context, "load")
    if not market:
        raise BadArgument("no market given", why="without one the source answers nothing", fix=("--market SE",))
    options = LoadOptions(
        source, tuple(one.upper() for one in market), artists, record, replay, budget, workers, ca_file, prune
    )
    _run(app, to, options, resume, dry_run=dry_run)


def _run(app: App, to: str, options: LoadOptions, resume: str | None, *, dry_run: bool) -> None:
    from ops.flows.common import headline
    from ops.flows.loading import prepare, run_load

    session = app.session()
    target = session.table(to)
    app.voice.say(headline(session, f"table {target.physical}"))
    with app.run(session, resume) as run, app.signals.gently() as stop:
        again = _again(to, options, run.id)
        prepared = _spelled(
            lambda: prepare(session, target, options, run, stop.is_set, app.settings.runs_folder.parent), again
        )
        app.voice.say(f"  run        {run.id}")
        lines = _plan_lines(prepared.plan, options.budget)
        if dry_run:
            app.finish(Outcome(prepared.plan, lines, dry_run=True, run=run.id))
            return
        for line in lines:
            app.voice.say(line)
        outcome = _spelled(lambda: run_load(session, prepared, run), again)
    for error in outcome.errors:
        _spell(error, again)
    _finish(app, outcome, stop.number, again)


def _again(to: str, options: LoadOptions, run: str) -> str:
    """The command that goes on with this load, as it can be typed."""
    markets = " ".join(f"--market {market}" for market in options.markets)
    artists = f" --artists {shlex.quote(options.artists)}" if options.artists else ""
    return f"ops load {shlex.quote(options.source)} --to {shlex.quote(to)} {markets}{artists} --resume {run}"


def _spelled(step: Callable[[], Value], again: str) -> Value:
    """Run a step; an error that speaks of going on says how."""
    try:
        return step()
    except OpsError as error:
        _spell(error, again)
        raise


def _spell(error: OpsError, again: str) -> None:
    error.fix = tuple(re.sub(r"ops load \.\.\. --resume \w+", lambda _: again, text) for text in error.fix)


def _finish(app: App, outcome: LoadOutcome, signal_number: int, again: str) -> None:
    from ops.flows.loading import what_was_written

    report = outcome.report
    errors = list(outcome.errors)
    if report.interrupted:
        pending = max((one.pending for one in report.markets.values()), default=0)
        errors.insert(
            0,
            Interrupted(
                f"interrupted; {pending:,} of {report.artists:,} artists are still to do",
                signal_number=signal_number or 2,
                changed=what_was_written(report),
                fix=(again,),
            ),
        )
    app.finish(Outcome(_document(report, outcome), _lines(report, app.width), errors=tuple(errors), run=report.run))


def _document(report: LoadReport, outcome: LoadOutcome) -> dict[str, object]:
    rows = report.rows
    return {
        "read": rows.read,
        "written": rows.written,
        "unchanged": rows.unchanged,
        "duplicates": rows.duplicates,
        "rejected": rows.rejected,
        "quarantine": str(report.dead_letter) if report.dead_letter else None,
        "distinct_keys": report.distinct_keys,
        "artists": report.artists,
        "quarantined": report.quarantined,
        "markets": dict(report.markets),
        "finished": report.finished,
        "prunable": report.prunable,
        "pruned": report.pruned,
        "nulls": report.nulls,
        "dropped_numbers": report.dropped_numbers,
        "differing": len(report.differing),
        "not_in_index": list(outcome.not_in_index),
        "without_items": len(report.without_items),
        "source_seconds": round(report.seconds, 3),
    }


def _plan_lines(plan: LoadPlan, budget: int) -> list[str]:
    days = f", {plan.days:.1f} days at {budget} calls a day" if plan.days > 1 else ""
    return [
        f"  plan       {plan.artists:,} artists ({plan.quarantined:,} unusable), markets {', '.join(plan.markets)}",
        f"  cost       {plan.calls:,} calls to the source{days}; at most about {plan.write_units:,} write units",
    ]


def _lines(report: LoadReport, width: int) -> list[str]:
    rows = report.rows
    state = "loaded" if report.finished else "not finished"
    columns = ("market", "artists", "loaded", "empty", "refused", "quarantined", "pending")
    markets = [
        (name, *(f"{n:,}" for n in (m.artists, m.loaded, m.empty, m.refused, m.quarantined, m.pending)))
        for name, m in report.markets.items()
    ]
    return [
        f"{state}: {report.distinct_keys:,} tracks of {report.artists:,} artists",
        *table(columns, markets, width),
        *facts(
            [
                ("rows read", f"{rows.read:,} = {rows.written:,} written + {rows.unchanged:,} unchanged"
                 f" + {rows.duplicates:,} duplicates + {rows.rejected:,} rejected"),
                ("same track in another market", f"{rows.other_markets:,}" if rows.other_markets else None),
                ("no longer answered", f"{report.prunable:,}, kept (see --prune)" if report.prunable else None),
                ("pruned", f"{report.pruned:,}" if report.pruned else None),
                ("dead letters", report.dead_letter),
            ]
        ),
    ]  # fmt: skip
