"""Reads an export through its manifests, and through nothing else.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html. Members this version does
not know are tolerated; every data object is verified whole before its first line is used.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from ops.aws import AwsError, ControlPlane
from ops.clock import rfc3339
from ops.errors import BadArgument, ExportCorrupt, ExportFiltered, NotAllowed, ResourceNotFound
from ops.model.items import Item
from ops.model.recovery import ExportFiles
from ops.progress import Progress
from ops.recovery.addresses import FILES, SUMMARY, ExportAddress
from ops.recovery.lines import BadLine, parse_json
from ops.recovery.objects import Fault, ObjectFault, Spooled, gzip_lines
from ops.recovery.stores import Store

#: How AWS names exports: a copy of one may lie in a folder of another name, but not in that of another export.
_EXPORT_ID = re.compile(r"[0-9]{14}-[0-9a-f]{8}")
#: Exports could not be filtered before this day.
FILTERS_SINCE = datetime(2026, 10, 1, tzinfo=UTC)
_MOMENTS = ("startTime", "exportTime", "exportFromTime", "exportToTime")


@dataclass(frozen=True, slots=True)
class DataFile:
    """A line of the files manifest."""

    key: str
    items: int
    md5: str


@dataclass(frozen=True, slots=True)
class Export:
    """An export whose manifests are sound. `weaknesses` says what could not be checked."""

    store: Store
    location: ExportAddress
    summary: dict[str, Any]
    files: tuple[DataFile, ...]
    weaknesses: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """The address of the summary."""
        return self.location.text

    @property
    def declared(self) -> int:
        """Items as the summary counts them."""
        return int(self.summary["itemCount"])

    @property
    def table_arn(self) -> str:
        """The table that was exported."""
        return str(self.summary["tableArn"])

    @property
    def incremental(self) -> bool:
        """Whether it holds changes instead of a table."""
        return "exportFromTime" in self.summary or self.summary.get("exportType") == "INCREMENTAL_EXPORT"

    @property
    def exported_at(self) -> datetime:
        """The moment it shows: the export time, or the end of an incremental window."""
        return datetime.fromisoformat(str(self.summary.get("exportTime") or self.summary["exportToTime"]))

    @property
    def data_prefix(self) -> str:
        """Where the data files of a full export lie; also what ImportTable takes as S3KeyPrefix."""
        return f"{self.location.folder}/data/"

    def lines(self, progress: Progress | None = None) -> Iterator[tuple[str, int, bytes]]:
        """(key, line number from 1, raw line) of all files in the manifest's order; ObjectFault names a bad one."""
        for number, file in enumerate(self.files):
            for at, line in enumerate(self._lines_of(file), start=1):
                yield file.key, at, line
            if progress is not None:
                progress.update(number + 1, len(self.files))

    def items(self) -> Iterator[Item]:
        """Every item of a full export; ExportCorrupt names object and line of the first that is none."""
        self.refuse_changes()
        for key, at, line in self.lines():
            yield _item(key, at, line)

    def refuse_changes(self) -> None:
        """BadArgument for an incremental export."""
        if self.incremental:
            raise BadArgument(
                f"{self.address} is an incremental export: it holds changes, not a table", fix=("give a full export",)
            )

    @contextmanager
    def whole(self, file: DataFile) -> Iterator[Spooled]:
        """A data object as a local file; ObjectFault when it is missing or not what the manifest says."""
        try:
            with self.store.spooled(file.key) as found:
                self._check(file, found.md5, found.size_bytes)
                yield found
        except ObjectFault as error:
            raise ObjectFault(Fault(file.key, error.fault.kind, error.fault.detail)) from error

    def verify(self, progress: Progress, only: frozenset[int] | None = None) -> ExportFiles:
        """Level `bytes`: every data object by md5, gzip and count, and no object that the manifest does not name.

        With `only`, no other objects than those at these places of the manifest (from 0) are read.
        """
        faults = []
        chosen = range(len(self.files)) if only is None else sorted(only)
        for done, file in enumerate((self.files[at] for at in chosen), start=1):
            try:
                for _ in self._lines_of(file):
                    pass
            except ObjectFault as error:
                faults.append(error.fault)
            progress.update(done, len(chosen))
        faults += self.strangers()
        bad = tuple((fault.key, fault.text) for fault in faults)
        named = {file.key for file in self.files}
        good = len(chosen) - sum(key in named for key, _ in bad)
        return ExportFiles("bytes", good, bad, left_out=len(self.files) - len(chosen))

    def strangers(self) -> list[Fault]:
        """Objects among those of a full export that its manifest does not name; incremental ones share one folder."""
        if self.incremental:
            return []
        named = {file.key for file in self.files}
        listed = self.store.keys(self.data_prefix)
        return [Fault(key, "foreign", "the manifest does not name it") for key in listed if key not in named]

    def _lines_of(self, file: DataFile) -> Iterator[bytes]:
        count = 0
        try:
            with self.whole(file) as found:
                for line in gzip_lines(found.file):
                    count += 1
                    yield line
        except ValueError as error:
            raise ObjectFault(Fault(file.key, "size", str(error))) from error
        if count != file.items:
            raise ObjectFault(Fault(file.key, "count", f"{count} lines, the manifest says {file.items}"))

    def _check(self, file: DataFile, md5: str, size_bytes: int) -> None:
        if md5 == file.md5:
            return
        if size_bytes == 0:
            raise ObjectFault(Fault(file.key, "size", "the object is empty"))
        twin = next((other.key for other in self.files if other.md5 == md5), None)
        if twin is not None:
            raise ObjectFault(Fault(file.key, "foreign", f"it holds what the manifest names as {twin}"))
        raise ObjectFault(Fault(file.key, "checksum", f"md5 is {md5}, the manifest says {file.md5}"))


