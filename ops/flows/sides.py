"""The sides of a comparison by the names users give them: tables, exports, seals, files, backups."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from infra.environment import KeyAttribute
from ops.clock import parse_moment, rfc3339
from ops.environment import TableTarget
from ops.errors import BackupGone, BadArgument, NotProven, ResourceNotFound
from ops.flows import keeping
from ops.flows.chained import addresses_of, chained_side
from ops.flows.s3 import Address
from ops.flows.session import Session
from ops.model.items import Item, KeySchema
from ops.model.proof import Comparison, SideInfo
from ops.recovery import backups, exports
from ops.recovery.addresses import is_local_export
from ops.recovery.copies import copy_objects
from ops.recovery.manifest import open_export
from ops.verify.compare import LISTED, TtlRule, gather_all, judge
from ops.verify.fingerprint import Record, recorder
from ops.verify.lines import LineFile
from ops.verify.seal import SCHEMA as SEAL_SCHEMA
from ops.verify.seal import SealSubject, read_records, seal_of, sha256_of
from ops.verify.sides import FilesSide, LinesSide, RecordsSide, Side, TableSide

SAME_LOG = "made from the same continuous backup as a point-in-time restore: a fault in that log shows on neither side"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a comparison may take: of live tables read units a second (as `CapacityLimit.of` takes them), of this
    machine processes that read exports and files, each with at most some 75 MB of memory.

    `keys` names the key attributes (`artist_id,year:N`) where neither a table nor an export does.
    """

    max_rcu: str | None = None
    processes: int | None = None
    keys: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What a side needs beside its address: whose keys, which attribute expires, where files may lie."""

    session: Session
    folder: Path
    keys: KeySchema | None = None
    ttl: str | None = None
    #: Read units a second at most, as `CapacityLimit.of` takes them.
    max_rcu: str | None = None

    def known_keys(self, where: str) -> KeySchema:
        """The key attributes, or the error that says how to make them known."""
        if self.keys is None:
            raise BadArgument(
                f"the key attributes of {where} are not known",
                fix=("name them, with types that are not S: --keys artist_id,year:N", "compare it with a table"),
            )
        return self.keys


def table_side(session: Session, table: TableTarget, ttl: str | None = None, max_rcu: str | None = None) -> TableSide:
    """A live table, read by a strongly consistent parallel scan; `ttl` where the table itself has none yet."""
    from ops.dynamodb.capacity import CapacityLimit
    from ops.dynamodb.client import data_plane
    from ops.dynamodb.table import describe_table

    found = describe_table(session.aws, table.physical, table.region)
    plane = data_plane(session.aws, session.clock, session.random, region=table.region)
    limit = CapacityLimit.of(max_rcu, found.read_capacity, f"table {found.name}", session.clock)
    return TableSide(plane, replace(found, ttl_attribute=ttl or found.ttl_attribute), limit=limit)


def export_side(session: Session, address: str, keys: KeySchema, folder: Path, ttl: str | None = None) -> LinesSide:
    """A full export, read through its manifests; copied to `folder` before it is compared, where there is room."""
    export = open_export(session.aws, address)
    weakness = "; ".join((SAME_LOG, *export.weaknesses))
    info = SideInfo("export", export.address, rfc3339(export.exported_at.replace(microsecond=0)), weakness)

    def files() -> tuple[LineFile, ...] | None:
        copies = copy_objects(export, Path(tempfile.mkdtemp(dir=folder, prefix="export-")))
        if copies is None:
            return None
        return tuple(LineFile(one.path, one.file.key, items=one.file.items) for one in copies)

    return LinesSide(info, export.items, keys, export.declared, ttl, files=files)


def seal_side(kept: keeping.KeptSeal) -> RecordsSide:
    """A seal with its records; the records must give the seal's own root."""
    records = kept.records
    if records is None:
        raise BadArgument(
            f"{kept.where} has no records beside it: differing items could not be named",
            fix=(f"put {keeping.RECORDS} beside it",),
        )
    stated, before = kept.seal.records_sha256, _stamp(records)
    try:
        root = seal_of(read_records(records), kept.seal.subject, folder=records.parent).root
    except ValueError as error:
        raise BackupGone(f"the records beside {kept.where} are not usable", why=str(error)) from error
    if root != kept.seal.root:
        raise BackupGone(f"the records beside {kept.where} are not those that were sealed", why=f"root {root}")
    if stated and sha256_of(records) != stated:
        why = "a key or a time of expiry in them was altered"
        raise BackupGone(f"the records beside {kept.where} are not those that were sealed", why=why)
    info = SideInfo("seal", kept.where, kept.seal.subject.moment, kept.weakness)
    # An expiry that nothing vouches for must not explain why an item is missing.
    read = read_records if stated else _without_expiry

    def as_sealed() -> Iterator[Record]:
        try:
            yield from read(records)
        except ValueError as error:
            raise BackupGone(f"the records beside {kept.where} are not usable", why=str(error)) from error
        if _stamp(records) != before:
            raise BackupGone(f"the records beside {kept.where} changed after they were held against the seal")

    return RecordsSide(info, as_sealed, kept.seal.count)


