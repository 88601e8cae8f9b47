"""What others do the same work with, as their documentation shows it; run under the peer's own interpreter.

The window opens when libraries are imported and clients made, and closes when the last item was acknowledged (write)
or its file is closed (scan). Reading the export lines is part of the work.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Context, Decimal
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

from bench.items import differences
from bench.window import Job, Window, main

TABLE = "bench"
BATCH = 25


def lines(files: tuple[str, ...]) -> Iterator[bytes]:
    """The export lines of all files."""
    for path in files:
        with gzip.open(path) as file:
            yield from file


def batches(files: tuple[str, ...]) -> Iterator[list[dict[str, Any]]]:
    """Put requests of 25 in DynamoDB JSON."""
    requests = ({"PutRequest": json.loads(line)} for line in lines(files))
    while batch := list(islice(requests, BATCH)):
        yield batch


def boto3_client(connections: int = 10) -> Any:
    """A client of the low level, with as many connections as threads."""
    import boto3
    from botocore.config import Config

    return boto3.client("dynamodb", config=Config(max_pool_connections=connections))


def boto3_batch_writer(job: Job, window: Window) -> int:
    """The resource's batch_writer over deserialised items: what most scripts do."""
    import boto3
    from boto3.dynamodb.types import TypeDeserializer

    table, read = boto3.resource("dynamodb").Table(TABLE), TypeDeserializer().deserialize
    count = 0
    with window, table.batch_writer() as writer:
        for line in lines(job.files):
            item = json.loads(line)["Item"]
            writer.put_item(Item={name: read(value) for name, value in item.items()})
            count += 1
    return count


def boto3_batch_write_item(job: Job, window: Window) -> int:
    """The client's batch_write_item with DynamoDB JSON; options: threads."""
    threads = int(job.options["threads"])
    client = boto3_client(threads)

    def write(batch: list[dict[str, Any]]) -> int:
        left = client.batch_write_item(RequestItems={TABLE: batch})["UnprocessedItems"]
        if left:
            raise RuntimeError("the null server leaves nothing unprocessed")
        return len(batch)

    with window:
        if threads == 1:
            return sum(write(batch) for batch in batches(job.files))
        with ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(write, batches(job.files)))


def aiobotocore_write(job: Job, window: Window) -> int:
    """batch_write_item, eight at once."""
    from aiobotocore.session import get_session  # type: ignore[import-not-found, unused-ignore]

    async def work() -> int:
        async with get_session().create_client("dynamodb") as client:
            todo = batches(job.files)

            async def worker() -> int:
                count = 0
                for batch in todo:
                    await client.batch_write_item(RequestItems={TABLE: batch})
                    count += len(batch)
                return count

            with window:
                return sum(await asyncio.gather(*(worker() for _ in range(int(job.options["tasks"])))))

    return asyncio.run(work())


def dynamodump_restore(job: Job, window: Window) -> int:
    """`dynamodump -m restore --dataOnly` of a dump in its own form, which is written before the window opens."""
    folder = Path(job.folder)
    data = folder / TABLE / "data"
    data.mkdir(parents=True)
    found = [json.loads(line)["Item"] for line in lines(job.files)]
    for number, start in enumerate(range(0, len(found), 500), 1):
        (data / f"{number:04d}.json").write_text(json.dumps({"Items": found[start : start + 500]}, indent=2))
    description = json.loads(Path(str(job.options["table"])).read_text())
    (folder / TABLE / "schema.json").write_text(json.dumps({"Table": description}))
    _dynamodump(job, window, "restore", "--dataOnly", "--skipThroughputUpdate", "--noConfirm")
    return len(found)


def dynamodump_backup(job: Job, window: Window) -> int:
    """`dynamodump -m backup`; its result is not compressed."""
    _dynamodump(job, window, "backup")
    pages = sorted((Path(job.folder) / TABLE / "data").iterdir())
    return sum(len(json.loads(page.read_text())["Items"]) for page in pages)


def _dynamodump(job: Job, window: Window, mode: str, *more: str) -> None:
    from dynamodump import dynamodump  # type: ignore[import-not-found, unused-ignore]

    # Its pauses (a second before each of 25 threads) cost no CPU; they would only make the bench wait.
    dynamodump.THREAD_START_DELAY = dynamodump.LOCAL_SLEEP_INTERVAL = 0
    host, _, port = job.endpoint.rpartition("/")[2].partition(":")
    sys.argv = ["dynamodump", "-m", mode, "-r", "us-east-1", "-s", TABLE, "--host", host, "--port", port]
    sys.argv += ["--accessKey", "bench", "--secretKey", "bench", "--dumpPath", job.folder, "--log", "ERROR", *more]
    with window:
        dynamodump.main()


