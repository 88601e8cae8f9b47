"""The comparison of files, by one process and by several, against a plain dictionary and against itself."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.errors import BadArgument
from ops.model.items import Item
from ops.model.proof import Comparison, SideInfo
from ops.verify.canonical import canonical_item
from ops.verify.compare import compare
from ops.verify.fingerprint import recorder
from ops.verify.lines import LineFile
from ops.verify.merge import Raw, differences
from ops.verify.sides import FilesSide, LinesSide
from ops.verify.spill import FAULT, ROW, Row, Spill
from tests.property.examples import examples
from tests.property.verify.strategies import KEYS, MALFORMED, VALUES, line_of

KEY_PAIRS = st.tuples(st.sampled_from(["a", "b", "A"]), st.integers(0, 5))
ATTRIBUTES = st.dictionaries(st.sampled_from(["x", "y", "z"]), st.one_of(VALUES, VALUES, VALUES, MALFORMED), max_size=3)
#: Unlike a dictionary, a file can hold a key more than once.
LINES = st.lists(st.tuples(KEY_PAIRS, ATTRIBUTES), max_size=12)


def items_of(lines: Any) -> list[Item]:
    return [{"pk": {"S": pk}, "sk": {"N": str(sk)}, **rest} for (pk, sk), rest in lines]


def write(folder: Path, name: str, items: list[Item], random: Random, files: int) -> FilesSide:
    """The items over several files, packed and not, each line in one of the ways to write it."""
    parts: list[list[bytes]] = [[] for _ in range(files)]
    for item in items:
        random.choice(parts).append(line_of(item, random))
    made = []
    for number, lines in enumerate(parts):
        path = folder / f"{name}-{number}.json{'.gz' if number % 2 else ''}"
        text = b"".join(lines)
        if random.random() < 0.5:
            text = text.removesuffix(b"\n")
        path.write_bytes(gzip.compress(text) if number % 2 else text)
        made.append(LineFile(path, wrapped=False))
    return FilesSide(SideInfo("lines", name), tuple(made), KEYS, len(items))


def oracle(left: list[Item], right: list[Item]) -> tuple[set[tuple[str, str]], Counter[str]]:
    """Differing keys by their digest, and how many differences of each kind, by dictionaries of records."""
    record = recorder(KEYS)
    named: set[tuple[str, str]] = set()
    counts: Counter[str] = Counter()
    sides: list[dict[bytes, list[Any]]] = [{}, {}]
    for side, items in zip(sides, (left, right), strict=True):
        for one in map(record, items):
            side.setdefault(one.key, []).append(one)
    for key in sides[0].keys() | sides[1].keys():
        wanted, seen = (side.get(key, []) for side in sides)
        found: Counter[str] = Counter()
        found["shape"] = sum(bool(one.fault) for one in (*wanted, *seen))
        found["duplicate"] = max(0, len(wanted) - 1) + max(0, len(seen) - 1)
        found["missing"], found["extra"] = int(not seen), int(not wanted)
        if wanted and seen:
            found["changed"] = int({one.item for one in wanted} != {one.item for one in seen})
        named |= {(kind, key.hex()) for kind in +found}
        counts += found
    return named, counts


def kinds(found: Comparison) -> Counter[str]:
    return +Counter(
        missing=found.missing, extra=found.extra, changed=found.changed, duplicate=found.duplicates, shape=found.shape
    )


def check(left: list[Item], right: list[Item], random: Random, workers: int) -> Comparison:
    """Files, and the same items as streams, give what the dictionaries give."""
    named, counts = oracle(left, right)
    with TemporaryDirectory() as folder:
        sides = [write(Path(folder), name, items, random, 3) for name, items in (("left", left), ("right", right))]
        before = sorted(Path(folder).iterdir())
        found = compare(sides[0], sides[1], keys=KEYS, folder=Path(folder), workers=workers)
        assert sorted(Path(folder).iterdir()) == before, "nothing is left behind"
        streams = [LinesSide(one.info, one.read, KEYS, one.count) for one in sides]
        same = compare(streams[0], streams[1], keys=KEYS)
    assert {(one.kind, one.key_digest) for one in found.differences} == named
    assert kinds(found) == counts
    assert (found.expected.items, found.found.items) == (len(left), len(right))
    # of two different items with one key, either may be the one that is shown
    shown = [(one.kind, one.key_digest, one.key) for one in found.differences]
    assert shown == [(one.kind, one.key_digest, one.key) for one in same.differences]
    assert (found.expected, found.found, kinds(found)) == (same.expected, same.found, kinds(same))
    return found


@settings(max_examples=examples(200), deadline=None)
@given(LINES, LINES, st.randoms(use_true_random=False))
def test_files_agree_with_a_dictionary(left: Any, right: Any, random: Random) -> None:
    check(items_of(left), items_of(right), random, 1)


@settings(max_examples=examples(60), deadline=None)
@given(LINES, st.data())
def test_nearly_equal_files_agree_with_a_dictionary(lines: Any, data: st.DataObject) -> None:
    items = items_of(lines)
    other = [item for item in items if data.draw(st.integers(0, 4))]
    other += [item for item in items if not data.draw(st.integers(0, 4))]
    random = data.draw(st.randoms(use_true_random=False))
    random.shuffle(other)
    check(items, other, random, 1)


@pytest.mark.parametrize("seed", range(4))
def test_several_processes_agree_with_a_dictionary(seed: int) -> None:
    random = Random(seed)
    left = [seeded(random, number) for number in range(400)]
    right = [item for item in left if random.random() < 0.99]
    right += [seeded(random, number) for number in (*random.sample(range(400), 8), 401)]
    left.append(left[7])
    right.append({"pk": {"S": "p1"}, "sk": {"N": "1e1"}, "broken": {"SS": ["a", "a"]}})
    left.append(right[-1])
    random.shuffle(right)
    found = check(left, right, random, 2)
    assert min(kinds(found)[kind] for kind in ("missing", "extra", "changed", "duplicate", "shape")) > 0
    assert all(one.changes for one in found.differences if one.kind == "changed" and not _broken(one.key, right))


def _broken(key: Item | None, items: list[Item]) -> bool:
    return key is None or sum(canonical_item({"k": one["sk"]}) == canonical_item({"k": key["sk"]}) for one in items) > 1


def seeded(random: Random, number: int) -> Item:
    item: Item = {
        "pk": {"S": f"p{number % 7}"},
        "sk": {"N": random.choice([f"{number}", f"{number}.0", f"{number}e0"])},
        "name": {"S": random.choice(["é", "a\nb", '"', "plain", ""])},
        "tags": {"SS": random.sample(["x", "y", "z"], 2)},
        "deep": {"M": {"list": {"L": [{"N": str(random.randrange(3))}, {"BOOL": True}]}, "none": {"NULL": True}}},
    }
    if random.random() < 0.3:
        del item["tags"]
    return item


ROWS = st.lists(
    st.builds(
        lambda first, second, item, place: Row(bytes([first, second]) + b"k" * 30, bytes([item]) * 32, place),
        st.integers(0, 3), st.sampled_from([0, 1, 127, 128, 255]), st.integers(0, 2),
        st.sampled_from([0, 1, 1 << 40, FAULT, FAULT | 3]),
    ),
    max_size=40,
)  # fmt: skip


class Split:
    """Rows by part, from memory."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = list(rows)

    def part(self, number: int) -> bytes:
        return b"".join(self.pieces(number))

    def pieces(self, number: int) -> Iterator[bytes]:
        return (ROW.pack(*row) for row in self.rows if row.key[0] == number)

    def part_bytes(self, number: int) -> int:
        return len(self.part(number))


