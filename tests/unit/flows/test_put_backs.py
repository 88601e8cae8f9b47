"""What a repair has taken out of a table is on the disk until it is known to be back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ops.errors import RunFolderUnusable
from ops.flows.put_backs import PutBacks
from ops.model.items import Item


def item(number: int) -> Item:
    return {"pk": {"S": str(number)}, "v": {"N": "1.0"}}


def test_what_was_removed_is_left_until_it_is_settled(tmp_path: Path) -> None:
    aside = PutBacks(tmp_path / "put-back.jsonl")
    assert aside.left() == []
    for number in range(3):
        aside.removed(item(number))
    aside.settled(item(1))
    aside.removed(item(1))
    aside.settled(item(0))
    assert PutBacks(aside.path).left() == [item(2), item(1)]
    assert aside.path.stat().st_mode & 0o777 == 0o600


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 4), max_size=12), st.integers(0, 30))
def test_a_file_that_a_kill_has_cut_leaves_no_item_out_that_was_not_settled(
    tmp_path: Path, numbers: list[int], cut: int
) -> None:
    path = tmp_path / "cut.jsonl"
    path.unlink(missing_ok=True)
    aside, out = PutBacks(path), set[int]()
    for number in numbers:
        (aside.settled if number in out else aside.removed)(item(number))
        out ^= {number}
    assert sorted(one["pk"]["S"] for one in aside.left()) == sorted(map(str, out))
    if path.exists() and numbers:
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) - 1 - min(cut, 10)])  # inside the last line
        before = set[int]()
        for number in numbers[:-1]:
            before ^= {number}
        assert sorted(one["pk"]["S"] for one in aside.left()) == sorted(map(str, before))


def test_a_folder_that_cannot_be_written_ends_the_work_before_the_put(tmp_path: Path) -> None:
    with pytest.raises(RunFolderUnusable, match="put-back"):
        PutBacks(tmp_path / "gone" / "put-back.jsonl").removed(item(1))
