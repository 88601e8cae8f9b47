"""`ops verify`: hold a table or an export against what it should hold, exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.commands._context import Outcome
from ops.commands._flow import one_of, open_session, proof_shape
from ops.commands._options import Keys, MaxRcu, Processes
from ops.report.text import comparison, facts

if TYPE_CHECKING:
    from ops.flows.verifying import Verification

EPILOG = """\b
Examples:
  ops verify ddb:top_tracks-r1 --against backup:ARN
  ops verify top_tracks --against s3://B/.../manifest-summary.json
  ops verify s3://B/.../manifest-summary.json      every byte of an export
  ops verify s3://B/.../manifest-summary.json --sample 3/7      another seventh each day of the week"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify", epilog=EPILOG)(verify)


def verify(
    context: typer.Context,
    subject: Annotated[
        str,
        typer.Argument(
            metavar="SUBJECT", help="A table, or an export: s3://, a local copy, FULL+CHANGES.", show_default=False
        ),
    ],
    against: Annotated[
        str | None,
        typer.Option(metavar="EXPECTED", help="An export, seal, table (ddb:NAME), backup:ARN, or JSON-lines file."),
    ] = None,
    control: Annotated[
        str, typer.Option(help="stream: plant differences that must be found; none: do not.")
    ] = "stream",
    ignore: Annotated[list[str] | None, typer.Option(metavar="ATTR", help="Leave this attribute out.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the planted differences.")] = 1,
    limit: Annotated[int, typer.Option(min=1, help="At most this many differing keys are shown.")] = 20,
    sample: Annotated[
        str | None, typer.Option(metavar="N/T|P%", help="Read a part of an export's files only, and say so.")
    ] = None,
    max_rcu: MaxRcu = None,
    processes: Processes = None,
    keys: Keys = None,
) -> None:
    """Prove that a table or an export holds exactly what was expected; exit 4 names the keys."""
    from ops.flows import verifying
    from ops.flows.sampling import Sample
    from ops.flows.sides import Limits

    about = f"{subject} against {against}" if against else subject
    app, session = open_session(context, "verify", about)
    options = verifying.VerifyOptions(
        control=one_of("--control", control, ("stream", "none")) == "stream",
        ignore=tuple(ignore or ()),
        seed=seed,
        limits=Limits(max_rcu, processes, keys),
        sample=None if sample is None else Sample.parse(sample),
    )
    found = verifying.verify(session, subject, against, options)
    errors = verifying.problems(found, subject, against)
    app.finish(Outcome(_shape(found, limit), _lines(found, limit, options.ignore), errors=errors))


def _lines(found: Verification, limit: int, ignored: tuple[str, ...]) -> list[str]:
    lines: list[str] = []
    if found.files is not None:
        bad = len(found.files.files_bad)
        lines.append(f"level bytes: {found.files.files_ok:,} files good, {bad:,} bad")
        if found.files.left_out:
            lines.append(
                f"  sample     {found.files.left_out:,} other files were not read: nothing is proven about them"
            )
        lines.extend(f"  {key}   {kind}" for key, kind in found.files.files_bad[:limit])
    if found.proof is not None:
        lines.extend(comparison(found.proof, limit, without=ignored))
        lines.extend(facts([("weakness", found.proof.expected.info.weakness)]))
    if found.control is not None:
        planted, caught = len(found.control.planted), len(found.control.found)
        lines.append(f"  control    {planted} planted, {caught} found")
    return lines


def _shape(found: Verification, limit: int) -> dict[str, Any]:
    files = found.files
    return {
        "level": found.level,
        "files": None
        if files is None
        else {
            "level": files.level,
            "files_ok": files.files_ok,
            "files_not_read": files.left_out,
            "files_bad": [{"key": key, "class": kind} for key, kind in files.files_bad],
        },
        **({} if found.proof is None else proof_shape(found.proof, found.control, limit)),
    }
