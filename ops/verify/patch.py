"""Patches: what turns one set of items into another, each change with the item that it may replace.

A change says which item must be there (or that none is) and which item shall be. So a patch overwrites nothing that it
did not know of, applying it twice changes nothing, and its inverse takes it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from ops.model.items import Item, KeySchema, key_of
from ops.verify.canonical import canonical_item, canonical_key

Verdict = Literal["apply", "already", "conflict"]


@dataclass(frozen=True, slots=True)
class Change:
    """One key: the item that must be there now, and the one that shall be; None is no item.

    `digest` stands for an expected item that is known by its digest alone. `reason` says why a person must decide.
    """

    key: Item
    expected: Item | None
    wanted: Item | None
    digest: str = ""
    reason: str = ""

    @property
    def op(self) -> Literal["put", "delete"]:
        """What the change does to its key."""
        return "delete" if self.wanted is None else "put"

    def inverse(self) -> Change:
        """The change that takes this one back; ValueError when the expected item is known by its digest alone."""
        if self.expected is None and self.digest:
            raise ValueError("the expected item is known by its digest alone")
        return Change(self.key, self.wanted, self.expected)


def item_digest(item: Item) -> str:
    """The digest of an item, as comparisons and seals have it; equal items have equal digests."""
    return blake2b(canonical_item(item), digest_size=32, person=b"ops.item.v1").hexdigest()


def same(left: Item | None, right: Item | None) -> bool:
    """Whether both are the same item, whatever way numbers and sets are written, or both are none."""
    if left is None or right is None:
        return left is right
    return left == right or canonical_item(left) == canonical_item(right)


def as_expected(change: Change, current: Item | None) -> bool:
    """Whether the key holds what the change may replace."""
    if change.expected is None and change.digest:
        return current is not None and item_digest(current) == change.digest
    return same(change.expected, current)


def verdict(change: Change, current: Item | None) -> Verdict:
    """What becomes of the change where the key holds `current`."""
    if same(change.wanted, current):
        return "already"
    return "apply" if not change.reason and as_expected(change, current) else "conflict"


def by_key(items: Iterable[Item], keys: KeySchema) -> dict[bytes, Item]:
    """Items by their canonical key; ValueError for a key that stands twice."""
    found: dict[bytes, Item] = {}
    for item in items:
        key = canonical_key(item, keys)
        if key in found:
            raise ValueError(f"key {key.decode()} stands twice")
        found[key] = item
    return found


def patch(current: Iterable[Item], wanted: Iterable[Item], keys: KeySchema) -> Iterator[Change]:
    """The changes that turn `current` into `wanted`, in the order of the keys."""
    yield from changes_between(by_key(current, keys), by_key(wanted, keys), keys)


def changes_between(current: Mapping[bytes, Item], wanted: Mapping[bytes, Item], keys: KeySchema) -> Iterator[Change]:
    """The same, where both are known by key (any bytes that name a key on both sides)."""
    for key in sorted(current.keys() | wanted.keys()):
        now, then = current.get(key), wanted.get(key)
        if not same(now, then):
            named = now if now is not None else then
            if named is not None:
                yield Change(key_of(named, keys), now, then)


def inverse(changes: Iterable[Change]) -> Iterator[Change]:
    """The patch that takes a patch back."""
    return (change.inverse() for change in changes)


def apply(
    items: Iterable[Item], changes: Iterable[Change], keys: KeySchema
) -> tuple[dict[bytes, Item], list[tuple[Change, Verdict]]]:
    """What a table would hold after a patch, and what became of each change: the meaning of a patch, without AWS."""
    held = by_key(items, keys)
    done: list[tuple[Change, Verdict]] = []
    for change in changes:
        key = canonical_key(change.key, keys)
        found = verdict(change, held.get(key))
        if found == "apply":
            if change.wanted is None:
                del held[key]
            else:
                held[key] = change.wanted
        done.append((change, found))
    return held, done
