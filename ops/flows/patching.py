"""`ops diff --format patch`: the patch that makes the judged side what the expected side is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ops.errors import BadArgument
from ops.flows import sides, verdicts
from ops.flows.backing_up import work_folder
from ops.flows.session import Session
from ops.flows.sides import Limits
from ops.flows.verifying import ALL, ANY, open_both
from ops.model.items import Item, KeySchema
from ops.model.proof import Comparison, Difference
from ops.verify.compare import gather_all, judge
from ops.verify.patch import Change, changes_between
from ops.verify.patch_file import PatchHead, PatchWriter
from ops.verify.sides import Side, TableSide

#: Differing keys whose items are held at once, of both sides.
CHUNK = 20_000
_CHANGES = ("missing", "extra", "changed")


@dataclass(frozen=True, slots=True)
class PatchMade:
    """`left_out` counts differences that no patch can mend: keys that stand twice, items without a usable form."""

    path: Path
    proof: Comparison
    changes: int
    left_out: int


def write_patch(
    session: Session, left: str, right: str, ignore: tuple[str, ...], out: Path, limits: Limits = ANY
) -> PatchMade:
    """Compare, and write what turns `right` into `left`; ignored attributes keep the values that `right` has."""
    if out.exists():
        raise BadArgument(f"{out} exists already", fix=("give another --out FILE",))
    with work_folder() as folder, session.progress.phase("compare", f"every item of {left} and {right}"):
        expected, found, keys, ttl = open_both(session, left, right, ignore, folder, limits)
        one, other = gather_all((expected, found), folder, workers=limits.processes)
        with one, other:
            rule = sides.ttl_rule(session, ttl)
            proof = judge(one, other, keys=keys, ttl=rule, listed=ALL)
        if proof.void:
            raise BadArgument("no patch was made", why=verdicts.why_void(proof))
        whole = (_with_values(expected), _with_values(found))
        with PatchWriter(out, _head(whole[1], keys, left)) as writer:
            for change in _changes(proof, whole, frozenset(ignore), keys):
                writer.add(change)
    usable = sum(one.kind in _CHANGES for one in proof.differences)
    return PatchMade(out, proof, writer.count, proof.differing - usable)


def _with_values(side: Side) -> Side:
    return side.base if isinstance(side, sides.Without) else side


def _head(found: Side, keys: KeySchema, left: str) -> PatchHead:
    if isinstance(found, TableSide):
        return PatchHead(keys, found.table.arn, found.table.table_id, left)
    return PatchHead(keys, source=left)


def _changes(proof: Comparison, whole: tuple[Side, Side], ignore: frozenset[str], keys: KeySchema) -> Iterator[Change]:
    rest = (one for one in proof.differences if one.kind in _CHANGES)
    while chunk := list(islice(rest, CHUNK)):
        wanted, found = _items(whole[0], chunk, "extra"), _items(whole[1], chunk, "missing")
        for key in wanted.keys() & found.keys():
            kept = {name: value for name, value in found[key].items() if name in ignore}
            wanted[key] = {**{n: v for n, v in wanted[key].items() if n not in ignore}, **kept}
        yield from changes_between(found, wanted, keys)


def _items(side: Side, differences: list[Difference], absent: str) -> dict[bytes, Item]:
    keys = {bytes.fromhex(one.key_digest): one.key for one in differences}
    items = side.items_for(keys)
    there = sum(one.kind != absent for one in differences)
    if len(items) < there and not side.live:
        raise BadArgument(
            f"{side.info.where} holds digests, no values: no patch can be made of it",
            fix=("give a table, an export or a file of items",),
        )
    return items
