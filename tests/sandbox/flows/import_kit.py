"""A declared table with exports of it, made by the sandbox's AWS or by hand."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ops.flows.importing_into import IntoOptions, import_into
from ops.flows.into_work import IntoResult
from ops.flows.session import Session
from ops.runs import open_run
from tests.cli.recovery_stage import BUCKET, Item, Stage

Open = Callable[[], Session]


class Bench:
    """A declared table, a folder for runs, and exports of it."""

    def __init__(self, stage: Stage, session: Session, logical: str, folder: Path) -> None:
        self.stage, self.session, self.logical, self.folder = stage, session, logical, folder
        self.target = session.table(logical)

    def run(self, source: str, **options: Any) -> IntoResult:
        with open_run(self.folder / "runs", ["import-s3"], self.session.clock, self.session.random) as run:
            return import_into(self.session, run, self.target, IntoOptions(source, **options))

    def items(self) -> dict[tuple[str, str], Item]:
        return self.stage.items(self.logical)

    def arn(self) -> str:
        return str(self.stage.dynamodb.describe_table(TableName=self.logical)["Table"]["TableArn"])

    def export(self, **request: Any) -> str:
        """An export made by the sandbox's AWS; its manifest address."""
        made = self.stage.dynamodb.export_table_to_point_in_time(
            TableArn=self.arn(), S3Bucket=BUCKET, S3Prefix=f"x/{self.logical}", **request
        )["ExportDescription"]
        self.stage.advance(1200)
        found = self.stage.dynamodb.describe_export(ExportArn=made["ExportArn"])["ExportDescription"]
        assert found["ExportStatus"] == "COMPLETED", found
        return f"s3://{BUCKET}/{found['ExportManifest']}"

    def full(self) -> tuple[str, Any]:
        """A full export of the newest second, and that second."""
        self.stage.advance(400)
        window = self.stage.dynamodb.describe_continuous_backups(TableName=self.logical)
        latest = window["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]["LatestRestorableDateTime"]
        moment = latest.replace(microsecond=0)
        return self.export(ExportTime=moment), moment

    def changes(self, since: Any, until: Any, view: str = "NEW_AND_OLD_IMAGES") -> str:
        """An incremental export."""
        asked = {"ExportFromTime": since, "ExportToTime": until, "ExportViewType": view}
        return self.export(ExportType="INCREMENTAL_EXPORT", IncrementalExportSpecification=asked)

    def empty(self, table: str = "") -> None:
        """Delete every item of the declared table, or of another one."""
        for artist, ident in self.stage.items(table or self.logical):
            self.stage.dynamodb.delete_item(
                TableName=table or self.logical, Key={"artist_id": {"S": artist}, "id": {"S": ident}}
            )


def hand_made(
    bench: Bench, files: list[list[bytes]], ident: str = "01700000000000-0a0b0c0d", **summary: Any
) -> tuple[str, list[str]]:
    """An export of those lines as AWS lays it out, from before filters existed; its address and object keys."""
    folder = f"hand/{bench.logical}/AWSDynamoDB/{ident}"
    s3, keys, manifest = bench.stage.client("s3"), [], []
    for number, lines in enumerate(files):
        body = gzip.compress(b"".join(line + b"\n" for line in lines), mtime=0)
        key = f"{folder}/data/{number:026d}.json.gz"
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
        manifest.append({"itemCount": len(lines), "md5Checksum": md5, "etag": "x-1", "dataFileS3Key": key})
        keys.append(key)
    document = {
        "version": "2020-06-30", "exportArn": f"{bench.arn()}/export/{ident}", "tableArn": bench.arn(),
        "startTime": "2026-01-01T00:00:00Z", "exportTime": "2026-01-01T00:00:00Z", "s3Bucket": BUCKET,
        "manifestFilesS3Key": f"{folder}/manifest-files.json", "itemCount": sum(map(len, files)),
        "outputFormat": "DYNAMODB_JSON", **summary,
    }  # fmt: skip
    texts = {
        "manifest-files": "".join(json.dumps(one) + "\n" for one in manifest),
        "manifest-summary": json.dumps(document),
    }
    for name, text in texts.items():
        s3.put_object(Bucket=BUCKET, Key=f"{folder}/{name}.json", Body=text.encode())
        digest = base64.b64encode(hashlib.md5(text.encode()).digest())
        s3.put_object(Bucket=BUCKET, Key=f"{folder}/{name}.md5", Body=digest)
    return f"s3://{BUCKET}/{folder}/manifest-summary.json", keys


def line(item: Item) -> bytes:
    return json.dumps({"Item": item}).encode()
