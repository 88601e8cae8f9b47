"""What others do the same work with, as their documentation shows it; run under the peer's own interpreter.

The window opens when libraries are imported and clients made, and closes when the last item was acknowledged (write)
or its file is closed (scan). Reading the export lines is part of the work.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

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


CASES = {
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
