"""What other tools got wrong, by name: one test each, so that it is never got wrong here.

Append only. Each docstring says which tool did what, and where that is told.
"""

from __future__ import annotations

import ast
import tomllib
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from ops.aws import AwsError
from ops.dynamodb.answers import Answer, checked, checked_page
from ops.dynamodb.lines import export_lines
from ops.dynamodb.query import QueryRequest, get_item, get_items, query
from ops.dynamodb.retry import Failure
from ops.dynamodb.scan import Scan, ScanRequest
from ops.dynamodb.write import BulkWriter, Rejected, WriteCounts, WriteTarget, key_bytes
from ops.errors import BadResponse, NotAllowed, OpsError, Throttled
from ops.model.items import Item, KeySchema
from ops.model.proof import SideInfo
from ops.recovery.preflight import parser, preflight
from ops.verify.compare import compare
from ops.verify.sides import LinesSide
from tests.unit.dynamodb.kit import (
    KEYS,
    MemoryTable,
    Scripted,
    ShuffledTable,
    StillClock,
    plane,
    some_items,
    some_lines,
)

ROOT = Path(__file__).resolve().parents[2]
TARGET = WriteTarget("t", KEYS)
SLOW = Failure("ProvisionedThroughputExceededException", "slow", 400)

#: Every type, each also inside a map, a list and a map in a list.
SCALARS: dict[str, dict[str, Any]] = {
    "text": {"S": "é\u2028\U0001f3b8\x00\\"},
    "empty": {"S": ""},
    "digits": {"N": "0.12345678901234567890123456789012345678"},
    "huge": {"N": "9.9999999999999999999999999999999999999E+125"},
    "tiny": {"N": "-1E-130"},
    "whole": {"N": "10000000000000000000000000000000000001"},
    "binary": {"B": "AP8A/w=="},
    "no binary": {"B": ""},
    "yes": {"BOOL": True},
    "null": {"NULL": True},
    "texts": {"SS": ["b", "a", ""]},
    "numbers": {"NS": ["2", "-1", "1.5"]},
    "binaries": {"BS": ["AP8=", "AA=="]},
}


def every_type(number: int) -> Item:
    nested = {
        "M": {"map": {"M": SCALARS}, "list": {"L": [*SCALARS.values(), {"L": [{"M": SCALARS}]}, {"M": {}}, {"L": []}]}}
    }
    return {"pk": {"S": "p"}, "sk": {"N": str(number)}, **SCALARS, "nested": nested}


def test_gave_up_quietly() -> None:
    """dynamodump 1.11.1 logs after seven tries that items are unprocessed, and ends as a success (measured)."""
    table = MemoryTable(mood=lambda operation, number: 1.0)
    rejected: list[Rejected] = []
    writer = BulkWriter(plane(table), TARGET, on_rejected=rejected.append)
    with pytest.raises(Throttled) as caught:
        writer.put(some_items(100))
    assert caught.value.exit_code == 9
    assert "0 items were written" in caught.value.changed
    assert (writer.settled.read, len(table.items)) == (0, 0)


def test_gave_up_quietly_on_some() -> None:
    """The same with one item that is never taken: the rest is written, and what is left ends the run."""
    never = orjson.dumps(some_items(100)[30])

    class Holding(MemoryTable):
        def send(self, operation: str, body: bytes) -> dict[str, Any]:
            requests = orjson.loads(body)["RequestItems"]["t"]
            held = [one for one in requests if orjson.dumps(one["PutRequest"]["Item"]) == never]
            taken = [one for one in requests if one not in held]
            if taken:
                super().send(operation, orjson.dumps({"RequestItems": {"t": taken}}))
            return {"UnprocessedItems": {"t": held} if held else {}}

    table = Holding()
    writer = BulkWriter(plane(table), TARGET)
    with pytest.raises(Throttled):
        writer.put(some_items(100))
    assert writer.settled == WriteCounts(read=25, written=25)
    assert writer.counts.written == len(table.items) < 100


