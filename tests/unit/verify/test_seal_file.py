"""A seal of a side file vouches for every byte of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ops.model.items import Item, KeySchema
from ops.verify.fingerprint import recorder
from ops.verify.seal import Seal, SealSubject, read_records, seal_file, seal_of, sha256_of, write_records

KEYS = KeySchema("pk")
SUBJECT = SealSubject("t", "arn", "id", KEYS.types, "2026-11-20T10:02:16Z", "table")
ITEMS: list[Item] = [{"pk": {"S": f"é{number}"}, "until": {"N": str(1_800_000_000 + number)}} for number in range(9)]


def test_a_seal_of_a_file_is_that_of_its_records_and_holds_the_digest_of_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    records = list(map(recorder(KEYS, ttl="until"), ITEMS))
    assert write_records(records, file) == 9
    seal = seal_file(file, SUBJECT)
    assert seal.records_sha256 == sha256_of(file) == hashlib.sha256(file.read_bytes()).hexdigest()
    assert seal.root == seal_of(read_records(file), SUBJECT).root == seal_of(records, SUBJECT).root
    assert Seal.from_json(seal.to_json()) == seal
    assert seal_of(records, SUBJECT).records_sha256 == ""


def test_a_key_that_was_altered_beside_its_digest_leaves_the_root_and_not_the_digest_of_the_file(
    tmp_path: Path,
) -> None:
    file = tmp_path / "records.jsonl"
    write_records(map(recorder(KEYS, ttl="until"), ITEMS), file)
    seal = seal_file(file, SUBJECT)
    file.write_bytes(file.read_bytes().replace(b"1800000003", b"1700000003"))
    altered = seal_file(file, SUBJECT)
    assert altered.root == seal.root
    assert altered.records_sha256 != seal.records_sha256


@pytest.mark.parametrize("expires", ['"soon"', "1.5", "true", "[1]"])
def test_a_time_of_expiry_that_is_no_whole_second_is_named_by_its_line(tmp_path: Path, expires: str) -> None:
    file = tmp_path / "records.jsonl"
    write_records(map(recorder(KEYS, ttl="until"), ITEMS), file)
    file.write_bytes(file.read_bytes().replace(b"1800000003", expires.encode()))
    with pytest.raises(ValueError, match="line 4: not a record of a seal"):
        list(read_records(file))
