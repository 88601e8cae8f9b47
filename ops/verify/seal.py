"""The seal: a hash tree over all records of a table, small enough to keep outside the account.

`leaf(i) = H("ops.leaf.v1", i ‖ count ‖ sorted records)`, a perfect tree of depth 12 over the 4,096 buckets,
`root = H("ops.root.v1", total count ‖ top)`; integers big-endian, a record is key digest ‖ item digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ops.verify.fingerprint import BUCKETS, DIGEST_BYTES, Record, TableDigest, bucket_of, digest
from ops.verify.spill import ROW, Spill

SCHEMA = "ops.seal/1"
#: Digests of key and item.
_ENTRY_BYTES = 64
#: Counts are written in eight bytes.
_MOST = 1 << 64


@dataclass(frozen=True, slots=True)
class SealSubject:
    """What was sealed, when, and how it was read."""

    logical: str
    table_arn: str
    table_id: str
    keys: dict[str, str]
    moment: str
    source_kind: str
    source_arn: str = ""
    manifest_sha256: str = ""
    index: str | None = None
    key_id: str | None = None


@dataclass(frozen=True, slots=True)
class Seal:
    """The `ops.seal/1` document. `counts` and `leaves` have one entry per bucket.

    `records_sha256` is that of the side file: the key texts and times of expiry in it stand in no leaf.
    """

    subject: SealSubject
    count: int
    sum: str
    root: str
    counts: tuple[int, ...] = field(repr=False)
    leaves: tuple[str, ...] = field(repr=False)
    records_sha256: str = ""

    def to_json(self) -> str:
        """The document as JSON; equal seals give equal text."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Seal:
        """Read a seal and recompute its root; ValueError names what is missing or does not agree."""
        document = _document(text)
        try:
            subject = SealSubject(**{name: document["subject"][name] for name in _SUBJECT_MEMBERS})
            seal = cls(
                subject=subject,
                count=int(document["count"]),
                sum=str(document["sum"]),
                root=str(document["root"]),
                counts=tuple(int(entry) for entry in document["counts"]),
                leaves=tuple(str(entry) for entry in document["leaves"]),
                records_sha256=str(document.get("records_sha256", "")),
            )
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"seal: member missing or mistyped: {error}") from error
        seal.check()
        return seal

    def check(self) -> None:
        """Raise ValueError unless counts, leaves and root agree."""
        if len(self.counts) != BUCKETS or len(self.leaves) != BUCKETS:
            raise ValueError(f"seal: counts and leaves must have {BUCKETS} entries each")
        if sum(self.counts) != self.count or min(self.counts) < 0 or self.count >= _MOST:
            raise ValueError("seal: the counts of the buckets do not add up to the count")
        if _root([bytes.fromhex(leaf) for leaf in self.leaves], self.count).hex() != self.root:
            raise ValueError("seal: the root does not follow from the leaves")


_SUBJECT_MEMBERS = tuple(SealSubject.__dataclass_fields__)


def _document(text: str | bytes) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except RecursionError as error:
        raise ValueError("seal: nested too deeply") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ValueError(f"seal: not a document of schema {SCHEMA}")
    return document


def seal_of(records: Iterable[Record], subject: SealSubject, *, folder: Path | None = None) -> Seal:
    """Read all records once and seal them; memory stays bounded, what is over goes to a file in `folder`."""
    with Spill(folder) as spill:
        table = TableDigest()
        for record in records:
            table.add(record)
            spill.add(record.key, record.item)
        counts, leaves = leaves_of(spill)
    return Seal(
        subject=subject,
        count=table.count,
        sum=table.hex(),
        root=_root(leaves, table.count).hex(),
        counts=tuple(counts),
        leaves=tuple(leaf.hex() for leaf in leaves),
    )


def seal_file(file: Path, subject: SealSubject, *, folder: Path | None = None) -> Seal:
    """Seal the records of a side file, and the file itself."""
    seal = seal_of(read_records(file), subject, folder=folder)
    return replace(seal, records_sha256=sha256_of(file))


def sha256_of(path: Path) -> str:
    """Of the bytes of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def leaves_of(spill: Spill) -> tuple[list[int], list[bytes]]:
    """Count and leaf of every bucket."""
    counts: list[int] = []
    leaves: list[bytes] = []
    for part in range(spill.parts):
        rows = spill.part(part)
        entries = sorted(rows[at : at + _ENTRY_BYTES] for at in range(0, len(rows), ROW.size))
        at = 0
        for bucket in range(*spill.buckets_of(part)):
            first = at
            while at < len(entries) and bucket_of(entries[at]) == bucket:
                at += 1
            counts.append(at - first)
            leaves.append(leaf(bucket, at - first, b"".join(entries[first:at])))
    return counts, leaves


def leaf(bucket: int, count: int, records: bytes) -> bytes:
    """Digest of one bucket's sorted records."""
    return digest(b"ops.leaf.v1", bucket.to_bytes(2, "big") + count.to_bytes(8, "big") + records)


def _root(leaves: list[bytes], count: int) -> bytes:
    level = leaves
    while len(level) > 1:
        level = [digest(b"ops.node.v1", level[left] + level[left + 1]) for left in range(0, len(level), 2)]
    return digest(b"ops.root.v1", count.to_bytes(8, "big") + level[0])


def write_records(records: Iterable[Record], path: Path) -> int:
    """Write the optional side file of a seal, one JSON line per record; the number of lines."""
    lines = 0
    with path.open("w", encoding="utf-8") as file:
        for record in records:
            key = None if record.key_json is None else record.key_json.decode()
            row = [record.key.hex(), record.item.hex(), key, record.expires]
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            lines += 1
    return lines


def read_records(path: Path) -> Iterator[Record]:
    """The records of a side file; ValueError names a line that is not one."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield _record(*json.loads(line))
            except (ValueError, TypeError, AttributeError, RecursionError) as error:
                raise ValueError(f"{path}, line {number}: not a record of a seal") from error


def _record(key: str, item: str, key_json: str | None, expires: object) -> Record:
    if expires is not None and type(expires) is not int:
        raise TypeError("a time of expiry is whole seconds")
    digests = bytes.fromhex(key), bytes.fromhex(item)
    if any(len(one) != DIGEST_BYTES for one in digests):
        raise ValueError("a digest has another length")
    return Record(*digests, None if key_json is None else key_json.encode(), expires)