@settings(max_examples=examples(200), deadline=None)
@given(ROWS, ROWS, st.sampled_from([1, 3, 7]))
def test_parts_that_are_parted_again_give_what_whole_parts_give(
    left: list[Row], right: list[Row], at_once: int
) -> None:
    def merged(size: int) -> list[Raw]:
        return list(differences(Split(left), Split(right), at_once=size))

    whole = merged(1_000_000)
    assert merged(at_once) == whole
    assert [one.key for one in map(_known, whole)] == sorted(one.key for one in map(_known, whole))
    wanted: Counter[str] = Counter()
    for key in {row.key for row in (*left, *right)}:
        mine, theirs = ([row for row in side if row.key == key] for side in (left, right))
        wanted["shape"] += sum(bool(row.place & FAULT) for row in (*mine, *theirs))
        wanted["duplicate"] += max(0, len(mine) - 1) + max(0, len(theirs) - 1)
        wanted["missing"] += not theirs
        wanted["extra"] += not mine
        wanted["changed"] += bool(mine and theirs and {one.item for one in mine} != {one.item for one in theirs})
    assert Counter(one.kind for one in whole) == +wanted


def _known(raw: Raw) -> Row:
    row = raw.expected or raw.found
    assert row is not None
    return row


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.binary(min_size=0, max_size=30).map(lambda raw: raw.replace(b"\n", b" ")), max_size=30), st.data())
def test_blocks_are_whole_lines_and_a_line_is_found_again_by_its_number(lines: list[bytes], data: Any) -> None:
    text = b"".join(line + b"\n" for line in lines)
    members = data.draw(st.integers(1, 3))
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, len(text)), min_size=members, max_size=members))), len(text)]
    packed = b"".join(gzip.compress(text[a:b]) for a, b in pairwise(cuts))
    with TemporaryDirectory() as folder:
        for name, content in (("a.json", text), ("a.json.gz", packed), ("b.gz", packed + b"\0" * 20)):
            path = Path(folder, name)
            path.write_bytes(content)
            file = LineFile(path)
            assert b"".join(file.blocks()) == text
            assert all(block.endswith(b"\n") for block in file.blocks())
            wanted = data.draw(st.sets(st.integers(0, len(lines) - 1)) if lines else st.just(set()))
            assert list(file.lines_at(wanted)) == [(number, lines[number]) for number in sorted(wanted)]