def _stamp(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _without_expiry(records: Path) -> Iterator[Record]:
    return (record._replace(expires=None) for record in read_records(records))


def file_side(path: Path, keys: KeySchema, ttl: str | None = None) -> LinesSide:
    """A file of JSON lines: DynamoDB JSON with or without the `Item` wrapper, plain or packed."""
    files = (LineFile(path, wrapped=False),)
    plain = FilesSide(SideInfo("lines", str(path)), files, keys, None, ttl)
    return LinesSide(plain.info, plain.read, keys, None, ttl, files=lambda: files)


def open_side(context: Context, text: str) -> Side:
    """A table (`RES`, `ddb:NAME`, ARN), an export or seal (`s3://`), `backup:ARN`, a file, or `RES@kind:WHEN`.

    An export may be a local copy, and incremental ones may follow it: `FULL+CHANGES+CHANGES`.
    """
    session = context.session
    addresses = addresses_of(text)
    if len(addresses) > 1:
        known = context.known_keys(addresses[0])
        return chained_side(session, addresses, known, context.folder, SAME_LOG, context.ttl)
    resource, at, rest = text.partition("@")
    if at and rest.partition(":")[0] in ("export", "seal", "backup"):
        return _moment_side(context, resource, rest)
    if text.startswith("s3://"):
        return _stored_side(context, text)
    if text.startswith("backup:"):
        return _backup_side(context, text.removeprefix("backup:"))
    if is_local_export(text):
        return export_side(session, text, context.known_keys(text), context.folder, context.ttl)
    path = Path(text)
    if path.is_file():
        return _local_side(context, path)
    if "/" in text and not text.startswith("arn:"):
        raise ResourceNotFound(f"no file {text}", fix=("give a table, an s3:// address, backup:ARN, or a file",))
    return table_side(session, session.table(text), context.ttl, context.max_rcu)


def _moment_side(context: Context, resource: str, rest: str) -> Side:
    kind, _, value = rest.partition(":")
    session, table = context.session, context.session.table(resource)
    if kind == "seal":
        return open_side(context, value)
    if kind == "backup":
        return _backup_side(context, value)
    arn = f"arn:aws:dynamodb:{table.region}:{session.environment.document.account}:table/{table.physical}"
    moment = parse_moment(value, session.clock.now())
    address = exports.find_export(session.aws, arn, moment)
    if address is None:
        raise ResourceNotFound(
            f"no export of {table.physical} as of {rfc3339(moment)}",
            fix=(f"ops list exports --table {resource}", f"ops export-s3 {resource} --at {rfc3339(moment)}"),
        )
    return export_side(session, address, context.known_keys(address), context.folder, context.ttl)


def _stored_side(context: Context, text: str) -> Side:
    address = Address.parse(text)
    if address.key.endswith(keeping.SEAL):
        prefix = Address(address.bucket, address.key.removesuffix(keeping.SEAL).rstrip("/"))
        kept = keeping.read_seal(context.session, prefix, context.folder)
        if kept is None:
            raise ResourceNotFound(f"no seal at {address}")
        return seal_side(kept)
    return export_side(context.session, text, context.known_keys(text), context.folder, context.ttl)


def _backup_side(context: Context, arn: str) -> Side:
    entry = backups.describe_backup(context.session.aws, arn)
    table = context.session.table(f"ddb:{entry.table}")
    kept = keeping.find_seal(context.session, table, entry, context.folder)
    if kept is None:
        raise NotProven(
            f"no fingerprint was kept beside backup {entry.name}",
            fix=("give another expected side", f"ops backup {table.logical or f'ddb:{table.physical}'}"),
        )
    return seal_side(kept)


def _local_side(context: Context, path: Path) -> Side:
    if path.suffix == ".json" and _is_seal(path.read_bytes()):
        return seal_side(keeping.read_local_seal(path, context.folder))
    return file_side(path, context.known_keys(str(path)), context.ttl)


def _is_seal(text: bytes) -> bool:
    try:
        return bool(orjson.loads(text).get("schema") == SEAL_SCHEMA)
    except (ValueError, AttributeError):
        return False


def declared_keys(table: TableTarget) -> KeySchema | None:
    """Key attributes as the environment document declares them."""
    if table.document is None:
        return None
    partition, sort = table.document.partition_key, table.document.sort_key
    return KeySchema(partition.name, partition.type, *_sort(sort))


def _sort(key: KeyAttribute | None) -> tuple[str | None, str | None]:
    return (None, None) if key is None else (key.name, key.type)


def seal_subject(side: TableSide, label: str, kind: str, moment: str, source_arn: str) -> SealSubject:
    """What a seal says about itself."""
    table = side.table
    return SealSubject(
        logical=label,
        table_arn=table.arn,
        table_id=table.table_id,
        keys=table.keys.types,
        moment=moment,
        source_kind=kind,
        source_arn=source_arn,
    )


def compared(
    session: Session, expected: Side, found: Side, keys: KeySchema, ttl: str | None, folder: Path
) -> Comparison:
    """Both sides, each read once; differing keys of a live table are looked at again."""
    left, right = gather_all((expected, found), folder)
    with left, right:
        return judge(left, right, keys=keys, ttl=ttl_rule(session, ttl), listed=LISTED)


def ttl_rule(session: Session, attribute: str | None) -> TtlRule | None:
    """Items that TTL may have removed by now are counted apart; asked when both sides were read, maybe hours later."""
    return None if attribute is None else TtlRule(attribute, int(session.clock.now().timestamp()))


@dataclass(frozen=True, slots=True)
class Without:
    """A side whose items lack some attributes: for `--ignore`."""

    base: LinesSide | TableSide
    names: frozenset[str]

    @property
    def info(self) -> SideInfo:
        return replace(self.base.info, where=f"{self.base.info.where} without {', '.join(sorted(self.names))}")

    @property
    def live(self) -> bool:
        return self.base.live

    def records(self) -> Iterator[Record]:
        if isinstance(self.base, LinesSide):
            keys, ttl, items = self.base.keys, self.base.ttl, self.base.read()
        else:
            keys, ttl, items = self.base.table.keys, self.base.table.ttl_attribute, scanned(self.base)
        return map(recorder(keys, ttl=ttl), map(self._strip, items))

    def declared(self) -> int | None:
        return self.base.declared()

    def items_for(self, keys: Mapping[bytes, Item | None]) -> dict[bytes, Item]:
        return {digest: self._strip(item) for digest, item in self.base.items_for(keys).items()}

    def _strip(self, item: Item) -> Item:
        return {name: value for name, value in item.items() if name not in self.names}


def scanned(side: TableSide) -> Iterator[Item]:
    """Every item of a table, by a strongly consistent scan."""
    from ops.dynamodb.scan import Scan, ScanRequest

    request = ScanRequest(side.table.name, None, side.table.segments, consistent=True)
    return Scan(side.plane, request, side.limit).items()


def without(side: Side, names: tuple[str, ...], keys: KeySchema) -> Side:
    """The side without some attributes; refused for keys, and for seals, which hold no attributes."""
    if not names:
        return side
    inside = [name for name in names if name in keys.names]
    if inside:
        raise BadArgument(f"--ignore {inside[0]}: a key attribute names the item and cannot be left out")
    if not isinstance(side, (LinesSide, TableSide)):
        raise BadArgument("--ignore needs the items themselves; a seal holds digests of whole items only")
    return Without(side, frozenset(names))


def are_one(left: Side, right: Side) -> bool:
    """Whether both sides are the same thing, by whatever names they were given."""
    one, other = (side.base if isinstance(side, Without) else side for side in (left, right))
    if isinstance(one, TableSide) and isinstance(other, TableSide):
        return one.table.arn == other.table.arn and one.index == other.index
    if one.info.kind != other.info.kind:
        return False
    if one.info.kind == "lines":
        return Path(one.info.where).resolve() == Path(other.info.where).resolve()
    return one.info.where == other.info.where
