"""Where exports are: `s3://` addresses and paths of local copies.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ops.aws import ControlPlane
from ops.errors import BadArgument
from ops.recovery.stores import Bucket, Folder, Store

SUMMARY, FILES = "manifest-summary.json", "manifest-files.json"


def is_local_export(text: str) -> bool:
    """Whether a text is the path of a copy of an export: its folder, or the summary in it."""
    path = Path(text)
    return path.is_file() if path.name == SUMMARY else (path / SUMMARY).is_file()


@dataclass(frozen=True, slots=True)
class ExportAddress:
    """A bucket and the folder `.../AWSDynamoDB/<export id>` in it; a local copy of one has no bucket."""

    bucket: str | None
    folder: str

    @classmethod
    def parse(cls, text: str) -> ExportAddress:
        """`s3://B/P/AWSDynamoDB/<id>/manifest-summary.json`, or a path to such a file; or the same up to the id."""
        if is_local_export(text):
            return cls(None, str(Path(text).absolute()).removesuffix(SUMMARY).strip("/"))
        bucket, _, key = text.removeprefix("s3://").partition("/")
        folder = key.removesuffix(SUMMARY).strip("/")
        if not text.startswith("s3://") or not bucket or not folder:
            raise BadArgument(
                f"'{text}' is not the address of an export",
                fix=(f"write s3://BUCKET/.../{SUMMARY}, or the path of a copy", "ops list exports"),
            )
        return cls(bucket, folder)

    def store(self, control: ControlPlane) -> Store:
        """Where its objects are."""
        return Folder() if self.bucket is None else Bucket(control, self.bucket)

    @property
    def text(self) -> str:
        """The address of the summary."""
        root = "" if self.bucket is None else f"s3://{self.bucket}"
        return f"{root}/{self.folder}/{SUMMARY}"

    @property
    def export_id(self) -> str:
        """Last part of the folder."""
        return self.folder.rpartition("/")[2]
