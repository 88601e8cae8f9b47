"""Small objects and streams in S3, addressed as `s3://bucket/key`."""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.aws import AwsError, ControlPlane
from ops.errors import BadArgument, ExportCorrupt, ResourceNotFound
from ops.recovery.objects import ObjectFault, get_small, spooled

CHUNK_BYTES = 1 << 20
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html: the most that one PutObject takes.
PUT_LIMIT_BYTES = 5 * 1024**3
_AGAIN = "look at the bucket, then go on with the run: what it stored is written anew"
_ABSENT = frozenset({"NoSuchKey", "404", "NoSuchBucket"})


@dataclass(frozen=True, slots=True)
class Address:
    """A bucket and a key or prefix in it."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """`s3://bucket/key`; BadArgument for anything else."""
        bucket, _, key = text.removeprefix("s3://").partition("/")
        if not text.startswith("s3://") or not bucket:
            raise BadArgument(f"'{text}' is not an S3 address", fix=("write it as s3://BUCKET/KEY",))
        return cls(bucket, key)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def below(self, name: str) -> Address:
        """The address of `name` under this prefix."""
        return Address(self.bucket, f"{self.key.rstrip('/')}/{name}" if self.key else name)


def require_bucket(control: ControlPlane, address: Address) -> None:
    """ResourceNotFound when there is no such bucket: better known before a backup than after it."""
    try:
        control.call("s3", "list_objects_v2", Bucket=address.bucket, Prefix=address.key, MaxKeys=1)
    except AwsError as error:
        if error.aws_code not in _ABSENT:
            raise
        raise ResourceNotFound(
            f"bucket not found: {address.bucket}",
            why=error.message,
            fix=("the environment document names it: run pulumi up, or check --env",),
        ) from error


def put_text(control: ControlPlane, address: Address, text: str) -> None:
    """Write one small object, and read it back."""
    body = text.encode()
    control.call(
        "s3", "put_object", Bucket=address.bucket, Key=address.key, Body=body, ContentType="application/json"
    )  # fmt: skip
    _read_back(control, address, io.BytesIO(body))


def put_file(control: ControlPlane, address: Address, path: Path) -> None:
    """Upload one file of up to 5 GiB, S3's limit for a single PutObject, and read it back."""
    size = path.stat().st_size
    if size > PUT_LIMIT_BYTES:
        raise BadArgument(
            f"{path.name} is {size:,} bytes; one upload holds {PUT_LIMIT_BYTES:,}",
            fix=("split the file, upload the parts under one prefix and name that prefix",),
        )
    with path.open("rb") as file:
        control.call("s3", "put_object", Bucket=address.bucket, Key=address.key, Body=file)
    with path.open("rb") as file:
        _read_back(control, address, file)


def _read_back(control: ControlPlane, address: Address, written: io.BufferedReader | io.BytesIO) -> None:
    """ExportCorrupt unless the object is what was written: that must not be found out at a restore."""
    digest = hashlib.file_digest(written, lambda: hashlib.md5(usedforsecurity=False)).digest()
    try:
        with spooled(control, address.bucket, address.key) as found:
            if found.md5 != base64.b64encode(digest).decode():
                raise ExportCorrupt(f"{address} reads back otherwise than it was written", fix=(_AGAIN,))
    except ObjectFault as error:
        raise ExportCorrupt(f"{address} cannot be read back", why=error.why, fix=(_AGAIN,)) from error


def read_bytes(control: ControlPlane, address: Address) -> bytes | None:
    """A small object whole; None when it is not there. A denied read raises."""
    return get_small(control, address.bucket, address.key)


def download(control: ControlPlane, address: Address, path: Path) -> None:
    """An object into a file; ResourceNotFound when it is not there."""
    try:
        with spooled(control, address.bucket, address.key) as found, path.open("wb") as file:
            shutil.copyfileobj(found.file, file, CHUNK_BYTES)
    except ObjectFault as error:
        raise ResourceNotFound(f"no usable object {address}", why=error.why) from error


def list_objects(control: ControlPlane, prefix: Address) -> Iterator[dict[str, Any]]:
    """`Key` and `Size` of every object under a prefix, in S3's order; none when the bucket is not there."""
    try:
        yield from control.pages("s3", "list_objects_v2", "Contents", Bucket=prefix.bucket, Prefix=prefix.key)
    except AwsError as error:
        if error.aws_code not in _ABSENT:
            raise
        raise ResourceNotFound(f"no bucket {prefix.bucket}", why=error.message) from error
