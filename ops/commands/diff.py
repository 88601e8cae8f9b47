"""`ops diff`: the differing keys of two tables, exports, seals or files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.commands._context import App, Outcome
from ops.commands._flow import one_of, open_session, proof_shape
from ops.commands._options import Keys, MaxRcu, Processes
from ops.errors import BadArgument
from ops.report.json import to_data
from ops.report.text import comparison, counts

if TYPE_CHECKING:
    from ops.flows.session import Session
    from ops.flows.sides import Limits

EPILOG = """\b
Examples:
  ops diff top_tracks ddb:top_tracks-r1
  ops diff top_tracks@export:2026-11-20T10:02:16Z top_tracks --format full
  ops diff expected.jsonl top_tracks --ignore updated_at
  ops diff s3://B/.../FULL/manifest-summary.json+s3://B/.../CHANGES/manifest-summary.json top_tracks
  ops diff ddb:top_tracks-r1 top_tracks --format patch --out fix.jsonl"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("diff", epilog=EPILOG)(diff)


def diff(
    context: typer.Context,
    left: Annotated[str, typer.Argument(metavar="LEFT", help="The expected side.", show_default=False)],
    right: Annotated[str, typer.Argument(metavar="RIGHT", help="The side that is judged.", show_default=False)],
    form: Annotated[
        str, typer.Option("--format", help="summary: counts; keys: with keys and paths; full: with values; patch.")
    ] = "keys",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the patch that makes RIGHT like LEFT is written.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many differing keys are shown.")] = 20,
    max_rcu: MaxRcu = None,
    processes: Processes = None,
    keys: Keys = None,
    ignore: Annotated[list[str] | None, typer.Option(metavar="ATTR", help="Leave this attribute out.")] = None,
) -> None:
    """Compare every item of two sides exactly; exit 4 and the keys on any difference.

    A side is a table, an export (s3:// or a local copy; FULL+CHANGES joins it with the incremental ones after it), a
    seal, backup:ARN, or a file of items.
    """
    from ops.flows import verifying
    from ops.flows.sides import Limits

    limits = Limits(max_rcu, processes, keys)
    one_of("--format", form, ("summary", "keys", "full", "patch"))
    if (form == "patch") != (out is not None):
        raise BadArgument("--format patch and --out FILE belong together")
    app, session = open_session(context, "diff", f"{left} against {right}")
    if out is not None:
        _write_patch(app, session, (left, right), tuple(ignore or ()), out, limit, limits)
        return
    proof = verifying.diff(session, left, right, tuple(ignore or ()), limit, limits)
    result = proof_shape(proof, limit=limit)
    if form == "full":
        result["differences"] = to_data(proof.differences[:limit])
    lines = comparison(proof, limit, values=form == "full", without=ignore or ())
    if form == "summary":
        lines = counts(proof, ignore or ())
    app.finish(Outcome(result, lines, errors=verifying.proof_problems(proof, left, right)))


def _write_patch(
    app: App,
    session: Session,
    sides: tuple[str, str],
    ignore: tuple[str, ...],
    out: Path,
    limit: int,
    limits: Limits,
) -> None:
    from ops.flows import patching, verifying

    left, right = sides
    made = patching.write_patch(session, left, right, ignore, out, limits)
    result = proof_shape(made.proof, limit=limit)
    result["patch"] = {"file": str(out), "changes": made.changes, "left_out": made.left_out}
    lines = [*comparison(made.proof, limit, without=ignore), f"  patch      {out}: {made.changes:,} changes"]
    if made.left_out:
        lines.append(f"  left out   {made.left_out:,} differences that no patch can mend")
    errors = verifying.proof_problems(made.proof, left, right)
    for error in errors:
        error.fix = (f"ops repair {right} --patch {out}",)
    app.finish(Outcome(result, lines, errors=errors))
