"""`ops diff` as a process against the sandbox."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.recovery_stage import Stage

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


@pytest.fixture(scope="module")
def pair(stage: Stage) -> Any:
    """Two tables: the second lacks one item, has one more, and two that differ in `popularity`."""
    left, right = stage.declare(items=20, stem="left"), stage.declare(items=20, stem="right")
    stage.dynamodb.delete_item(TableName=right, Key={"artist_id": {"S": "a0000"}, "id": {"S": "t000001"}})
    items = stage.items(left)
    changed = [
        {**items["a0000", f"t{at:06d}"], "popularity": value} for at, value in ((2, {"N": "99"}), (3, {"S": "3"}))
    ]
    stage.put(right, [*changed, {"artist_id": {"S": "new"}, "id": {"S": "new"}}])
    return left, right


def test_every_differing_key_is_named_with_its_kind(stage: Stage, pair: Any) -> None:
    done = stage.ops("diff", pair[0], pair[1])
    assert done.code == 4
    assert "20 expected, 20 found   missing 1   extra 1   changed 2" in done.out
    for line in (
        " - a0000/t000001   missing", " + new/new   extra", " ~ a0000/t000002   changed", " ~ a0000/t000003   changed",
    ):  # fmt: skip
        assert line in done.out
    assert f"next: ops diff {pair[0]} {pair[1]} --format full" in done.err


def test_values_are_shown_only_when_asked_for(stage: Stage, pair: Any) -> None:
    keys, full = stage.ops("diff", *pair), stage.ops("diff", *pair, "--format", "full")
    assert "N 99" not in keys.out
    assert "popularity   N 2 -> N 99" in full.out
    assert 'popularity   N 3 -> S "3"   (type changed)' in full.out


def test_the_limit_cuts_the_list_and_never_the_counts(stage: Stage, pair: Any) -> None:
    done = stage.ops("diff", *pair, "--limit", "1")
    assert "missing 1   extra 1   changed 2" in done.out
    assert "... and 3 more" in done.out
    assert stage.ops("diff", *pair, "--format", "summary").out.count("\n") == 1


def test_ignored_attributes_are_left_out_on_both_sides(stage: Stage, pair: Any) -> None:
    done = stage.ops("diff", *pair, "--ignore", "popularity", "-o", "json")
    result = done.document["result"]
    assert (done.code, result["changed"], result["missing"], result["extra"]) == (4, 0, 1, 1)
    assert stage.ops("diff", *pair, "--ignore", "id").code == 2


def test_what_was_left_out_is_always_said(stage: Stage, pair: Any) -> None:
    twin = stage.declare(items=20, stem="ignoring")
    for words in (
        ("diff", twin, pair[0], "--format", "summary"), ("diff", *pair, "--format", "full"),
        ("verify", twin, "--against", pair[0]),
    ):  # fmt: skip
        done = stage.ops(*words, "--ignore", "popularity", "--ignore", "markets")
        assert "  left out   attributes popularity, markets: nothing is said about them" in done.out.splitlines()
    expired = {"expires_at": {"N": str(int(stage.now().timestamp()) - 3600)}}
    stage.put(twin, [{"artist_id": {"S": "ttl"}, "id": {"S": "past"}, **expired}])
    done = stage.ops("diff", twin, pair[0], "--format", "summary")
    assert done.code == 0
    assert "  left out by rule ttl: 1" in done.out.splitlines()


def test_equal_sides_are_exit_0(stage: Stage, pair: Any) -> None:
    done = stage.ops("diff", pair[0], f"ddb:{pair[0]}", "-o", "json")
    assert done.code == 0, done.err
    assert done.document["result"]["equal"] is True


def test_a_moment_is_named_by_its_export(stage: Stage, pair: Any) -> None:
    made = stage.ops("export-s3", pair[0], "-o", "json").document["result"]
    done = stage.ops("diff", f"{pair[0]}@export:{made['at']}", pair[0])
    assert done.code == 0, done.err
    none = stage.ops("diff", f"{pair[0]}@export:2026-01-01T00:00:00Z", pair[0])
    assert none.code == 10
    assert f"ops export-s3 {pair[0]} --at 2026-01-01T00:00:00Z" in none.err


def test_two_files_alone_do_not_say_what_a_key_is(stage: Stage, tmp_path: Any) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"Item": {"id": {"S": "1"}}}) + "\n")
    done = stage.ops("diff", str(file), str(file))
    assert (done.code, done.out) == (2, "")
    assert "key attributes" in done.err


def test_a_bad_line_of_a_file_is_named(stage: Stage, pair: Any, tmp_path: Any) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"Item": {"artist_id": {"S": "1"}, "id": {"S": "1"}}}) + "\n{half")
    done = stage.ops("diff", str(file), pair[0])
    assert (done.code, done.out) == (2, "")
    assert "line 2" in done.err


def test_a_read_limit_is_kept_and_a_bad_one_is_a_usage_error(stage: Stage, pair: Any) -> None:
    done = stage.ops("diff", *pair, "--max-rcu", "5", "--format", "summary")
    assert done.code == 4, done.err
    assert "20 expected, 20 found   missing 1   extra 1   changed 2" in done.out
    twin = stage.declare(items=20, stem="twin")
    assert stage.ops("verify", pair[0], "--against", twin, "--max-rcu", "5").code == 0
    bad = stage.ops("diff", *pair, "--max-rcu", "many")
    assert bad.code == 2
    assert "'many' is no number of capacity units" in bad.err


def test_exports_are_compared_alike_by_any_number_of_processes(stage: Stage, pair: Any) -> None:
    more = stage.declare(items=22, stem="more")
    made = [stage.ops("export-s3", one, "-o", "json").document["result"]["manifest"] for one in (pair[0], more)]
    answers = [stage.ops("diff", *made, "--processes", count) for count in ("1", "3")]
    assert [one.code for one in answers] == [4, 4], answers[0].err
    assert answers[0].out == answers[1].out
    assert "20 expected, 22 found   missing 0   extra 2   changed 0" in answers[0].out
    assert stage.ops("diff", *pair, "--processes", "0").code == 2


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "jsonl.zst"])
def test_two_files_are_compared_by_the_keys_that_are_named(stage: Stage, tmp_path: Path, ending: str) -> None:
    packs: dict[str, Callable[[bytes], bytes]] = {
        "jsonl": bytes, "jsonl.gz": gzip.compress, "jsonl.zst": zstd.compress,
    }  # fmt: skip
    pack = packs[ending]
    left = [{"pk": {"S": "a"}, "sk": {"N": str(at)}, "v": {"N": "1.0"}} for at in range(30)]
    right = [{**one, "sk": {"N": f"{one['sk']['N']}.0"}, "v": {"N": "1"}} for one in left[1:]]
    right[5]["v"] = {"N": "2"}
    paths = [tmp_path / f"{name}.{ending}" for name in ("left", "right")]
    for path, items in zip(paths, (left, right), strict=True):
        path.write_bytes(pack("".join(json.dumps(one) + "\n" for one in items).encode()))
    words = ("diff", *map(str, paths))
    unknown = stage.ops(*words)
    assert unknown.code == 2
    assert "--keys" in unknown.err
    done = stage.ops(*words, "--keys", "pk,sk:N")
    assert done.code == 4, done.err
    assert "30 expected, 29 found   missing 1   extra 0   changed 1" in done.out
    assert " ~ a/6.0   changed" in done.out or " ~ a/6   changed" in done.out
    ignored = stage.ops(*words, "--keys", "pk,sk:N", "--ignore", "v", "-o", "json")
    assert ignored.document["result"]["changed"] == 0
    assert stage.ops("diff", str(paths[0]), str(paths[0]), "--keys", "pk,sk:N").code == 0


@pytest.mark.parametrize("keys", ["", "a,b,c", "a:X", "a,a", ":S"])
def test_keys_that_are_none_are_a_usage_error(stage: Stage, tmp_path: Path, keys: str) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text('{"pk":{"S":"a"}}\n')
    done = stage.ops("diff", str(path), str(path), "--keys", keys)
    assert done.code == 2
    assert "names no key" in done.err


def test_other_keys_than_those_of_a_table_are_refused(stage: Stage, pair: Any) -> None:
    done = stage.ops("diff", *pair, "--keys", "artist_id")
    assert done.code == 2
    assert "artist_id:S,id:S" in done.err
