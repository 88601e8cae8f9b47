"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from typing import Annotated

import typer

Resource = Annotated[
    str, typer.Argument(metavar="RES", help="Logical table name, ddb:PHYSICAL, or a table ARN.", show_default=False)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check and print the plan; change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Answer yes to a moderate question.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="At most this many are shown.")]
Resume = Annotated[str | None, typer.Option("--resume", metavar="RUN", help="Go on with an interrupted run.")]
Where = Annotated[str | None, typer.Option("--where", metavar="EXPR", help="Filter, e.g. 'popularity > 90'.")]
Index = Annotated[str | None, typer.Option("--index", metavar="NAME", help="Read through this index.")]
MaxRcu = Annotated[
    str | None,
    typer.Option("--max-rcu", metavar="N|P%", help="Read units a second at most, or a share of the provisioned ones."),
]
Rate = Annotated[
    str | None,
    typer.Option("--rate", metavar="WCU|P%", help="Write units a second at most, or a share of the provisioned ones."),
]
Processes = Annotated[
    int | None,
    typer.Option(
        "--processes",
        metavar="N",
        min=1,
        max=64,
        help="Read exports and files by this many processes, one for each processor by default; 1 takes least memory.",
    ),
]
Keys = Annotated[
    str | None,
    typer.Option("--keys", metavar="PK[,SK:N]", help="Key attributes, where neither side is a table or an export."),
]