@pytest.mark.parametrize("segment", range(4))
def test_worker_died_run_ok(segment: int) -> None:
    """dynamodump 1.11.1: page 2 throttled, its thread dies, an empty page stays, "completed", exit 0 (measured)."""
    failed = [0]

    class OneSegmentDies(MemoryTable):
        def send(self, operation: str, body: bytes) -> dict[str, Any]:
            params = orjson.loads(body)
            if params["Segment"] == segment and "ExclusiveStartKey" in params:
                failed[0] += 1
                raise SLOW
            return super().send(operation, body)

    table = OneSegmentDies(items={key_bytes(item, KEYS): item for item in some_items(200)})
    with pytest.raises(Throttled):
        list(Scan(plane(table), ScanRequest("t", segments=4)).items())
    assert failed[0] == 4


def test_resend_at_once() -> None:
    """dynein `src/batch.rs`, awswrangler `_TableBatchWriter` and boto3's batch_writer resend leftovers unpaused."""
    clock = StillClock()
    at: list[float] = []

    def mood(operation: str, number: int) -> float:
        at.append(clock.monotonic())
        return 0.0 if number == 6 else 1.0

    table = MemoryTable(mood=mood)
    counts = BulkWriter(plane(table, clock, attempts=10), TARGET).put(some_items(25))
    assert counts.written == 25
    assert all(later > earlier for earlier, later in pairwise(at))
    assert len(clock.slept) == 5


@pytest.mark.parametrize("percent", [0, 10, 30, 50, 70, 90, 100])
@pytest.mark.parametrize("seed", range(3))
def test_tail_dropped(percent: int, seed: int) -> None:
    """bulk_executor `batch_writer.py`: persistent throttling ends a partition and gives up its last writes."""
    random = Random(seed)
    table = MemoryTable(mood=lambda operation, number: SLOW if random.randrange(100) < percent else None)
    wire = ShuffledTable(table, Random(seed))
    writer = BulkWriter(plane(wire, attempts=60, seed=seed), TARGET)
    items = some_items(400)
    try:
        writer.put_lines(some_lines(items))
    except Throttled:
        assert percent >= 90
    else:
        assert len(table.items) == 400
    settled = writer.settled
    settled.check()
    # All up to the checkpoint is there, and a second run from it ends with the whole table.
    assert {key_bytes(item, KEYS) for item in items[: settled.read]} <= table.items.keys()
    table.mood = lambda operation, number: None
    resumed = BulkWriter(plane(wire), TARGET, resumed=settled)
    assert resumed.put_lines(some_lines(items)) == WriteCounts(read=400, written=400)
    assert table.items == {key_bytes(item, KEYS): item for item in items}


@pytest.mark.parametrize("at_once", [1, 2, 8, 64])
@pytest.mark.parametrize("left", [0.0, 0.4, 0.9])
def test_more_rate_more_loss(at_once: int, left: float) -> None:
    """dynamo-backup-to-s3 (github.com/markitx/dynamo-backup-to-s3/issues/20, 83): more concurrency, fewer items."""
    table = MemoryTable(mood=lambda operation, number: left if operation == "BatchWriteItem" and number % 2 else None)
    wire = ShuffledTable(table, Random(at_once))
    counts = BulkWriter(plane(wire, attempts=100), TARGET, most=at_once).put(some_items(1000))
    assert counts == WriteCounts(read=1000, written=1000)
    scan = Scan(plane(wire), ScanRequest("t", segments=at_once))
    assert sum(1 for _ in scan.items()) == len(table.items) == scan.counts.items == 1000


