"""S3 objects as whole, verified files: nothing of an object is used before its digest is right.

gzip says nothing about a stream cut at a member's end, about an empty object or about zeros behind the end, and
tells a flipped bit only after it has handed out the lines before it; an S3 GET does not notice either. So an
object is spooled to a temporary file, digested, and only then read.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any, Literal, Protocol

from ops.aws import AwsError, ControlPlane
from ops.errors import ExportCorrupt, ResourceNotFound, RunFolderUnusable, SourceHasBadLines, Unreachable

CHUNK_BYTES = 1 << 20
#: Larger objects go to the disk instead of the memory.
SPOOL_BYTES = 32 << 20
ATTEMPTS = 3

FaultClass = Literal["missing", "checksum", "count", "size", "foreign"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one object; `text` begins with the class."""

    key: str
    kind: FaultClass
    detail: str

    @property
    def text(self) -> str:
        """`checksum: md5 is ..., the manifest says ...`"""
        return f"{self.kind}: {self.detail}"


class ObjectFault(ExportCorrupt):
    """An object that cannot be used, with its class."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"export object {fault.key} cannot be used", why=fault.text)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Spooled:
    """A whole object, rewound, and what it is."""

    file: IO[bytes]
    md5: str
    size_bytes: int


def get_small(control: ControlPlane, bucket: str, key: str) -> bytes | None:
    """A whole small object; None when there is none of that key."""
    try:
        with spooled(control, bucket, key) as found:
            return found.file.read()
    except ObjectFault as error:
        if error.fault.kind == "missing":
            return None
        raise


@contextmanager
def spooled(control: ControlPlane, bucket: str, key: str) -> Iterator[Spooled]:
    """The object as a local file with its md5 (base64, as manifests write it)."""
    with scratch(tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)) as file:
        for attempt in range(1, ATTEMPTS + 1):
            body = open_object(control, bucket, key)
            try:
                digest, size_bytes = copy_digested(_Body(body), file)
                break
            except _BrokenOff as error:
                if attempt == ATTEMPTS:
                    raise Unreachable(
                        f"s3://{bucket}/{key} broke off {ATTEMPTS} times while it was read", why=str(error)
                    ) from error
        file.seek(0)
        yield Spooled(file, digest, size_bytes)


def open_object(control: ControlPlane, bucket: str, key: str) -> Any:
    """The body of an object; a missing one is an ObjectFault, a missing bucket ResourceNotFound."""
    try:
        return control.call("s3", "get_object", Bucket=bucket, Key=key)["Body"]
    except AwsError as error:
        if error.aws_code in ("NoSuchKey", "404"):
            raise ObjectFault(Fault(f"s3://{bucket}/{key}", "missing", "there is no such object")) from error
        if error.aws_code == "NoSuchBucket":
            raise ResourceNotFound(f"bucket not found: {bucket}", fix=("aws s3 ls",)) from error
        raise


class Readable(Protocol):
    """What bytes can be read from."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


def copy_digested(source: Readable, file: IO[bytes]) -> tuple[str, int]:
    """Replace what the scratch `file` holds by all of `source`; its md5 in base64, as manifests write it, its size."""
    file.seek(0)
    file.truncate()
    digest, size_bytes = hashlib.md5(usedforsecurity=False), 0
    while chunk := source.read(CHUNK_BYTES):
        digest.update(chunk)
        size_bytes += len(chunk)
        _hold(file, chunk)
    return base64.b64encode(digest.digest()).decode(), size_bytes


class _BrokenOff(Exception):
    """The connection ended before the object did."""


def _hold(file: IO[bytes], chunk: bytes) -> None:
    """A full disk of this machine is no fault of the object, so it must show while it is known which of both it is."""
    try:
        file.write(chunk)
        file.flush()
    except OSError as error:
        raise RunFolderUnusable(
            f"cannot hold an object in {tempfile.gettempdir()}", why=str(error),
            fix=("free space there, or choose another folder with TMPDIR=DIR",),
        ) from error  # fmt: skip


@contextmanager
def scratch(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """A file that is gone afterwards."""
    try:
        yield file
    finally:
        with suppress(OSError):  # on a full disk closing tries once more to write what nobody wants any more
            file.close()


@dataclass(frozen=True, slots=True)
class _Body:
    """The body of an answer of S3, its failures told as what they are."""

    body: Any

    def read(self, size: int, /) -> bytes:
        try:
            chunk: bytes = self.body.read(size)
        except Exception as error:  # a botocore or urllib3 stream error, whose classes only ops.aws may import
            raise _BrokenOff(f"{type(error).__name__}: {error}") from error
        return chunk


def gzip_lines(file: IO[bytes]) -> Iterator[bytes]:
    """Lines of a gzip file without their line feeds; ValueError for what is not one whole gzip stream."""
    try:
        with gzip.GzipFile(fileobj=file, mode="rb") as unpacked:
            for line in unpacked:
                yield line.rstrip(b"\n")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"not a whole gzip stream: {error}") from error


def list_keys(control: ControlPlane, bucket: str, prefix: str) -> list[str]:
    """Keys of all objects below a prefix, in order."""
    try:
        listed = control.pages("s3", "list_objects_v2", "Contents", Bucket=bucket, Prefix=prefix)
        return sorted(one["Key"] for one in listed)
    except AwsError as error:
        if error.aws_code == "NoSuchBucket":
            raise ResourceNotFound(f"bucket not found: {bucket}", fix=("aws s3 ls",)) from error
        raise


def object_lines(
    control: ControlPlane, bucket: str, prefix: str, compression: Literal["GZIP", "NONE"]
) -> Iterator[tuple[str, int, bytes]]:
    """(key, line number from 1, raw line) of every object below a prefix, one object at a time.

    SourceHasBadLines when an object is not one whole gzip stream: what follows in it would be lost unseen.
    """
    for key in list_keys(control, bucket, prefix):
        with spooled(control, bucket, key) as found:
            lines = gzip_lines(found.file) if compression == "GZIP" else (raw.rstrip(b"\n") for raw in found.file)
            try:
                yield from ((key, at, line) for at, line in enumerate(lines, start=1))
            except ValueError as error:
                raise SourceHasBadLines(f"object {key} cannot be read", why=str(error)) from error
