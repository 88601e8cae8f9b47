"""Writes lines as objects that ImportTable takes: gzipped DynamoDB JSON with the `Item` wrapper."""

from __future__ import annotations

import gzip
import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO

import orjson

from ops.aws import ControlPlane
from ops.model.items import Item
from ops.recovery.journal import mutate
from ops.runs import Run

#: Uncompressed; ImportTable reads objects in parallel.
OBJECT_BYTES = 64 << 20
SPOOL_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Staged:
    """Where the objects lie, for ImportTable's `S3KeyPrefix` with compression GZIP."""

    bucket: str
    prefix: str
    keys: tuple[str, ...]
    items: int


def stage_items(control: ControlPlane, items: Iterable[Item], *, bucket: str, prefix: str, run: Run) -> Staged:
    """Put the items below `prefix`, one object per 64 MiB; the prefix must be this run's own."""
    keys: list[str] = []
    total = 0
    for count, file in _objects(items):
        key = f"{prefix.rstrip('/')}/part-{len(keys):05d}.json.gz"
        _put(control, bucket, key, file, count, run)
        keys.append(key)
        total += count
    return Staged(bucket, f"{prefix.rstrip('/')}/", tuple(keys), total)


def _objects(items: Iterable[Item]) -> Iterator[tuple[int, IO[bytes]]]:
    source = iter(items)
    while True:
        with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as file:
            count = _fill(source, file)
            if count == 0:
                return
            file.seek(0)
            yield count, file


def _fill(source: Iterator[Item], file: IO[bytes]) -> int:
    count = size_bytes = 0
    with gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:
        while size_bytes < OBJECT_BYTES and (item := next(source, None)) is not None:
            line = orjson.dumps({"Item": item}, option=orjson.OPT_APPEND_NEWLINE)
            packed.write(line)
            size_bytes += len(line)
            count += 1
    return count


def _put(control: ControlPlane, bucket: str, key: str, file: IO[bytes], count: int, run: Run) -> None:
    body = file.read()
    digest = hashlib.sha256(body).hexdigest()
    params = {"Bucket": bucket, "Key": key, "Body": body}
    mutate(control, run, "s3", "put_object", key, params, notes={"items": count, "sha256": digest})
