"""The part of `ops load` that writes the items of a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.commands._context import App, Outcome
from ops.commands._flow import one_of, open_table, proof_shape
from ops.errors import BadArgument
from ops.report.text import comparison, facts

if TYPE_CHECKING:
    import typer

    from ops.flows.into_work import IntoPlan, IntoResult
    from ops.flows.loading_items import ItemsOptions


def options_from(
    source: str,
    *,
    mode: str,
    newer_by: str,
    only_changed: bool,
    repeats: str,
    types: str | None,
    delimiter: str,
    form: str | None,
    max_errors: str,
    rate: str,
    dead_letter: Path | None,
) -> ItemsOptions:
    """What was typed, checked."""
    from ops.flows.file_lines import REPEATS
    from ops.flows.into_work import MODES
    from ops.flows.item_files import FORMS
    from ops.flows.loading_items import ItemsOptions

    one_of("--mode", mode, MODES)
    one_of("--repeats", repeats, REPEATS)
    if form is not None:
        one_of("--input", form, FORMS)
    if only_changed and mode != "put":
        raise BadArgument("--only-changed goes with --mode put: the other modes look at each item anyway")
    if max_errors != "all" and not (max_errors.isascii() and max_errors.isdigit()):
        raise BadArgument(f"--max-errors {max_errors} is neither a number nor all")
    if len(delimiter) != 1:
        raise BadArgument(f"--delimiter '{delimiter}' is not one character")
    return ItemsOptions(
        source=source,
        mode=next(one for one in MODES if one == mode),
        newer_by=newer_by,
        only_changed=only_changed,
        repeats=next(one for one in REPEATS if one == repeats),
        types=types or "",
        delimiter=delimiter,
        form=next((one for one in FORMS if one == form), None),
        most_bad=None if max_errors == "all" else int(max_errors),
        rate=rate,
        dead_letter=dead_letter,
    )


def load(
    context: typer.Context, to: str, options: ItemsOptions, limit: int, resume: str | None, *, dry_run: bool
) -> None:
    """Judge, write, read back."""
    from ops.flows import into_outcome
    from ops.flows import loading_items as flow

    app, session, table = open_table(context, "load", to)
    if dry_run:
        plan = flow.plan_items(session, table, options, sys.stdin.buffer)
        first = f"would put {plan.puts:,} items into {plan.table}; nothing was changed"
        app.finish(Outcome(plan, [first, *_plan_lines(plan)], dry_run=True))
        return
    with app.run(session, resume) as run:
        app.voice.say(f"  run        {run.id}")
        result = flow.load_items(session, run, table, options, sys.stdin.buffer, lambda plan: _tell(app, plan))
        errors = into_outcome.problems(result)
        app.finish(Outcome(_shape(result, options), _lines(result, options, limit), errors=errors, run=run.id))


def _tell(app: App, plan: IntoPlan) -> None:
    app.voice.say(f"  plan       {plan.puts:,} items of {plan.lines:,} lines into {plan.table}")
    app.voice.say(f"  cost       at most {plan.write_units:,} write units")


def _plan_lines(plan: IntoPlan) -> list[str]:
    return facts(
        [
            ("source", plan.source),
            ("lines", f"{plan.lines:,}"),
            ("rejected", f"{plan.rejected:,}" if plan.rejected else None),
            ("cost", f"at most {plan.write_units:,} write units"),
        ]
    )


def _lines(result: IntoResult, options: ItemsOptions, limit: int) -> list[str]:
    counts = result.counts
    sums = (
        f"{counts.read:,} = {counts.written:,} written + {counts.unchanged:,} unchanged"
        f" + {counts.duplicates:,} duplicates + {counts.rejected:,} rejected"
    )
    lines = [
        f"loaded into {counts.table}: {counts.distinct_keys:,} keys",
        *facts([("lines read", sums), ("mode", options.mode), ("rejected lines", result.rejects)]),
    ]
    if counts.proof is None:
        return [*lines, f"  every key is there; that its item is the given one is not proven in mode {options.mode}"]
    return [*lines, *comparison(counts.proof, limit)]


def _shape(result: IntoResult, options: ItemsOptions) -> dict[str, Any]:
    counts = result.counts
    return {
        "table": counts.table,
        "arn": counts.arn,
        "mode": options.mode,
        "read": counts.read,
        "written": counts.written,
        "unchanged": counts.unchanged,
        "duplicates": counts.duplicates,
        "rejected": counts.rejected,
        "quarantine": result.rejects,
        "distinct_keys": counts.distinct_keys,
        "proof": None if counts.proof is None else proof_shape(counts.proof),
    }