def boto3_client_scan(job: Job, window: Window) -> int:
    """The client's scan, json and gzip at its default level: export lines."""
    client = boto3_client()
    target = Path(job.folder) / "scan.json.gz"
    arguments: dict[str, Any] = {"TableName": TABLE}
    with window, gzip.open(target, "wt", compresslevel=int(job.options["level"])) as file:
        while True:
            page = client.scan(**arguments)
            for item in page["Items"]:
                file.write(json.dumps({"Item": item}) + "\n")
            if "LastEvaluatedKey" not in page:
                break
            arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]
    return sum(1 for _ in lines((str(target),)))


def aiobotocore_scan(job: Job, window: Window) -> int:
    """scan in four segments at once, json and gzip at its default level."""
    from aiobotocore.session import get_session  # type: ignore[import-not-found, unused-ignore]

    segments = int(job.options["tasks"])
    targets = [Path(job.folder) / f"scan-{segment}.json.gz" for segment in range(segments)]

    async def segment_of(client: Any, segment: int) -> None:
        arguments: dict[str, Any] = {"TableName": TABLE, "Segment": segment, "TotalSegments": segments}
        with gzip.open(targets[segment], "wt", compresslevel=int(job.options["level"])) as file:
            while True:
                page = await client.scan(**arguments)
                for item in page["Items"]:
                    file.write(json.dumps({"Item": item}) + "\n")
                if "LastEvaluatedKey" not in page:
                    return
                arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    async def work() -> None:
        async with get_session().create_client("dynamodb") as client:
            with window:
                await asyncio.gather(*(segment_of(client, segment) for segment in range(segments)))

    asyncio.run(work())
    return sum(1 for _ in lines(tuple(map(str, targets))))


def canonical(value: dict[str, Any]) -> dict[str, Any]:
    """A value of an attribute with its number, set or binary in one notation."""
    [(tag, content)] = value.items()
    if tag == "N":
        return {"N": _number(content)}
    if tag == "M":
        return {"M": {name: canonical(member) for name, member in content.items()}}
    if tag == "L":
        return {"L": [canonical(member) for member in content]}
    if tag in ("SS", "NS", "BS"):
        return {tag: sorted(next(iter(canonical({tag[0]: member}).values())) for member in content)}
    if tag == "B":
        return {"B": base64.b64encode(base64.b64decode(content, validate=True)).decode()}
    return value


def _number(text: str) -> str:
    number = Decimal(text)
    return format(number.normalize(Context(prec=40)), "f") if number else "0"


def fingerprint(job: Job, window: Window) -> int:
    """Digests of keys and items and their sum, as plain Python does it: parse, walk, sort, hash."""
    dump = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
    count = total = 0
    seen: Counter[int] = Counter()
    with window:
        for line in lines(job.files):
            item = {name: canonical(value) for name, value in json.loads(line)["Item"].items()}
            key = dump({name: item[name] for name in ("artist_id", "id")}).encode()
            seen[blake2b(key, digest_size=32, person=b"ops.key.v1").digest()[0]] += 1
            total += int.from_bytes(blake2b(dump(item).encode(), digest_size=32, person=b"ops.item.v1").digest())
            count += 1
    return count


def duckdb_compare(job: Job, window: Window) -> int:
    """Rows of both sides as structs, joined by key; numbers are compared as they are written."""
    import duckdb  # type: ignore[import-not-found, unused-ignore]

    with window:
        found = duckdb.connect().execute(_DIFFERENCES, [list(job.files), list(job.others)]).fetchone()
    if found != differences(job.items):
        raise RuntimeError(f"wrong result: {found}")
    return job.items


_DIFFERENCES = """
    with wanted as (select Item from read_json(?, format = 'newline_delimited')),
         seen as (select Item from read_json(?, format = 'newline_delimited'))
    select count(*) filter (where wanted.Item is not null and seen.Item is not null
                            and wanted.Item is distinct from seen.Item),
           count(*) filter (where seen.Item is null), count(*) filter (where wanted.Item is null)
    from wanted full join seen on wanted.Item.artist_id.S = seen.Item.artist_id.S and wanted.Item.id.S = seen.Item.id.S
"""

CASES = {
    "fingerprint": fingerprint,
    "duckdb_compare": duckdb_compare,
    "batch_writer": boto3_batch_writer,
    "batch_write_item": boto3_batch_write_item,
    "aiobotocore_write": aiobotocore_write,
    "dynamodump_restore": dynamodump_restore,
    "dynamodump_backup": dynamodump_backup,
    "client_scan": boto3_client_scan,
    "aiobotocore_scan": aiobotocore_scan,
}

if __name__ == "__main__":
    main(CASES)
