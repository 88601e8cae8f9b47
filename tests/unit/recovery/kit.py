"""Stand-ins for AWS at the control-plane seam; never for the code under test."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from infra.environment import IndexDocument, KeyAttribute, Objectives, RecoveryContract, TableDocument
from ops.aws import AwsError
from ops.clock import rfc3339
from ops.errors import TableNotFound

DATA = Path(__file__).parents[2] / "data" / "recovery"
START = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)
HOME = "AWSDynamoDB/01715685260608-c488b4e1"
BUCKET = "backups"
ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/t"
BACKUP = f"{ARN}/backup/1"
TABLE_ARN = "arn:aws:dynamodb:eu-central-1:164221962816:table/S3ExportTest"


class ManualClock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.passed_s)

    def monotonic(self) -> float:
        return self.passed_s

    def sleep(self, seconds: float) -> None:
        self.passed_s += seconds


@dataclass
class Scripted:
    """Answers by operation: a value, an exception, or a function of the parameters; a list is used up in turn."""

    answers: dict[str, Any]
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    region: str = "us-east-1"

    def call(self, service: str, operation: str, *, region: str | None = None, **params: Any) -> dict[str, Any]:
        self.calls.append((operation, params if region is None else {**params, "region": region}))
        answer = self.answers[operation]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, Exception):
            raise answer
        found: dict[str, Any] = answer(params) if isinstance(answer, Callable) else answer  # type: ignore[arg-type]
        return found

    def pages(
        self, service: str, operation: str, member: str, *, region: str | None = None, **params: Any
    ) -> Iterator[Any]:
        yield from self.call(service, operation, region=region, **params).get(member, ())

    def asked(self, operation: str) -> list[dict[str, Any]]:
        """Parameters of each call of that operation."""
        return [params for name, params in self.calls if name == operation]


def refused(code: str, message: str = "said AWS") -> AwsError:
    return AwsError(code, message, "dynamodb:Something")


def not_found(name: str = "t") -> TableNotFound:
    return TableNotFound(f"table not found: {name}")


class Breaking(io.BytesIO):
    """A body whose connection breaks off after some bytes."""

    def __init__(self, data: bytes, after: int) -> None:
        super().__init__(data[:after])

    def read(self, size: int | None = -1, /) -> bytes:
        chunk = super().read(size)
        if not chunk:
            raise RuntimeError("IncompleteRead")
        return chunk


@dataclass
class MemoryS3:
    """Objects of one bucket, and what DescribeExport knows."""

    objects: dict[str, bytes]
    exports: dict[str, dict[str, Any]] = field(default_factory=dict)
    breaks: dict[str, int] = field(default_factory=dict)
    region: str = "eu-central-1"

    def call(self, service: str, operation: str, *, region: str | None = None, **params: Any) -> dict[str, Any]:
        if operation == "describe_export":
            if params["ExportArn"] not in self.exports:
                raise refused("ExportNotFoundException")
            return {"ExportDescription": self.exports[params["ExportArn"]]}
        if operation != "get_object":
            raise AssertionError(f"unexpected call {operation}")
        if params["Key"] not in self.objects:
            raise refused("NoSuchKey")
        data = self.objects[params["Key"]]
        if self.breaks.get(params["Key"], 0) > 0:
            self.breaks[params["Key"]] -= 1
            return {"Body": Breaking(data, len(data) // 2)}
        return {"Body": io.BytesIO(data)}

    def pages(
        self, service: str, operation: str, member: str, *, region: str | None = None, **params: Any
    ) -> Iterator[Any]:
        yield from ({"Key": key} for key in self.objects if key.startswith(params["Prefix"]))

    @property
    def data_keys(self) -> list[str]:
        return sorted(key for key in self.objects if "/data/" in key)


def real_export() -> MemoryS3:
    """The export that DynamoDB wrote."""
    root = DATA / "test-bucket"
    return MemoryS3({str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()})


def written_export(parts: list[list[dict[str, Any]]], *, at: datetime = START, **members: Any) -> MemoryS3:
    """A full export of these items in AWS's layout, checksum objects included, not filtered."""
    objects: dict[str, bytes] = {f"{HOME}/_started": b""}
    lines = []
    for number, items in enumerate(parts):
        raw = b"".join(json.dumps({"Item": item}).encode() + b"\n" for item in items)
        body = gzip.compress(raw, mtime=number)
        key = f"{HOME}/data/{number:026d}.json.gz"
        objects[key] = body
        lines.append({"itemCount": len(items), "md5Checksum": md5(body), "etag": "x-1", "dataFileS3Key": key})
    arn = f"{TABLE_ARN}/export/{HOME.rpartition('/')[2]}"
    summary = {
        "version": "2020-06-30", "exportArn": arn, "startTime": rfc3339(at), "exportTime": rfc3339(at),
        "tableArn": TABLE_ARN, "itemCount": sum(map(len, parts)), "manifestFilesS3Key": f"{HOME}/manifest-files.json",
        **members,
    }  # fmt: skip
    made = MemoryS3(objects, {arn: {"ExportArn": arn}})
    put_manifest(made, "manifest-files", "".join(json.dumps(line) + "\n" for line in lines).encode())
    put_manifest(made, "manifest-summary", json.dumps(summary).encode())
    return made