@pytest.mark.parametrize("decode", [checked, checked_page])
def test_truncated_is_empty(decode: Any) -> None:
    """botocore 1.44.5 makes an empty page of a truncated 200 without x-amz-crc32, at any setting (measured)."""
    document = {"Count": 3, "ScannedCount": 3, "Items": some_items(3), "LastEvaluatedKey": some_items(1)[0]}
    body = orjson.dumps(document)
    for cut in range(len(body)):
        with pytest.raises(Failure) as caught:
            decode("Scan", Answer(200, {}, body[:cut]))
        assert caught.value.repeatable, cut


def test_truncated_is_empty_for_ever() -> None:
    """The same through a whole scan: it ends with an error, never as a small table."""
    script = Scripted([Failure("Truncated", "", 200)])
    with pytest.raises(BadResponse):
        list(Scan(plane(script), ScanRequest("t", segments=2)).items())


def test_lossy_types() -> None:
    """dynein 0.3.0 `src/data.rs`: a placeholder for binary, floats for N, lists for sets."""
    items = [every_type(number) for number in range(30)]
    table = MemoryTable()
    assert BulkWriter(plane(table), TARGET).put(items).written == 30
    assert list(Scan(plane(table), ScanRequest("t", segments=1)).items()) == [
        table.items[key] for key in sorted(table.items)
    ]
    assert table.items == {key_bytes(item, KEYS): item for item in items}


def test_nested_binary() -> None:
    """dynamodump 1.11.1 brings binary in maps and binary sets back as base64 text, exit 0 (measured).

    Out of a table into lines and from lines into another table, over the raw way and over the parsed one.
    """
    first, second, third = MemoryTable(), MemoryTable(), MemoryTable()
    counts = BulkWriter(plane(first), TARGET).put([every_type(number) for number in range(30)])
    assert counts.written == 30
    lines = [
        line
        for page in Scan(plane(first), ScanRequest("t", segments=3)).raw_pages()
        for line in export_lines(page).splitlines()
    ]
    BulkWriter(plane(second), TARGET).put_lines(lines)
    BulkWriter(plane(third), TARGET).put(Scan(plane(second), ScanRequest("t", segments=3)).items())
    assert len(first.items) == len(lines) == 30
    assert first.items == second.items == third.items


def test_csv_by_split_and_bad_lines() -> None:
    """dynein `src/transfer.rs` drops lines that are no JSON silently; here each is rejected with its place."""
    lines = some_lines(some_items(100))
    bad = {7: b"{", 30: b"", 31: b"null", 99: b'{"Item":{}}'}
    for at, line in bad.items():
        lines[at - 1] = line
    rejected: list[Rejected] = []
    counts = BulkWriter(plane(MemoryTable()), TARGET, on_rejected=rejected.append).put_lines(lines)
    assert counts == WriteCounts(read=100, written=96, rejected=4)
    assert {one.position: one.line for one in rejected} == bad
    assert all(one.reason for one in rejected)


