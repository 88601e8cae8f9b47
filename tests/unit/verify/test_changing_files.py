"""Files that somebody writes to while they are compared: an error, never a pass and never a wrong key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from ops.errors import BadArgument, ExportCorrupt
from ops.model.items import Item, KeySchema
from ops.model.proof import SideInfo
from ops.verify.compare import TtlRule, gather_all, judge
from ops.verify.lines import LineFile
from ops.verify.sides import FilesSide

KEYS = KeySchema("pk")
NOW = 1_800_000_000
ITEMS: list[Item] = [{"pk": {"S": f"k{number}"}, "n": {"N": str(number)}} for number in range(5)]
EXPIRED: Item = {"pk": {"S": "old"}, "expires": {"N": str(NOW - 60)}}


def write(path: Path, items: list[Item]) -> Path:
    path.write_bytes(b"".join(orjson.dumps(item) + b"\n" for item in items))
    return path


def side(path: Path, items: int | None = None) -> FilesSide:
    file = LineFile(path, path.name, wrapped=False, items=items)
    return FilesSide(SideInfo("lines", path.name), (file,), KEYS, None, "expires")


@pytest.mark.parametrize(
    "change",
    [
        lambda path: write(path, [*ITEMS[:4], {**ITEMS[4], "n": {"N": "5"}}]),
        lambda path: write(path, ITEMS[::-1]),
        lambda path: write(path, [*ITEMS[:4], EXPIRED]),
        lambda path: write(path, ITEMS[:4]),
        lambda path: write(path, []),
    ],
    ids=["value", "order", "expired", "cut", "empty"],
)
@pytest.mark.parametrize("stated", [None, 5])
def test_a_line_that_is_read_again_must_still_be_what_it_was(
    change: Callable[[Path], object], stated: int | None, tmp_path: Path
) -> None:
    """The last item is missing; another line in its place would name another key, or one that may have expired."""
    expected, found = write(tmp_path / "expected.json", ITEMS), write(tmp_path / "found.json", ITEMS[:4])
    left, right = gather_all((side(expected, stated), side(found)), tmp_path)
    with left, right:
        change(expected)
        with pytest.raises((BadArgument, ExportCorrupt)) as caught:
            judge(left, right, keys=KEYS, ttl=TtlRule("expires", NOW))
    assert "expected.json" in caught.value.what
    if stated is None:
        assert caught.value.what.endswith("expected.json changed while it was compared")
        assert caught.value.why == "it is no longer what was read first"
    else:
        assert caught.value.why == "foreign: it is no longer what was read first"


def test_a_line_that_is_as_it_was_is_told(tmp_path: Path) -> None:
    expected, found = write(tmp_path / "expected.json", ITEMS), write(tmp_path / "found.json", ITEMS[:4])
    left, right = gather_all((side(expected), side(found)), tmp_path)
    with left, right:
        write(expected, ITEMS)
        [one] = judge(left, right, keys=KEYS, ttl=TtlRule("expires", NOW)).differences
    assert (one.kind, one.key) == ("missing", {"pk": {"S": "k4"}})


def appended(path: Path) -> None:
    with path.open("ab") as file:
        file.write(orjson.dumps(EXPIRED) + b"\n")


def replaced(path: Path) -> None:
    write(path.with_name("new.json"), ITEMS).replace(path)


@pytest.mark.parametrize("change", [appended, replaced, Path.unlink, lambda path: write(path, ITEMS[:1])])
@pytest.mark.parametrize("at_end", [False, True])
def test_a_file_that_somebody_writes_to_while_it_is_read_is_not_read(
    change: Callable[[Path], object], at_end: bool, tmp_path: Path
) -> None:
    """What was read may be neither what was there nor what is: not one item of it is proven."""
    path = write(tmp_path / "items.json", [{"pk": {"S": f"k{number}"}} for number in range(20_000)])
    blocks = LineFile(path, "items.json", wrapped=False).blocks()
    size_bytes, read = path.stat().st_size, len(next(blocks))
    while at_end and read < size_bytes:
        read += len(next(blocks))
    change(path)
    with pytest.raises(BadArgument, match=r"items\.json"):
        list(blocks)