def require_whole(export: Export, found: ExportFiles) -> None:
    """ExportCorrupt, with the first bad objects, unless all files were sound."""
    if not found.files_bad:
        return
    listed = "; ".join(f"{key}: {text}" for key, text in found.files_bad[:5])
    raise ExportCorrupt(f"{len(found.files_bad)} objects of {export.address} cannot be used", why=listed)


def open_export(
    control: ControlPlane,
    address: ExportAddress | str,
    *,
    table_arn: str | None = None,
    at: datetime | None = None,
    unknown_filter: bool = False,
) -> Export:
    """Read and check both manifests.

    ResourceNotFound: nothing there. ExportCorrupt: the manifests contradict themselves, or the export is not of
    `table_arn` and `at` where given. ExportFiltered: it is filtered, or (unless `unknown_filter`) AWS no longer says.
    """
    location = ExportAddress.parse(address) if isinstance(address, str) else address
    store = location.store(control)
    weaknesses: list[str] = []
    raw = store.small(f"{location.folder}/{SUMMARY}")
    if raw is None:
        raise ResourceNotFound(
            f"no export at {location.text}", fix=("ops list exports", "give the address of its manifest-summary.json")
        )
    weaknesses += _check_manifest(store, location, SUMMARY, raw)
    summary = _summary(location, raw)
    _check_identity(location, summary, table_arn, at)
    files = _files(store, location, summary, weaknesses)
    if len({file.key for file in files}) != len(files):
        raise _corrupt(location, FILES, "foreign", "an object is named twice")
    total = sum(file.items for file in files)
    if total != summary["itemCount"]:
        raise _corrupt(location, FILES, "count", f"{total} items in all files, the summary says {summary['itemCount']}")
    _check_filter(control, location, summary, unknown_filter, weaknesses)
    return Export(store, location, summary, files, tuple(weaknesses))


def _corrupt(location: ExportAddress, name: str, kind: str, detail: str) -> ExportCorrupt:
    return ExportCorrupt(
        f"export manifest {location.text.removesuffix(SUMMARY)}{name} cannot be used", why=f"{kind}: {detail}"
    )


def _check_manifest(store: Store, location: ExportAddress, name: str, raw: bytes) -> list[str]:
    """AWS's guide names the checksum object `.checksum`, real exports hold `.md5`; either is taken."""
    stem = f"{location.folder}/{name.removesuffix('.json')}"
    for suffix in (".md5", ".checksum"):
        stated = store.small(stem + suffix)
        if stated is None:
            continue
        digest = hashlib.md5(raw, usedforsecurity=False)
        if stated.strip().decode("ascii", "replace") not in (
            base64.b64encode(digest.digest()).decode(), digest.hexdigest(),
        ):  # fmt: skip
            raise _corrupt(location, name, "checksum", f"its md5 is not the one in {stem}{suffix}")
        return []
    return [f"{name} has no checksum object beside it"]


def _summary(location: ExportAddress, raw: bytes) -> dict[str, Any]:
    try:
        summary = orjson.loads(raw)
    except ValueError as error:
        raise _corrupt(location, SUMMARY, "size", f"not JSON: {error}") from error
    required = {"exportArn": str, "tableArn": str, "itemCount": int}
    for name, kind in required.items():
        if not isinstance(summary, dict) or not isinstance(summary.get(name), kind):
            raise _corrupt(location, SUMMARY, "foreign", f"member {name} is missing or mistyped")
    _check_moments(location, summary)
    if summary.get("outputFormat", "DYNAMODB_JSON") != "DYNAMODB_JSON":
        raise BadArgument(
            f"{location.text} is in the format {summary['outputFormat']}, which is not read here",
            fix=("take an export in DynamoDB JSON",),
        )
    return dict(summary)


def _check_moments(location: ExportAddress, summary: dict[str, Any]) -> None:
    if not (summary.get("exportTime") or summary.get("exportToTime")):
        raise _corrupt(location, SUMMARY, "foreign", "it names no export time")
    changes = "exportFromTime" in summary or summary.get("exportType") == "INCREMENTAL_EXPORT"
    if changes and not (summary.get("exportFromTime") and summary.get("exportToTime")):
        raise _corrupt(location, SUMMARY, "foreign", "it names no window")
    for name in _MOMENTS:
        if summary.get(name) and not _is_moment(summary[name]):
            raise _corrupt(location, SUMMARY, "foreign", f"member {name} is no time")