READS: dict[str, Any] = {
    "scan": lambda data: list(Scan(data, ScanRequest("t")).items()),
    "raw scan": lambda data: list(Scan(data, ScanRequest("t")).raw_pages()),
    "query": lambda data: list(query(data, QueryRequest("t", KEYS, {"S": "p"}))),
    "get": lambda data: get_item(data, "t", some_items(1)[0]),
    "batch get": lambda data: list(get_items(data, "t", some_items(1))),
    "write": lambda data: BulkWriter(data, TARGET).put(some_items(1)),
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize(
    ("code", "error"),
    [("AccessDeniedException", NotAllowed), ("KMSAccessDeniedException", NotAllowed), ("SomethingNew", AwsError)],
)
def test_denied_is_absent(read: str, code: str, error: type[OpsError]) -> None:
    """s3-credentials `bucket_exists` reads any error as "does not exist"; here each is an error of its own."""
    with pytest.raises(error):
        READS[read](plane(Scripted([Failure(code, "no", 400)])))


def test_sleeps_for_hours() -> None:
    """urllib3 2.8.0 obeys a Retry-After of up to 21,600 s (measured); here no pause is longer than the policy's."""
    clock = StillClock()
    with pytest.raises(Throttled):
        BulkWriter(plane(Scripted([SLOW]), clock, attempts=30), TARGET).put(some_items(1))
    assert max(clock.slept) <= 20
    assert len(clock.slept) == 29


def test_keys_as_text_in_a_batch() -> None:
    """bulk_executor compares number keys as text (measured); `9`, `9.0` and `09` are one key, `10` another."""
    keys = KeySchema("pk", "N")
    items: list[Item] = [{"pk": {"N": text}} for text in ("9", "10", "9.0", "09", "1e1", "900e-2")]
    table = MemoryTable(keys)
    counts = BulkWriter(plane(table), WriteTarget("t", keys)).put(items)
    assert counts == WriteCounts(read=6, written=2, duplicates=4)


def lines_side(items: list[Item], keys: KeySchema = KEYS) -> LinesSide:
    return LinesSide(SideInfo("lines", "test"), lambda: iter(items), keys, len(items))


def test_keys_as_text() -> None:
    """bulk_executor's diff compares number sort keys as text: one missing item is shown as three (measured)."""
    random = Random(3)
    items = some_items(120)
    wanted = [{**item, "sk": {"N": f"{item['sk']['N']}.0"}} for item in items]
    random.shuffle(wanted)
    found = compare(lines_side(wanted), lines_side([*items[:9], *items[10:]]), keys=KEYS)
    assert (found.missing, found.extra, found.changed) == (1, 0, 0)
    assert found.differences[0].key == {"pk": {"S": "p4"}, "sk": {"N": "9"}}


def test_set_order() -> None:
    """bulk_executor's diff reports equal sets in another order as a change (measured)."""
    sets = {"ss": {"SS": ["a", "b", "é"]}, "ns": {"NS": ["1", "2.50"]}, "bs": {"BS": ["AA==", "AP8="]}}
    other = {"ss": {"SS": ["é", "b", "a"]}, "ns": {"NS": ["2.5", "1"]}, "bs": {"BS": ["AP9=", "AA=="]}}
    items = [{**item, **sets, "deep": {"L": [{"M": sets}]}} for item in some_items(20)]
    turned = [{**item, **other, "deep": {"L": [{"M": other}]}} for item in some_items(20)]
    assert compare(lines_side(items), lines_side(turned), keys=KEYS).equal


def test_vacuous_pass() -> None:
    """NHSDigital/eps-prescription-status-update-api's validator passes when all five items are skipped."""
    nothing = compare(lines_side([]), lines_side([]), keys=KEYS)
    assert (nothing.void, nothing.equal, nothing.differing) == (True, False, 0)
    half = LinesSide(SideInfo("lines", "test"), lambda: iter(some_items(5)), KEYS, 6)
    cut = compare(half, lines_side(some_items(5)), keys=KEYS)
    assert (cut.void, cut.equal) == (True, False)


def test_sampled_output() -> None:
    """bulk_executor loses lines of its diff in a log tail that samples (issues 86, 280): counts equal lines."""
    items, other = some_items(300), [{**item, "text": {"S": "x"}} for item in some_items(300)]
    whole = compare(lines_side(items), lines_side(other), keys=KEYS, listed=300)
    assert (whole.changed, len(whole.differences), whole.listed_all) == (300, 300, True)
    assert len({one.key_digest for one in whole.differences}) == 300
    some = compare(lines_side(items), lines_side(other), keys=KEYS, listed=299)
    assert (some.changed, len(some.differences), some.listed_all) == (300, 299, False)


def test_csv_by_split() -> None:
    """dynein's `src/transfer.rs` splits CSV at newlines and commas although its own export quotes."""
    text = b'pk,sk,text\n"a,b",1,"say ""hi"", twice"\nc,2,plain\nd,3,one,too many\n,4,no key\ne,five,no number\n'
    lines = (("o", number, raw) for number, raw in enumerate(text.splitlines(), start=1))
    judged = preflight(lines, KEYS, {}, "csv")
    assert (judged.read, judged.accepted, judged.rejected) == (5, 2, 3)
    assert judged.read == judged.accepted + judged.rejected
    assert [problem.line for problem in judged.problems] == [4, 5, 6]
    parse = parser("csv", KEYS, {}, ",", ["pk", "sk", "text"])
    assert parse("o", 1, b'"a,b",1,"say ""hi"", twice"') == {
        "pk": {"S": "a,b"}, "sk": {"N": "1"}, "text": {"S": 'say "hi", twice'},
    }  # fmt: skip


def test_first_bad_line() -> None:
    """Native imports drop the rest of an object at its first unusable line and count one error (scylladb#31619).

    Here every line is judged before anything is made, and the distinct keys are told, to be held against the table.
    """
    lines = some_lines(some_items(100))
    lines[3], lines[50] = b"{", lines[49]
    judged = preflight((("o", number, raw) for number, raw in enumerate(lines, 1)), KEYS, {}, "dynamodb-json")
    assert (judged.read, judged.rejected, judged.distinct_keys, judged.duplicates) == (100, 1, 98, 1)
    assert [problem.line for problem in judged.problems] == [4, 51]
    assert not judged.clean


SOURCES = sorted(path for part in ("ops", "loader", "infra") for path in (ROOT / part).rglob("*.py"))


def nodes_of(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def swallows(handler: ast.ExceptHandler) -> bool:
    """Whether it takes any error, and neither raises nor uses it."""
    names = (
        {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)} if handler.type else {"Exception"}
    )
    inside = [node for statement in handler.body for node in ast.walk(statement)]
    used = any(
        (isinstance(node, ast.Name) and node.id == handler.name)
        or (isinstance(node, ast.Attribute) and node.attr == "format_exc")
        for node in inside
    )
    return (
        bool(names & {"Exception", "BaseException"})
        and not used
        and not any(isinstance(node, ast.Raise) for node in inside)
    )


def test_typo_swallowed() -> None:
    """bulk_executor hides a wrong attribute name behind a broad `except`; every run then takes the slow path."""
    handlers = [(path, node) for path in SOURCES for node in nodes_of(path) if isinstance(node, ast.ExceptHandler)]
    assert len(handlers) > 100
    assert [f"{path}:{node.lineno}" for path, node in handlers if swallows(node)] == []
    assert {"BLE", "S110"} <= set(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]["select"]
    )


