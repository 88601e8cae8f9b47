"""`ops get`, `ops query`, `ops scan`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from ops.commands._context import App, Outcome, app_of
from ops.commands._options import Index, MaxRcu, Resource, Where
from ops.commands._output import emit, json_printable
from ops.errors import BadArgument
from ops.report.items import FORMATS, as_csv, as_json_lines, as_table

if TYPE_CHECKING:
    from ops.flows.reading import Opened, ReadOptions
    from ops.model.items import Item

Fields = Annotated[str | None, typer.Option("--fields", metavar="A,B", help="Only these attributes.")]
Format = Annotated[str | None, typer.Option("--format", help="table, json, jsonl or csv; table when left out.")]
Many = Annotated[int, typer.Option("--limit", min=1, help="At most this many items.")]
All = Annotated[bool, typer.Option("--all", help="Every item, over all pages.")]
Consistent = Annotated[bool, typer.Option("--consistent", help="Strongly consistent; costs double.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("get", epilog="\b\nExample:\n  ops get top_tracks ARTIST_ID TRACK_ID")(get)
    app.command(
        "query",
        epilog="\b\nExamples:\n  ops query top_tracks ARTIST_ID\n  ops query top_tracks rock --index genre_index",
    )(query)
    app.command(
        "scan",
        epilog="\b\nExamples:\n  ops scan top_tracks --where 'by_market.SE.popularity > 90'\n"
        "  ops scan top_tracks --index genre_index --all --format csv",
    )(scan)


def get(
    context: typer.Context,
    resource: Resource,
    partition: Annotated[str, typer.Argument(metavar="PK", help="Partition key.", show_default=False)],
    sort: Annotated[str | None, typer.Argument(metavar="[SK]", help="Sort key, if the table has one.")] = None,
    consistent: Consistent = False,
    form: Format = None,
) -> None:
    """Print one item."""
    from ops.flows.reading import ReadOptions, open_table
    from ops.flows.reading import get as get_one

    app = app_of(context, "get")
    session = app.session()
    opened = open_table(session, session.table(resource))
    _show(app, opened, [get_one(opened, partition, sort, consistent=consistent)], ReadOptions(), form or "json")


def query(
    context: typer.Context,
    resource: Resource,
    partition: Annotated[str, typer.Argument(metavar="PK", help="Partition key.", show_default=False)],
    sort: Annotated[
        str | None, typer.Option("--sort", metavar="COND", help="On the sort key, e.g. \"begins_with 'a'\".")
    ] = None,
    index: Index = None,
    where: Where = None,
    fields: Fields = None,
    limit: Many = 100,
    every: All = False,
    descending: Annotated[bool, typer.Option("--desc", help="From the highest sort key down.")] = False,
    consistent: Consistent = False,
    form: Format = None,
) -> None:
    """Print the items of one partition of a table or an index."""
    from ops.flows.reading import ReadOptions, open_table, query_items

    app = app_of(context, "query")
    session = app.session()
    opened = open_table(session, session.table(resource))
    options = ReadOptions(
        index, where, _split(fields), None if every else limit, descending=descending, consistent=consistent, sort=sort
    )
    _show(app, opened, query_items(opened, partition, options), options, form)


def scan(
    context: typer.Context,
    resource: Resource,
    index: Index = None,
    where: Where = None,
    fields: Fields = None,
    limit: Many = 100,
    every: All = False,
    segments: Annotated[int | None, typer.Option(min=1, max=64, help="Parallel segments.")] = None,
    max_rcu: MaxRcu = None,
    consistent: Consistent = False,
    form: Format = None,
) -> None:
    """Print items of a table or an index, in no particular order."""
    from ops.flows.reading import ReadOptions, open_table, scan_items

    app = app_of(context, "scan")
    session = app.session()
    opened = open_table(session, session.table(resource))
    options = ReadOptions(
        index,
        where,
        _split(fields),
        None if every else limit,
        consistent=consistent,
        segments=segments,
        max_rcu=max_rcu,
    )
    _show(app, opened, scan_items(session, opened, options), options, form)


def _split(fields: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in fields.split(",") if name.strip()) if fields else ()


def _show(app: App, opened: Opened, items: Iterable[Item], options: ReadOptions, form: str | None) -> None:
    from ops.dynamodb.attributes import item_to_plain
    from ops.flows.reading import key_columns

    form = "jsonl" if app.output == "jsonl" else form or "table"
    if form not in FORMATS:
        raise BadArgument(f"'{form}' is no format for items", fix=(f"--format {'|'.join(FORMATS)}",))
    if app.output == "json":
        found = list(items)
        app.finish(Outcome({"count": len(found), "items": found}, ()))
        return
    first = options.fields or key_columns(opened.table, options.index)
    if form in ("table", "csv"):
        plain = [item_to_plain(item) for item in items]
        lines = as_table(plain, first, app.width) if form == "table" else as_csv(plain, first)
        emit(lines or ["no items"])
        app.voice.detail(f"{len(plain):,} items")
        return
    for line in as_json_lines(item if form == "jsonl" else item_to_plain(item) for item in items):
        emit([line], json_printable)
