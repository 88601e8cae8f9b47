"""Seals in files, with their records beside them, as the expected side of a comparison."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ops.errors import BackupGone
from ops.flows import keeping, sides
from ops.model.items import Item, KeySchema
from ops.model.proof import Comparison, SideInfo
from ops.verify.compare import TtlRule, compare
from ops.verify.fingerprint import recorder
from ops.verify.seal import SealSubject, seal_file, write_records
from ops.verify.sides import LinesSide

KEYS = KeySchema("pk", "S", "sk", "N")
NOW = 1_800_000_000
ITEMS: list[Item] = [{"pk": {"S": "a"}, "sk": {"N": str(number)}, "v": {"S": "x"}} for number in range(6)]
EXPIRED: Item = {"pk": {"S": "a"}, "sk": {"N": "9"}, "expires_at": {"N": str(NOW - 60)}}
SUBJECT = SealSubject("t", "arn", "id", KEYS.types, "2026-11-20T10:02:16Z", "scan")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A seal of seven items, of which one has expired, with its records beside it."""
    records = tmp_path / "records.jsonl"
    write_records(map(recorder(KEYS, ttl="expires_at"), [*ITEMS, EXPIRED]), records)
    (tmp_path / "seal.json").write_text(seal_file(records, SUBJECT).to_json())
    return tmp_path / "seal.json"


def compared(seal: Path, found: list[Item]) -> Comparison:
    expected = sides.seal_side(keeping.read_local_seal(seal, seal.parent))
    side = LinesSide(SideInfo("lines", "now"), lambda: iter(found), KEYS, ttl="expires_at")
    return compare(expected, side, keys=KEYS, ttl=TtlRule("expires_at", NOW))


def rewrite(seal: Path, change: Callable[[list[Any]], object]) -> None:
    records = seal.with_name("records.jsonl")
    rows = [json.loads(line) for line in records.read_text().splitlines()]
    change(rows[2])
    records.write_text("".join(json.dumps(row) + "\n" for row in rows))


def without_digest(seal: Path) -> None:
    """As if it had been made before the digest of the records stood in it."""
    document = json.loads(seal.read_text())
    del document["records_sha256"]
    seal.write_text(json.dumps(document))


def test_what_was_noted_beside_a_backup_is_refused_when_nested_deeper_than_can_be_read() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        keeping.Note.from_json("[" * 100_000)


@pytest.mark.parametrize("change", ["another item", "no record"])
def test_records_that_change_after_they_were_held_against_the_seal_are_refused(path: Path, change: str) -> None:
    expected = sides.seal_side(keeping.read_local_seal(path, path.parent))
    now: list[Item] = [*ITEMS[:5], {**ITEMS[5], "v": {"S": "another"}}, EXPIRED]
    records = path.with_name("records.jsonl")
    if change == "another item":
        write_records(map(recorder(KEYS, ttl="expires_at"), now), records)
    else:
        records.write_text("[]\n")
    with pytest.raises(BackupGone, match=r"changed after|not usable"):
        compare(expected, LinesSide(SideInfo("lines", "now"), lambda: iter(now), KEYS), keys=KEYS)


def test_a_sealed_item_that_has_expired_may_be_missing_and_no_other(path: Path) -> None:
    result = compared(path, ITEMS)
    assert (result.equal, result.ignored) == (True, {"ttl": 1})
    assert [one.key for one in compared(path, ITEMS[1:]).differences] == [{"pk": {"S": "a"}, "sk": {"N": "0"}}]


@pytest.mark.parametrize(
    "change",
    [
        lambda row: row.__setitem__(3, NOW - 60),
        lambda row: row.__setitem__(2, '{"pk":{"S":"a"},"sk":{"N":"3"}}'),
        lambda row: row.__setitem__(2, None),
    ],
)
def test_keys_and_times_of_expiry_are_sealed_too(path: Path, change: Callable[[list[Any]], object]) -> None:
    """They stand in no leaf: altered, they would hide a missing item or name another one."""
    rewrite(path, change)
    with pytest.raises(BackupGone, match="not those that were sealed"):
        compared(path, [*ITEMS[:2], *ITEMS[3:]])


def test_an_expiry_that_no_seal_vouches_for_excuses_no_missing_item(path: Path) -> None:
    without_digest(path)
    rewrite(path, lambda row: row.__setitem__(3, NOW - 60))
    result = compared(path, [*ITEMS[:2], *ITEMS[3:], EXPIRED])
    assert (result.missing, result.ignored) == (1, {})


def test_the_seal_of_another_run_is_refused(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    write_records(map(recorder(KEYS), ITEMS), other)
    path.write_text(seal_file(other, SUBJECT).to_json())
    with pytest.raises(BackupGone, match="not those that were sealed"):
        compared(path, ITEMS)


def test_packed_records_that_were_cut_anywhere_are_refused(path: Path) -> None:
    plain, packed = path.with_name("records.jsonl"), path.with_name("records.jsonl.gz")
    whole = gzip.compress(plain.read_bytes(), mtime=0)
    plain.unlink()
    packed.write_bytes(whole)
    assert compared(path, [*ITEMS, EXPIRED]).equal
    broken = [whole[:size] for size in range(0, len(whole), 7)] + [whole[:-1], whole + b"x", whole[:-9] + b"\xff" * 9]
    for text in broken:
        packed.write_bytes(text)
        with pytest.raises(BackupGone, match=r"not usable|not those that were sealed"):
            compared(path, [*ITEMS, EXPIRED])