@settings(max_examples=examples(200), deadline=None)
@given(st.integers(1, 9), st.randoms(use_true_random=False))
def test_a_packed_file_with_one_bit_turned_or_its_end_lost_is_refused_or_read_as_it_was(
    level: int, random: Random
) -> None:
    text = b"".join(b'{"Item":{"pk":{"S":"%d"}}}\n' % random.randrange(10**9) for _ in range(20))
    packed = gzip.compress(text, level)
    turned, at = bytearray(packed), random.randrange(len(packed))
    turned[at] ^= 1 << random.randrange(8)
    with TemporaryDirectory() as folder:
        file = LineFile(Path(folder, "a.json.gz"))
        file.path.write_bytes(turned)
        try:
            # Some bits say nothing about the content: the time, the system, what fills up the last byte.
            assert b"".join(file.blocks()) == text
        except BadArgument as error:
            assert error.what.endswith("cannot be read")
        file.path.write_bytes(packed[:at])
        with pytest.raises(BadArgument, match="cannot be read"):
            list(file.blocks())


def test_lines_longer_than_a_block_stay_whole(tmp_path: Path) -> None:
    items: list[Item] = [{"pk": {"S": f"k{n}"}, "sk": {"N": "1"}, "x": {"S": "é" * 200_000}} for n in range(3)]
    path = tmp_path / "long.json.gz"
    path.write_bytes(gzip.compress(b"".join(orjson.dumps({"Item": item}) + b"\n" for item in items)))
    side = FilesSide(SideInfo("lines", "long"), (LineFile(path),), KEYS, 3)

    def read() -> Iterator[Item]:
        return iter(items)

    assert list(side.read()) == items
    assert compare(side, LinesSide(SideInfo("lines", "memory"), read, KEYS, 3), keys=KEYS).equal


def test_a_spill_is_what_is_merged(tmp_path: Path) -> None:
    rows = [Row(bytes([number]) * 32, b"i" * 32, number) for number in range(256)]
    with Spill(tmp_path, memory_limit_bytes=0) as left, Spill() as right:
        for row in rows:
            left.add(*row)
            right.add(*row)
        assert list(differences(left, right)) == []
        right.add(*rows[200])
        assert [(one.kind, one.found) for one in differences(left, right)] == [("duplicate", rows[200])]
