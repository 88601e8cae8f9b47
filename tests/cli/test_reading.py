"""`ops get|query|scan|list|status` as processes against a loaded sandbox."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from loader.items import Item
from tests.whole_sandbox import WholeSandbox


@pytest.fixture(scope="module")
def loaded(whole: WholeSandbox) -> Any:
    done = whole.ops("load", "spotify", "--to", "top_tracks", "--market", "SE", "--market", "US")
    assert done.returncode == 0, done.stderr
    return whole


def items(done: Any) -> list[Item]:
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout)["result"]["items"])


def test_scan_filters_over_all_pages(loaded: WholeSandbox) -> None:
    everything = items(loaded.ops("scan", "top_tracks", "--all", "--json"))
    popular = items(loaded.ops("scan", "top_tracks", "--all", "--where", "popularity > 70", "--json"))
    wanted = {item["id"]["S"] for item in everything if int(item.get("popularity", {"N": "0"})["N"]) > 70}
    assert wanted
    assert {item["id"]["S"] for item in popular} == wanted


def test_the_index_answers_what_the_table_holds_of_a_genre(loaded: WholeSandbox) -> None:
    everything = items(loaded.ops("scan", "top_tracks", "--all", "--json"))
    genre = everything[0]["genre"]["S"]
    of_genre = items(loaded.ops("query", "top_tracks", genre, "--index", "genre_index", "--all", "--json"))
    assert {one["id"]["S"] for one in of_genre} == {one["id"]["S"] for one in everything if one["genre"]["S"] == genre}


def test_get_prints_one_item_and_a_missing_one_is_exit_10(loaded: WholeSandbox) -> None:
    one = items(loaded.ops("scan", "top_tracks", "--limit", "1", "--json"))[0]
    artist, track = one["artist_id"]["S"], one["id"]["S"]
    assert items(loaded.ops("get", "top_tracks", artist, track, "--json")) == [one]
    assert json.loads(loaded.ops("get", "top_tracks", artist, track).stdout)["id"] == track
    missing = loaded.ops("get", "top_tracks", artist, "nothing")
    assert missing.returncode == 10
    assert f"next: ops query top_tracks {artist}" in missing.stderr
    assert loaded.ops("get", "top_tracks", artist).returncode == 2


def test_query_keeps_the_order_of_the_sort_key(loaded: WholeSandbox) -> None:
    artist = items(loaded.ops("scan", "top_tracks", "--limit", "1", "--json"))[0]["artist_id"]["S"]
    up = [one["id"]["S"] for one in items(loaded.ops("query", "top_tracks", artist, "--json"))]
    down = [one["id"]["S"] for one in items(loaded.ops("query", "top_tracks", artist, "--desc", "--json"))]
    assert up == sorted(up)
    assert down == up[::-1]
    after = items(loaded.ops("query", "top_tracks", artist, "--sort", f'> "{up[0]}"', "--json"))
    assert [one["id"]["S"] for one in after] == up[1:]


def test_csv_is_read_back_by_a_csv_reader_and_jsonl_line_by_line(loaded: WholeSandbox) -> None:
    wanted = items(loaded.ops("scan", "top_tracks", "--all", "--json"))
    done = loaded.ops("scan", "top_tracks", "--all", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {row["id"] for row in rows} == {one["id"]["S"] for one in wanted}
    lines = loaded.ops("scan", "top_tracks", "--all", "--format", "jsonl").stdout.splitlines()
    assert sorted(lines) == sorted(json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in wanted)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["scan", "top_tracks", "--where", "popularity >"], "column"),
        (["scan", "top_tracks", "--index", "no_index"], "genre_index"),
        (["scan", "top_tracks", "--index", "genre_index", "--consistent"], "consistent"),
        (["query", "top_tracks", "x", "--format", "xml"], "table|json|jsonl|csv"),
        (["scan", "top_track"], "top_tracks"),
        (["scan", "ddb:top_track"], "did you mean top_tracks"),
        (["scan", "arn:aws:dynamodb:us-east-1:1:table/x"], "ARN"),
        (["status", "--env", "nowhere"], "sandbox"),
    ],
)
def test_bad_input_names_what_is_right(loaded: WholeSandbox, words: list[str], told: str) -> None:
    done = loaded.ops(*words)
    assert done.returncode in (2, 10), done.stderr
    assert told in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_status_says_what_protects_the_table(loaded: WholeSandbox) -> None:
    document = json.loads(loaded.ops("status", "--json").stdout)
    (one,) = document["result"]["tables"]
    assert one["status"] == "ACTIVE"
    assert one["pitr"] == "on, 35 d"
    assert one["settings_differing"] == []
    assert document["backend"] == "sandbox"


@pytest.mark.parametrize("what", ["backups", "exports", "imports", "tables", "runs", "drills"])
def test_everything_can_be_listed(loaded: WholeSandbox, what: str) -> None:
    done = loaded.ops("list", what, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"]["kind"] == what


def test_another_account_is_refused_before_anything_is_read(loaded: WholeSandbox) -> None:
    import boto3

    ssm = boto3.client("ssm", endpoint_url=loaded.status["endpoint"], region_name="us-east-1")
    text = ssm.get_parameter(Name="/dynamo-ops/sandbox/environment")["Parameter"]["Value"]
    other = text.replace('"account":"123456789012"', '"account":"999988887777"')
    ssm.put_parameter(Name="/dynamo-ops/other/environment", Value=other, Type="String")
    done = loaded.ops("status", "--env", "other")
    assert done.returncode == 7
    assert "123456789012" in done.stderr
    assert "999988887777" in done.stderr