def put_manifest(s3: MemoryS3, name: str, raw: bytes) -> None:
    """A manifest with its checksum beside it."""
    s3.objects[f"{HOME}/{name}.json"] = raw
    s3.objects[f"{HOME}/{name}.md5"] = md5(raw).encode()


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def items(*names: str) -> list[dict[str, Any]]:
    return [{"id": {"S": name}, "count": {"N": "1"}} for name in names]


def document(**contract: Any) -> TableDocument:
    """A declared table; on demand unless told otherwise."""
    return TableDocument(
        logical="top_tracks",
        physical="top_tracks-1a2b",
        arn="arn:aws:dynamodb:us-east-1:123456789012:table/top_tracks-1a2b",
        region="us-east-1",
        partition_key=KeyAttribute("artist_id"),
        sort_key=KeyAttribute("id"),
        indexes=(IndexDocument("genre_index", KeyAttribute("genre"), KeyAttribute("year", "N")),),
        contract=RecoveryContract(**{"billing_mode": "PAY_PER_REQUEST", **contract}),
        objectives=Objectives(3600, 300, 0),
    )


def table(status: str = "ACTIVE", **members: Any) -> dict[str, Any]:
    described = {
        "TableName": "t", "TableArn": ARN, "TableId": "id-1", "TableStatus": status, "AttributeDefinitions": [],
        "CreationDateTime": START, "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    }  # fmt: skip
    return {"Table": {**described, **members}}


def backup(status: str = "AVAILABLE", **members: Any) -> dict[str, Any]:
    details = {
        "BackupArn": BACKUP, "BackupName": "nightly-abc", "BackupStatus": status, "BackupType": "USER",
        "BackupCreationDateTime": START, **members,
    }  # fmt: skip
    return {"BackupDescription": {"BackupDetails": details, "SourceTableDetails": {"TableName": "t", "TableArn": ARN}}}


def summary(**members: Any) -> dict[str, Any]:
    return {**backup(**members)["BackupDescription"]["BackupDetails"], "TableName": "t", "TableId": "id-1"}


def window(earliest: datetime, latest: datetime, **members: Any) -> dict[str, Any]:
    pitr_description = {
        "PointInTimeRecoveryStatus": "ENABLED", "RecoveryPeriodInDays": 35, "EarliestRestorableDateTime": earliest,
        "LatestRestorableDateTime": latest, **members,
    }  # fmt: skip
    return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": pitr_description}}


def by_name(**found: Any) -> Any:
    def answer(params: dict[str, Any]) -> dict[str, Any]:
        answered = found.get(params["TableName"].replace("-", "_"), not_found(params["TableName"]))
        answered = answered() if callable(answered) else answered
        if isinstance(answered, Exception):
            raise answered
        return dict(answered)

    return answer