def _is_moment(value: object) -> bool:
    """Whether a member is a time that can be compared with others."""
    try:
        return datetime.fromisoformat(str(value)).tzinfo is not None
    except ValueError:
        return False


def _check_identity(
    location: ExportAddress, summary: dict[str, Any], table_arn: str | None, at: datetime | None
) -> None:
    export_arn, exported = str(summary["exportArn"]), str(summary["tableArn"])
    if not export_arn.startswith(f"{exported}/export/"):
        raise _corrupt(location, SUMMARY, "foreign", f"export {export_arn} is not of table {exported}")
    if export_arn.rpartition("/")[2] != location.export_id and _EXPORT_ID.fullmatch(location.export_id):
        raise _corrupt(location, SUMMARY, "foreign", f"it describes {export_arn}, not the export of this folder")
    if table_arn is not None and exported != table_arn:
        raise _corrupt(location, SUMMARY, "foreign", f"it is of table {exported}, wanted {table_arn}")
    shown = datetime.fromisoformat(str(summary.get("exportTime") or summary["exportToTime"]))
    if at is not None and shown.replace(microsecond=0) != at.replace(microsecond=0):
        raise _corrupt(location, SUMMARY, "foreign", f"it shows {rfc3339(shown)}, wanted {rfc3339(at)}")


def _files(
    store: Store, location: ExportAddress, summary: dict[str, Any], weaknesses: list[str]
) -> tuple[DataFile, ...]:
    """The neighbour of the summary comes first, since the stated key is that of the original when this is a copy."""
    stated, beside = str(summary.get("manifestFilesS3Key") or ""), f"{location.folder}/{FILES}"
    raw = store.small(beside)
    if raw is None and stated and location.bucket is not None:
        raw = store.small(stated)
    if raw is None:
        raise _corrupt(location, FILES, "missing", "there is no such object")
    weaknesses += _check_manifest(store, location, FILES, raw)
    home, original = _homes(location, summary)
    return tuple(_file(location, line, home, original) for line in raw.splitlines() if line.strip())


def _homes(location: ExportAddress, summary: dict[str, Any]) -> tuple[str, re.Pattern[str]]:
    """Where the data objects of this export lie, and what their keys were when AWS wrote them, under any prefix."""
    if "exportFromTime" in summary:
        # Incremental exports of one prefix share a folder beside their own.
        parent = location.folder.rpartition("/")[0]
        return f"{parent}/data/".lstrip("/"), re.compile(r"(?:.*/)?AWSDynamoDB/data/([^/]+)")
    export_id = re.escape(str(summary["exportArn"]).rpartition("/")[2])
    return f"{location.folder}/data/", re.compile(rf"(?:.*/)?AWSDynamoDB/{export_id}/data/([^/]+)")


def _file(location: ExportAddress, line: bytes, home: str, original: re.Pattern[str]) -> DataFile:
    try:
        entry = orjson.loads(line)
        key, count, md5 = entry["dataFileS3Key"], entry["itemCount"], entry["md5Checksum"]
    except (ValueError, KeyError, TypeError) as error:
        raise _corrupt(location, FILES, "size", f"a line is cut or lacks a member: {error}") from error
    if not (isinstance(key, str) and isinstance(count, int) and isinstance(md5, str)):
        raise _corrupt(location, FILES, "foreign", "a line holds a member of the wrong type")
    found = original.fullmatch(key)
    if found is None or found[1] in (".", ".."):
        raise _corrupt(location, FILES, "foreign", f"{key} is not an object of this export")
    return DataFile(home + found[1], count, md5)


def _check_filter(
    control: ControlPlane, location: ExportAddress, summary: dict[str, Any], unknown_ok: bool, weaknesses: list[str]
) -> None:
    """Only DescribeExport tells whether an export is filtered, for 90 days; before October 2026 none was."""
    stated = summary.get("startTime") or summary.get("exportTime") or summary["exportToTime"]
    started = datetime.fromisoformat(str(stated))
    if started < FILTERS_SINCE:
        return
    arn = str(summary["exportArn"])
    try:
        described = control.call("dynamodb", "describe_export", region=arn.split(":")[3], ExportArn=arn)
    except (NotAllowed, AwsError) as error:
        if isinstance(error, AwsError) and error.aws_code not in ("ExportNotFoundException", "ValidationException"):
            raise
        if not unknown_ok:
            raise ExportFiltered(
                f"whether {location.text} is filtered cannot be read", why=error.why or error.what
            ) from error
        weaknesses.append("AWS no longer says whether this export is filtered")
        return
    if described["ExportDescription"].get("FilterSpecification"):
        raise ExportFiltered(f"{location.text} is a filtered export: it does not hold the whole table")


def _item(key: str, at: int, line: bytes) -> Item:
    try:
        return parse_json(line, wrapped=True)
    except BadLine as error:
        raise ObjectFault(Fault(key, "foreign", f"line {at} is no item: {error}")) from error
