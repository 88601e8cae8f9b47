"""Generated items: always the same, all different, and with exactly the planted differences."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from bench.items import KINDS, differences, items, write_export, write_other_side
from ops.dynamodb.attributes import validate_item
from ops.model.items import KeySchema

KEYS = KeySchema("artist_id", "S", "id", "S")


def read(paths: tuple[Path, ...]) -> dict[str, str]:
    """Items by id; fails on an id that comes twice."""
    found: dict[str, str] = {}
    for path in paths:
        for line in gzip.decompress(path.read_bytes()).splitlines():
            item = json.loads(line)["Item"]
            assert item["id"]["S"] not in found
            found[item["id"]["S"]] = json.dumps(item, sort_keys=True)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_items_and_another_gives_others(kind: str) -> None:
    assert list(items(kind, 50)) == list(items(kind, 50))
    assert list(items(kind, 50, seed=1)) != list(items(kind, 50))


@pytest.mark.parametrize(("kind", "least", "most"), [("track", 1_400, 1_650), ("small", 170, 220)])
def test_items_have_the_size_that_the_tables_name(kind: str, least: int, most: int) -> None:
    sizes = [len(text.encode()) for text in items(kind, 500)]
    assert least <= sum(sizes) / len(sizes) <= most


@pytest.mark.parametrize("kind", KINDS)
def test_dynamodb_would_accept_every_item(kind: str) -> None:
    for text in items(kind, 200):
        validate_item(json.loads(text), KEYS, {})


@pytest.mark.parametrize("count", [10, 999, 5_000, 20_000])
def test_the_other_side_differs_exactly_as_said(tmp_path: Path, count: int) -> None:
    here, there = read(write_export(tmp_path, "small", count)), read(write_other_side(tmp_path, "small", count))
    changed = sum(here[name] != there[name] for name in here.keys() & there.keys())
    assert (changed, len(here.keys() - there.keys()), len(there.keys() - here.keys())) == differences(count)


def test_files_are_made_once_and_hold_the_same_bytes_when_made_again(tmp_path: Path) -> None:
    first = write_export(tmp_path / "a", "track", 30)
    assert write_export(tmp_path / "a", "track", 30) == first
    again = write_export(tmp_path / "b", "track", 30)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
