"""The published test vectors of the canonical form, the digests and the seal."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from ops.model.items import Item, KeySchema
from ops.model.proof import SideInfo
from ops.verify import fingerprint
from ops.verify.canonical import ShapeError, canonical_item
from ops.verify.fingerprint import TableDigest, bucket_of, expiry_of, recorder
from ops.verify.patch_apply import COMPARED_ATTRIBUTES
from ops.verify.patch_file import SCHEMA as PATCH_SCHEMA
from ops.verify.seal import Seal, SealSubject, seal_of
from ops.verify.sides import FilesSide, LinesSide, RecordsSide, SealedSide
from ops.verify.spill import FAULT, NOWHERE, PARTS, ROW

KEYS = KeySchema("artist_id", "S", "id", "S")
SUBJECT = SealSubject("top_tracks", "arn", "id", {"artist_id": "S", "id": "S"}, "2026-11-20T10:02:16Z", "table")
FIRST: Item = {
    "artist_id": {"S": "43ZHCT0cAZBISjO8DG9PnE"},
    "id": {"S": "t1"},
    "popularity": {"N": "71.0"},
    "markets": {"SS": ["US", "DE"]},
    "scores": {"NS": ["1E2", "-0", "3.50"]},
    "raw": {"B": "AP8="},
    "tags": {"L": [{"S": ""}, {"NULL": True}]},
    "album": {"M": {"year": {"N": "2020"}, "explicit": {"BOOL": False}}},
}
FIRST_CANONICAL = (
    '{"album":{"M":{"explicit":{"BOOL":false},"year":{"N":"2020"}}},"artist_id":{"S":"43ZHCT0cAZBISjO8DG9PnE"},'
    '"id":{"S":"t1"},"markets":{"SS":["DE","US"]},"popularity":{"N":"71"},"raw":{"B":"AP8="},'
    '"scores":{"NS":["0","100","3.5"]},"tags":{"L":[{"S":""},{"NULL":true}]}}'
)
SECOND: Item = {
    "artist_id": {"S": "43ZHCT0cAZBISjO8DG9PnE"},
    "id": {"S": "t2"},
    "name": {"S": 'caf\xe9 "x"\n\x1f/\x7f'},
}


def test_the_canonical_form_of_the_first_vector() -> None:
    assert canonical_item(FIRST) == FIRST_CANONICAL.encode()


@pytest.mark.parametrize(
    ("item", "key", "bucket", "digest"),
    [
        (
            FIRST,
            "35759df7c7f8bda11a1dfe26c61a9f6066388f8e2af5283b92c3c9a1138e2ad1",
            855,
            "be0494a1ea863e71b2cd488c0fa16299ff68a2513e94a298f72a0acd3f0ab040",
        ),
        (
            SECOND,
            "49c7a261dba35fdcb0d01849270d16a826c7abed45c8cd72af496f2b19109a31",
            1180,
            "1561ac836578a3ad4db8f2126dba00c691b71d8c1ebc4d8e3d9437dae86abd9a",
        ),
    ],
)
def test_digests_and_buckets_of_the_vectors(item: Item, key: str, bucket: int, digest: str) -> None:
    record = recorder(KEYS)(item)
    assert (record.key.hex(), bucket_of(record.key), record.item.hex()) == (key, bucket, digest)


def test_sum_and_root_of_both_vectors() -> None:
    records = [recorder(KEYS)(item) for item in (SECOND, FIRST)]
    table = TableDigest()
    for record in records:
        table.add(record)
    assert table.hex() == "d36641254ffee21f00863a9e7d5b6360911fbfdd5d50f02734be42a827756dda"
    seal = seal_of(records, SUBJECT)
    assert seal.root == "52ea787a2b612778b17b497c77aae8cbfa76617ff0b0903b2ea3ec762e2eacff"
    assert Seal.from_json(seal.to_json()) == seal


def test_the_root_of_an_empty_table() -> None:
    seal = seal_of([], SUBJECT)
    assert (seal.count, seal.sum) == (0, "0" * 64)
    assert seal.root == "e12cc909b8e31d23093d8b51aa682333686d7f93d5d209917a8fa5443eeb1364"


def test_a_seal_whose_leaf_was_changed_is_refused() -> None:
    document: dict[str, Any] = json.loads(seal_of([recorder(KEYS)(FIRST)], SUBJECT).to_json())
    document["leaves"][7] = "00" * 32
    with pytest.raises(ValueError, match="root"):
        Seal.from_json(json.dumps(document))


@pytest.mark.parametrize(
    "value",
    [{"N": "1_000"}, {"N": "\u0661"}, {"N": "NaN"}, {"N": ""}, {"SS": []}, {"SS": ["a", "a"]}, {"NS": ["1", "1.0"]},
     {"B": "!"}, {"X": "1"}, {"S": "a", "N": "1"}, {}, {"S": "\ud800"}],
)  # fmt: skip
def test_what_is_no_dynamodb_value_is_a_shape_error(value: dict[str, Any]) -> None:
    with pytest.raises(ShapeError):
        canonical_item({"artist_id": {"S": "a"}, "x": value})


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"N": "71"}, {"N": "71.0"}),
        ({"N": "100"}, {"N": "1E2"}),
        ({"N": "0"}, {"N": "-0.0"}),
        ({"SS": ["a", "b"]}, {"SS": ["b", "a"]}),
        ({"M": {"a": {"S": ""}, "b": {"NULL": True}}}, {"M": {"b": {"NULL": True}, "a": {"S": ""}}}),
    ],
)
def test_another_notation_of_the_same_value_is_no_difference(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert canonical_item({"x": left}) == canonical_item({"x": right})


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"N": "71"}, {"S": "71"}),
        ({"L": [{"S": "a"}, {"S": "b"}]}, {"L": [{"S": "b"}, {"S": "a"}]}),
        ({"N": "12345678901234567890123456789012345678"}, {"N": "12345678901234567890123456789012345679"}),
        ({"S": "A"}, {"S": "a"}),
        ({"B": "AP8="}, {"B": "AP4="}),
    ],
)
def test_a_difference_that_matters_is_seen(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert canonical_item({"x": left}) != canonical_item({"x": right})


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"id": {"S": "1"}}, "key attribute 'artist_id' is missing or malformed"),
        ({"artist_id": "a", "id": {"S": "1"}}, "key attribute 'artist_id' is missing or malformed"),
        ({"artist_id": {"S": "a", "N": "1"}, "id": {"S": "1"}}, "key attribute 'artist_id' is missing or malformed"),
        ({"artist_id": {"S": "a"}, "id": {"N": "1"}}, "key attribute 'id' has type N, not S"),
        ({"artist_id": {"S": "a"}, "id": {"S": "1"}, "x": "text"}, "an attribute is not one DynamoDB value"),
        ({"artist_id": {"S": "a"}, "id": {"S": "1"}, "x": {"S": 1}}, "a value of type 'S' is malformed"),
        ({"artist_id": {"S": "a"}, "id": {"S": "1"}, "x": {"X": 1}}, "a value of type 'X' is malformed"),
        ({"artist_id": {"S": "a"}, "id": {"S": "1"}, "x": {"NULL": False}}, "a value of type 'NULL' is malformed"),
        ({"artist_id": {"S": "a"}, "id": {"S": "1"}, "x": {"BOOL": 1}}, "a value of type 'BOOL' is malformed"),
        ({"artist_id": {"S": "a"}, "id": {"S": "1"}, "x": {"SS": []}}, "a set is empty or not an array"),
        ({"artist_id": {"S": "a"}, "id": {"S": "1"}, "x": {"SS": [1]}}, "a set of strings holds something else"),
        ({"artist_id": {"S": "a"}, "id": {"S": "1"}, "x": {"SS": ["a", "a"]}}, "a set holds a member twice"),
        ({"artist_id": {"S": "a"}, "id": {"S": "1"}, "x": {"SS": ["]", "]"]}}, "a set holds a member twice"),
        ({"artist_id": {"S": "a"}, "id": {"S": "1"}, "x": {"BS": ["AA==", "AB=="]}}, "a set holds a member twice"),
        ({"artist_id": {"S": "a"}, "id": {"S": "1"}, "x": {"S": "\ud800"}}, "not writable as JSON"),
        (["artist_id"], "an item must be an object, not list"),
    ],
)
def test_an_item_without_a_usable_form_is_a_fault_with_its_reason(item: Any, reason: str) -> None:
    if isinstance(item, list):
        with pytest.raises(ShapeError, match=reason):
            canonical_item(item)
        return
    record = recorder(KEYS)(item)
    assert record.fault.startswith(reason)
    assert record.expires is None
    assert (record.key_json is None) == reason.startswith("key attribute")
    assert recorder(KEYS)(dict(reversed(item.items()))) == record, "in whatever order it is written"
    good = recorder(KEYS)({"artist_id": {"S": "a"}, "id": {"S": "1"}})
    assert (record.key == good.key) == (record.key_json is not None)
    assert record.item != good.item


def nested(levels: int, number: str) -> Item:
    value: dict[str, Any] = {"N": number}
    for level in range(levels):
        value = {"M": {"m": value}} if level % 2 else {"L": [value]}
    return {"x": value}


@pytest.mark.parametrize("levels", [0, 1, 5, 6, 7, 8, 30, 126])
def test_depth_makes_no_difference_to_the_canonical_form(levels: int) -> None:
    assert canonical_item(nested(levels, "1.0")) == canonical_item(nested(levels, "1"))
    assert canonical_item(nested(levels, "1")) != canonical_item(nested(levels, "2"))
    assert json.loads(canonical_item(nested(levels, "1"))) == nested(levels, "1")


def test_deeper_nesting_than_the_codec_takes_is_a_fault() -> None:
    with pytest.raises(ShapeError):
        canonical_item(nested(127, "1.0"))
    with pytest.raises(ShapeError):
        canonical_item(nested(300, "1"))


@pytest.mark.parametrize("levels", [200, 500])
def test_an_item_nested_as_deeply_as_json_can_be_is_a_fault_with_its_key(levels: int) -> None:
    text = b'{"L":[' * levels + b"]}" * levels
    item = {"artist_id": {"S": "a"}, "id": {"S": "1"}, "x": orjson.loads(text)}
    record = recorder(KEYS)(item)
    assert record.fault
    assert record.key == recorder(KEYS)({"artist_id": {"S": "a"}, "id": {"S": "1"}}).key


@pytest.mark.parametrize(
    ("given", "expiry"),
    [
        ({"N": "1800000000"}, 1_800_000_000),
        ({"N": "1.8e9"}, 1_800_000_000),
        ({"N": "1800000000.9"}, 1_800_000_000),
        ({"N": "-5"}, -5),
        ({"N": "1e125"}, int(1e125)),
        ({"S": "1800000000"}, None),
        ({"N": "soon"}, None),
        ({"N": "1e999"}, None),
        (None, None),
    ],
)
def test_only_a_number_says_when_an_item_expires(given: Any, expiry: int | None) -> None:
    item: Item = {"artist_id": {"S": "a"}, "id": {"S": "1"}, **({"ttl": given} if given else {})}
    assert expiry_of(item, "ttl") == expiry
    if given != {"N": "soon"} and given != {"N": "1e999"}:
        assert recorder(KEYS, ttl="ttl")(item).expires == expiry
    assert recorder(KEYS)(item).expires is None


def test_a_secret_changes_every_digest_and_nothing_else() -> None:
    plain, secret = recorder(KEYS)(FIRST), recorder(KEYS, secret=b"s")(FIRST)
    assert plain.key != secret.key
    assert plain.item != secret.item
    assert (plain.key_json, plain.fault) == (secret.key_json, secret.fault)
    broken: Item = {**FIRST, "x": {"SS": []}}
    assert recorder(KEYS)(broken).item != recorder(KEYS, secret=b"s")(broken).item
    assert recorder(KEYS)(broken).key == plain.key
    assert recorder(KEYS, secret=b"s")(broken).key == secret.key


def test_buckets_of_a_digest_hold_count_and_sum() -> None:
    table = TableDigest()
    assert table.bucket(855) == (0, 0)
    record = recorder(KEYS)(FIRST)
    table.add(record)
    table.add(record)
    assert table.bucket(855) == (2, 2 * int(record.item.hex(), 16) % (1 << 256))
    assert table.bucket(854) == (0, 0)
    assert table.differing_buckets(TableDigest()) == [855]
    assert TableDigest().differing_buckets(table) == [855]
    whole = TableDigest()
    whole.merge(table)
    whole.merge(TableDigest(3, 4))
    table.add(record)
    assert whole.count == 5
    assert whole.bucket(855)[0] == 2, "a merged part is a copy"
    whole.merge(whole)
    assert (whole.count, whole.bucket(855)[0]) == (10, 4)
    assert whole.bucket(855)[1] < 1 << 256


def test_the_published_figures_of_the_formats() -> None:
    assert (fingerprint.BUCKETS, fingerprint.DIGEST_BYTES) == (4096, 32)
    assert (fingerprint.KEY_PERSON, fingerprint.ITEM_PERSON) == (b"ops.key.v1", b"ops.item.v1")
    document = json.loads(seal_of([], SUBJECT).to_json())
    assert document["schema"] == "ops.seal/1"
    assert (len(document["counts"]), len(document["leaves"])) == (4096, 4096)
    assert PATCH_SCHEMA == "ops.patch/1"
    assert COMPARED_ATTRIBUTES == 140
    assert (ROW.size, PARTS, FAULT, NOWHERE) == (72, 256, 2**63, 2**63 - 1)


def test_sides_know_whether_they_may_change() -> None:
    info = SideInfo("seal", "kept")
    assert SealedSide(info, seal_of([], SUBJECT)).live is False
    assert LinesSide(info, lambda: iter(()), KEYS).live is False
    assert FilesSide(info, (), KEYS).live is False
    assert RecordsSide(info, lambda: iter(())).live is False


def test_digests_of_keys_and_items_that_are_not_as_many_are_refused() -> None:
    [record] = map(recorder(KeySchema("pk")), [{"pk": {"S": "a"}}])
    with pytest.raises(ValueError, match="shorter"):
        TableDigest().add_all((record.key, record.key), (record.item,))
