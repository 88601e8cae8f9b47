"""Digests of items and of whole tables, free of order.

Every digest is BLAKE2b with 32 bytes and its purpose as `person`, so that no digest can stand for another.
A secret (BLAKE2b's key, at most 64 bytes) keeps low-entropy items from being guessed from a published seal.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from ops.model.items import Item, KeySchema
from ops.verify.canonical import ShapeError, canonical_item, canonical_key

DIGEST_BYTES = 32
BUCKETS = 4096
_MODULUS = 1 << 256
KEY_PERSON = b"ops.key.v1"
ITEM_PERSON = b"ops.item.v1"


class Record(NamedTuple):
    """One item as the comparison sees it."""

    key: bytes
    item: bytes
    #: Canonical JSON of the key attributes; None when the side knows digests only.
    key_json: bytes | None = None
    #: Value of the TTL attribute in epoch seconds, when asked for and a number.
    expires: int | None = None
    #: Why the item is no well-formed item; then the digests are over its raw text.
    fault: str = ""


def digest(person: bytes, data: bytes, secret: bytes = b"") -> bytes:
    """BLAKE2b, 32 bytes, in the domain `person`."""
    return blake2b(data, digest_size=DIGEST_BYTES, person=person, key=secret).digest()


def bucket_of(key_digest: bytes) -> int:
    """First 12 bits: 0 to 4095."""
    return int.from_bytes(key_digest[:2], "big") >> 4


def recorder(keys: KeySchema, *, secret: bytes = b"", ttl: str | None = None) -> Callable[[Item], Record]:
    """The function that turns an item into its record; an item without a usable form becomes a fault."""

    def record(item: Item) -> Record:
        try:
            key_json = canonical_key(item, keys)
            text = canonical_item(item)
        except ShapeError as error:
            return _faulty(item, keys, str(error), secret)
        return Record(
            blake2b(key_json, digest_size=32, person=KEY_PERSON, key=secret).digest(),
            blake2b(text, digest_size=32, person=ITEM_PERSON, key=secret).digest(),
            key_json,
            None if ttl is None else expiry_of(item, ttl),
        )

    return record


def _faulty(item: Item, keys: KeySchema, reason: str, secret: bytes) -> Record:
    raw = _raw(item)
    try:
        key_json: bytes | None = canonical_key(item, keys)
    except ShapeError:
        key_json = None
    return Record(
        digest(KEY_PERSON, raw if key_json is None else key_json, secret),
        digest(b"ops.fault.v1", raw, secret),
        key_json,
        None,
        reason,
    )


def _raw(item: Item) -> bytes:
    """Text of an item that has no canonical form, in whatever order it was written."""
    try:
        return json.dumps(item, sort_keys=True, default=repr).encode()
    except RecursionError:  # a fault is reported whatever its digest
        return b"nested too deeply"


def expiry_of(item: Item, ttl_attribute: str) -> int | None:
    """The TTL attribute as whole epoch seconds; None when absent or not a number, which AWS never expires."""
    text = item.get(ttl_attribute, {}).get("N")
    if not isinstance(text, str):
        return None
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        return None


@dataclass(slots=True)
class TableDigest:
    """Count and sum of item digests modulo 2^256, in total and per bucket; parts merge by addition.

    Finds accidents of every kind. A sum can be forged, so it is never what is signed: that is the seal.
    """

    count: int = 0
    total: int = 0
    counts: array[int] | None = None
    sums: list[int] | None = None

    def add(self, record: Record) -> None:
        """Count one record."""
        self.add_all((record.key,), (record.item,))

    def add_all(self, keys: Sequence[bytes], items: Iterable[bytes]) -> None:
        """Count digests of keys and items, side by side."""
        if self.counts is None or self.sums is None:
            self.counts, self.sums = array("q", bytes(8 * BUCKETS)), [0] * BUCKETS
        counts, sums, total = self.counts, self.sums, self.total
        for key, value in zip(keys, map(int.from_bytes, items), strict=True):
            bucket = key[0] << 4 | key[1] >> 4
            counts[bucket] += 1
            sums[bucket] = (sums[bucket] + value) % _MODULUS
            total += value
        self.total = total % _MODULUS
        self.count += len(keys)

    def merge(self, other: TableDigest) -> None:
        """Add the counts and sums of a disjoint part."""
        self.count += other.count
        self.total = (self.total + other.total) % _MODULUS
        if other.counts is None or other.sums is None:
            return
        if self.counts is None or self.sums is None:
            self.counts, self.sums = array("q", other.counts), list(other.sums)
            return
        for bucket, (count, value) in enumerate(zip(other.counts, other.sums, strict=True)):
            self.counts[bucket] += count
            self.sums[bucket] = (self.sums[bucket] + value) % _MODULUS

    def hex(self) -> str:
        """The sum as 64 hexadecimal digits."""
        return f"{self.total:064x}"

    def bucket(self, number: int) -> tuple[int, int]:
        """Count and sum of one bucket."""
        if self.counts is None or self.sums is None:
            return 0, 0
        return self.counts[number], self.sums[number]

    def differing_buckets(self, other: TableDigest) -> list[int]:
        """Numbers of the buckets in which the two differ."""
        return [number for number in range(BUCKETS) if self.bucket(number) != other.bucket(number)]
