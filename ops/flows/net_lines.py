"""A full export and the incremental ones that follow it, as the lines that together make the newest state.

Each key has one line that counts: its newest. Every object is read whole and held against its manifest, and every line
is judged, before anything is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from ops.clock import rfc3339, whole_seconds
from ops.dynamodb.attributes import Unacceptable, validate_key
from ops.dynamodb.table import Table
from ops.errors import BadArgument, ExportCorrupt
from ops.flows.changes import NetChange, parse_change, window_of
from ops.flows.held import Held
from ops.flows.session import Session
from ops.model.items import Item, KeySchema
from ops.model.recovery import LineProblem
from ops.recovery.lines import BadLine, parse_json
from ops.recovery.manifest import Export, open_export
from ops.recovery.preflight import Line, key_digest, preflight

#: docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
WRITE_UNIT_BYTES = 1024
#: Ways in which an export may differ from what is expected, when that is said.
ACCEPTED = ("foreign", "unknown-filter")
_GAP = "changes in between would be missing"
#: What was put and deleted inside a window has no line in it.
_OVERLAP = "an item put before that moment and deleted after it has no line in it: it would come back"


def open_chain(session: Session, table: Table, source: str, then: tuple[str, ...], accept: frozenset[str]) -> Chain:
    """All manifests checked: their checksums, that they are of this table, that each begins where one ends."""
    indexes = {name: index.keys for name, index in table.indexes.items()}
    chain = chain_of(session, (source, *then), table.keys, indexes, unknown_filter="unknown-filter" in accept)
    if "foreign" not in accept:
        for export in chain.exports:
            _refuse_foreign(export, table)
    return chain


def chain_of(
    session: Session,
    addresses: Sequence[str],
    keys: KeySchema,
    indexes: Mapping[str, KeySchema],
    *,
    unknown_filter: bool = False,
) -> Chain:
    """A full export and those after it: all of one table, each from the moment at which the one before ends."""
    exports = [open_export(session.aws, one, unknown_filter=unknown_filter) for one in addresses]
    if exports[0].incremental:
        raise BadArgument(f"{addresses[0]} holds changes, not a table", fix=("name the full export first",))
    reached = whole_seconds(exports[0].exported_at)
    for export in exports[1:]:
        _refuse_stranger(export, exports[0])
        since, until = window_of(export)
        if since != reached or until < since:
            raise BadArgument(
                f"{export.address} covers {rfc3339(since)} to {rfc3339(until)}, but what comes before ends at"
                f" {rfc3339(reached)}",
                why=_GAP if since > reached else _OVERLAP,
                fix=(
                    "give the incremental exports in the order of their times, each from where the one before ends",
                    f"export what changed since then: ops export-s3 RES --since {rfc3339(reached)}",
                ),
            )
        reached = until
    return Chain(tuple(exports), keys, indexes)


def _refuse_stranger(export: Export, full: Export) -> None:
    """Also where a foreign table is accepted: changes of one table are none of another."""
    for what, member in (("table", "tableArn"), ("table id", "tableId")):
        theirs, ours = export.summary.get(member), full.summary.get(member)
        if theirs and ours and theirs != ours:
            raise ExportCorrupt(
                f"{export.address} is not of the table of {full.address}",
                why=f"foreign: {what} {theirs}, the full export is of {ours}",
            )


def _refuse_foreign(export: Export, table: Table) -> None:
    stated = str(export.summary.get("tableId") or "")
    if export.table_arn != table.arn:
        raise ExportCorrupt(
            f"{export.address} is of another table",
            why=f"foreign: it is of {export.table_arn}, this is {table.arn}",
            fix=("give --accept foreign when that is meant",),
        )
    if stated and table.table_id and stated != table.table_id:
        raise ExportCorrupt(
            f"{export.address} is of {table.name} as it was before it was made anew",
            why=f"foreign: table id {stated} then, {table.table_id} now",
            fix=("give --accept foreign when that is meant",),
        )


@dataclass(frozen=True, slots=True)
class Rejection:
    """A line that cannot be used, with the line itself."""

    problem: LineProblem
    line: bytes


@dataclass(slots=True)
class Judged:
    """What reading every line found; `superseded` lines have a newer one of their key."""

    read: int = 0
    superseded: int = 0
    puts: int = 0
    deletes: int = 0
    #: Write units of all lines at most: in JSON no item is shorter than by AWS's arithmetic.
    units: int = 0
    problems: list[LineProblem] = field(default_factory=list)
    bad: set[tuple[str, int]] = field(default_factory=set)
    listed_all: bool = True

    @property
    def rejected(self) -> int:
        """Lines that cannot be used."""
        return self.read - self.superseded - self.puts - self.deletes


@dataclass(frozen=True, slots=True)
class Chain:
    """The exports, oldest first."""

    exports: tuple[Export, ...]
    keys: KeySchema
    indexes: Mapping[str, KeySchema]

    @property
    def address(self) -> str:
        """For messages."""
        more = f" and {len(self.exports) - 1} incremental ones" if len(self.exports) > 1 else ""
        return f"{self.exports[0].address}{more}"

    def judge(self, newest: Held) -> Judged:
        """Read and judge every line of every object; `newest` learns which export has the last word on a key."""
        found = Judged()
        for number, export in enumerate(self.exports[1:], start=1):
            self._judge_changes(number, export, newest, found)
        base = preflight(_weighed(self.exports[0].lines(), found), self.keys, self.indexes, "dynamodb-json")
        found.read += base.read
        found.listed_all = base.listed_all
        found.problems[:0] = base.problems
        found.bad.update((one.source, one.line) for one in base.problems)
        found.puts = base.read - len(base.problems)
        if len(self.exports) > 1:
            found.puts = sum(1 for _ in self.put_lines(found, newest))
            found.deletes = sum(1 for _ in self.deletions(found, newest))
        found.superseded = found.read - len(found.problems) - found.puts - found.deletes
        return found

    def _judge_changes(self, number: int, export: Export, newest: Held, found: Judged) -> None:
        seen: Counter[bytes] = Counter()
        word = number.to_bytes(2, "big")
        for source, line, raw in _weighed(export.lines(), found):
            found.read += 1
            try:
                key = key_digest(parse_change(raw, self.keys, self.indexes).key, self.keys)
                if seen[key]:
                    raise BadLine("duplicate key: an incremental export names each key once")
            except BadLine as error:
                found.problems.append(LineProblem(source, line, str(error)))
                found.bad.add((source, line))
                # It has the last word all the same: what an older export says of its key is not how the key is now.
                if (named := self._key_named(raw)) is not None:
                    newest.add([(named, word)])
                continue
            seen[key] += 1
            newest.add([(key, word)])

    def _key_named(self, raw: bytes) -> bytes | None:
        """The key that a line of changes is about, also when its images cannot be used."""
        try:
            key: Any = parse_json(raw, wrapped=False).get("Keys")
            validate_key(key, self.keys)
        except (BadLine, Unacceptable):
            return None
        return key_digest(key, self.keys)

    def put_lines(self, judged: Judged, newest: Held) -> Iterator[Line]:
        """`{"Item":…}` lines to put, in the order of the exports; lines of the full one unparsed where that will do."""
        first, *more = self.exports
        for source, line, raw in first.lines():
            if (source, line) in judged.bad:
                continue
            if not more or key_digest(parse_json(raw, wrapped=True), self.keys) not in newest:
                yield source, line, raw
        for source, line, net in self._changes(judged, newest):
            if net.new is not None:
                yield source, line, b'{"Item":%s}' % orjson.dumps(net.new)

    def items(self, judged: Judged, newest: Held) -> Iterator[Item]:
        """The same as items: what the table holds at least when all is done."""
        return (parse_json(raw, wrapped=True) for _, _, raw in self.put_lines(judged, newest))

    def deletions(self, judged: Judged, newest: Held) -> Iterator[Item]:
        """Keys whose newest line says that the item is gone."""
        return (net.key for _, _, net in self._changes(judged, newest) if net.new is None)

    def _changes(self, judged: Judged, newest: Held) -> Iterator[tuple[str, int, NetChange]]:
        for number, export in enumerate(self.exports[1:], start=1):
            word = number.to_bytes(2, "big")
            for source, line, raw in export.lines():
                if (source, line) in judged.bad:
                    continue
                net = parse_change(raw, self.keys, self.indexes)
                if newest.get(key_digest(net.key, self.keys)) == word:
                    yield source, line, net

    def rejections(self, judged: Judged) -> Iterator[Rejection]:
        """The unusable lines with their text."""
        reasons = {(one.source, one.line): one for one in judged.problems}
        for export in self.exports:
            for source, line, raw in export.lines():
                problem = reasons.get((source, line))
                if problem is not None:
                    yield Rejection(problem, raw)


def _weighed(lines: Iterator[Line], found: Judged) -> Iterator[Line]:
    for line in lines:
        found.units += -(-len(line[2]) // WRITE_UNIT_BYTES)
        yield line
