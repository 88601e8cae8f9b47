"""The objects of an export in S3, as AWS lays them out.

docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html. Checksum files end in `.md5`, as
readers of real exports find them; several data files, empty ones included; incremental runs share one data folder,
and only manifest-files.json says which files belong to a run.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import uuid
from dataclasses import dataclass
from typing import Any

from moto.dynamodb.models.table import Table
from moto.s3.models import S3Backend, s3_backends

from ops.sandbox.aws.clock import zulu
from ops.sandbox.aws.export_content import Content
from ops.sandbox.aws.pages import spread
from ops.sandbox.aws.tables import state_of
from ops.sandbox.aws.world import ACCOUNT

DATA_FILES = 4  # a fresh table of three items was exported as four files
INCREMENTAL_MINIMUM_BYTES = 10_000_000  # least billed for incremental and filtered exports

Document = dict[str, Any]


class ExportFailed(Exception):
    """The export ends FAILED with this code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class ExportRun:
    """What is exported where. `from_s` is None for a full export."""

    arn: str
    identifier: str
    table: Table
    started_s: float
    from_s: int | None
    to_s: float
    bucket: str
    prefix: str | None
    sse_algorithm: str
    kms_key_id: str | None
    form: str
    reduced: bool
    content: Content
    failure: tuple[str, str] | None = None

    @property
    def table_id(self) -> str:
        """TableId of the source."""
        return state_of(self.table).table_id

    @property
    def home(self) -> str:
        """Key prefix of this run's own objects."""
        return f"{self._root}{self.identifier}/"

    @property
    def data_folder(self) -> str:
        """Key prefix of its data files."""
        return f"{self.home}data/" if self.from_s is None else f"{self._root}data/"

    @property
    def _root(self) -> str:
        # the prefix is joined verbatim with one slash
        return f"{self.prefix}/AWSDynamoDB/" if self.prefix else "AWSDynamoDB/"


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What DescribeExport says at the end."""

    item_count: int
    billed_bytes: int
    manifest_key: str


def start(run: ExportRun) -> None:
    """The empty `_started` object; a missing bucket shows at the end only."""
    s3 = _s3()
    if run.bucket in s3.buckets and run.failure is None:
        s3.put_object(run.bucket, f"{run.home}_started", b"")


def write(run: ExportRun, ended_s: float) -> ExportResult:
    """Data files, then manifest-files, then manifest-summary, each manifest with its checksum."""
    s3 = _s3()
    if run.failure is not None:
        raise ExportFailed(*run.failure)
    if run.bucket not in s3.buckets:
        raise ExportFailed("S3NoSuchBucket", "The specified bucket does not exist")
    parts: list[list[bytes]] = [[] for _ in range(DATA_FILES)]
    names = run.table.table_key_attrs
    for wire, line in run.content.lines(run.form):
        parts[spread(wire[names[0]]) % DATA_FILES].append(line)
    files = [_write_data(s3, run, part) for part in parts]
    item_count = sum(len(part) for part in parts)
    size = sum(len(line) + 1 for part in parts for line in part)
    billed = max(size, INCREMENTAL_MINIMUM_BYTES) if run.reduced else size
    _write_manifest(s3, run, "manifest-files", "".join(json.dumps(one) + "\n" for one in files))
    _write_manifest(s3, run, "manifest-summary", json.dumps(_summary(run, ended_s, item_count, billed)))
    return ExportResult(item_count, billed, f"{run.home}manifest-summary.json")


def _s3() -> S3Backend:
    return s3_backends[ACCOUNT]["aws"]


def _write_data(s3: S3Backend, run: ExportRun, lines: list[bytes]) -> Document:
    body = gzip.compress(b"".join(line + b"\n" for line in lines), mtime=0)
    suffix = "ion.gz" if run.form == "ION" else "json.gz"
    name = base64.b32encode(uuid.uuid4().bytes)[:26].decode().lower()
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    # the exporter uploads in parts: the ETag is the MD5 of the parts' MD5s
    etag = hashlib.md5(digest, usedforsecurity=False).hexdigest() + "-1"
    key = f"{run.data_folder}{name}.{suffix}"
    s3.put_object(run.bucket, key, body, etag=etag)
    return {
        "itemCount": len(lines), "md5Checksum": base64.b64encode(digest).decode(), "etag": etag,
        "dataFileS3Key": key,
    }  # fmt: skip


def _write_manifest(s3: S3Backend, run: ExportRun, name: str, text: str) -> None:
    digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
    s3.put_object(run.bucket, f"{run.home}{name}.json", text.encode())
    s3.put_object(run.bucket, f"{run.home}{name}.md5", base64.b64encode(digest))


def _summary(run: ExportRun, ended_s: float, item_count: int, billed: int) -> Document:
    summary: Document = {
        "version": "2020-06-30" if run.from_s is None else "2023-08-01",
        "exportArn": run.arn,
        "startTime": zulu(run.started_s, millis=True),
        "endTime": zulu(ended_s, millis=True),
        "tableArn": run.table.table_arn,
        "tableId": run.table_id,
    }
    if run.from_s is None:
        summary["exportTime"] = zulu(run.to_s, millis=True)
    else:
        summary |= {
            "exportFromTime": zulu(run.from_s, millis=True), "exportToTime": zulu(run.to_s, millis=True),
        }  # fmt: skip
    summary |= {
        "s3Bucket": run.bucket, "s3Prefix": run.prefix, "s3SseAlgorithm": run.sse_algorithm,
        "s3SseKmsKeyId": run.kms_key_id, "manifestFilesS3Key": f"{run.home}manifest-files.json",
        "billedSizeBytes": billed, "itemCount": item_count, "outputFormat": run.form,
    }  # fmt: skip
    if run.from_s is None:
        return {**summary, "exportType": "FULL_EXPORT"}
    return {**summary, "outputView": run.content.view, "exportType": "INCREMENTAL_EXPORT"}