def test_stale_counts() -> None:
    """ItemCount and sizes in DescribeTable and DescribeBackup are hours old; others take them as proof."""
    stale = {"ItemCount", "TableSizeBytes", "BackupSizeBytes", "IndexSizeBytes"}
    read = [
        f"{path}:{node.lineno}"
        for path in (ROOT / "ops" / "verify").glob("*.py")
        for node in nodes_of(path)
        if isinstance(node, ast.Constant) and node.value in stale
    ]
    assert read == []


def unpacks_unsafely(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute) and node.attr in ("unpack_archive", "mktemp"):
        return True
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return "zipfile" in {getattr(node, "module", None), *(one.name for one in node.names)}
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    filters = [one.value for one in node.keywords if one.arg == "filter"]
    safe = [one for one in filters if isinstance(one, ast.Constant) and one.value == "data"]
    return node.func.attr in ("extract", "extractall") and not safe


def test_unsafe_unpack() -> None:
    """dynamodump unpacks archives unfiltered, under a predictable temporary name; here none is without a filter."""
    bad, good = "archive.extractall(target)", 'archive.extractall(target, filter="data")'
    assert [any(map(unpacks_unsafely, ast.walk(ast.parse(text)))) for text in (bad, good)] == [True, False]
    found = [path for path in SOURCES for node in nodes_of(path) if unpacks_unsafely(node)]
    assert found == []
