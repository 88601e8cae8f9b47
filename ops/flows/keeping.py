"""What `ops backup` keeps beside a backup, and finding it again.

A backup records neither tags, PITR, class, protection nor policy, and nothing that proves its items. So
`s3://<export bucket>/<export prefix>/seals/<table>/<backup name>/` holds `settings.json` (which backup this is
about, and the settings), `seal.json` (digests only) and `records.jsonl.gz` (one digest pair and key per item).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.clock import rfc3339
from ops.environment import TableTarget
from ops.errors import BackupGone, BadArgument, RunFolderUnusable
from ops.flows.s3 import Address, download, put_file, put_text, read_bytes
from ops.flows.session import Session
from ops.model.recovery import BackupEntry
from ops.recovery.packing import BROKEN
from ops.recovery.settings import TableSettings
from ops.verify.fingerprint import Record
from ops.verify.seal import Seal, SealSubject, seal_file, write_records

SCHEMA = "ops.backup/1"
SETTINGS, SEAL, RECORDS = "settings.json", "seal.json", "records.jsonl.gz"


@dataclass(frozen=True, slots=True)
class Note:
    """`settings.json`: the backup it belongs to, how its items were fingerprinted, and the table's settings."""

    arn: str
    name: str
    table_arn: str
    table_id: str
    requested_at: str
    fingerprint: str
    settings: TableSettings

    def to_json(self) -> str:
        """The document as JSON."""
        document = {
            "schema": SCHEMA,
            "backup": {
                "arn": self.arn,
                "name": self.name,
                "table_arn": self.table_arn,
                "table_id": self.table_id,
                "requested_at": self.requested_at,
            },
            "fingerprint": self.fingerprint,
            "settings": self.settings.to_data(),
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Note:
        """Read a document; ValueError names what is missing."""
        try:
            document: Any = json.loads(text)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise ValueError(f"not a document of schema {SCHEMA}")
        try:
            return cls(
                **document["backup"],
                fingerprint=document["fingerprint"],
                settings=TableSettings.from_data(document["settings"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"member missing or mistyped: {error}") from error


@dataclass(frozen=True, slots=True)
class KeptSeal:
    """A seal read back, with its records in a local file when they were kept."""

    seal: Seal
    records: Path | None
    where: str
    weakness: str


def place(session: Session, table: TableTarget, name: str) -> Address:
    """Where everything about the backup `name` of a table is kept."""
    document = session.environment.document
    return Address(document.export_bucket, document.export_prefix).below(f"seals/{table.label}/{name}")


def keep_seal(session: Session, at: Address, records: Iterable[Record], subject: SealSubject, folder: Path) -> Seal:
    """Seal `records`, store them and, last, the seal; `folder` holds the files meanwhile."""
    file, packed = folder / "records.jsonl", folder / RECORDS
    try:
        write_records(records, file)
        seal = seal_file(file, subject, folder=folder)
        _pack(file, packed)
        put_file(session.aws, at.below(RECORDS), packed)
    except OSError as error:
        raise RunFolderUnusable(f"cannot hold the records of the seal in {folder}", why=str(error)) from error
    finally:
        file.unlink(missing_ok=True)
        packed.unlink(missing_ok=True)
    put_text(session.aws, at.below(SEAL), seal.to_json())
    return seal


def _pack(file: Path, packed: Path) -> None:
    with file.open("rb") as source, gzip.open(packed, "wb") as target:
        while chunk := source.read(1 << 20):
            target.write(chunk)


def find_seal(session: Session, table: TableTarget, backup: BackupEntry, folder: Path) -> KeptSeal | None:
    """The seal kept beside exactly this backup; None when there is none. Its own digests are recomputed."""
    at = place(session, table, backup.name)
    note = find_note(session, table, backup)
    if note is None or sealed_source(session, at) not in ("", backup.arn):
        return None
    return read_seal(session, at, folder, note)


def sealed_source(session: Session, at: Address) -> str:
    """Which backup the seal under a prefix is of; empty when that cannot be told."""
    text = read_bytes(session.aws, at.below(SEAL))
    if text is None:
        return ""
    try:
        return Seal.from_json(text).subject.source_arn
    except ValueError:  # told when the seal is used
        return ""


def find_note(session: Session, table: TableTarget, backup: BackupEntry) -> Note | None:
    """What was noted about this backup; a note about another one of the same name is not taken."""
    at = place(session, table, backup.name).below(SETTINGS)
    text = read_bytes(session.aws, at)
    if text is None:
        return None
    try:
        note = Note.from_json(text)
    except ValueError as error:
        raise BackupGone(f"what was noted beside backup {backup.name} cannot be read: {at}", why=str(error)) from error
    return note if note.arn == backup.arn else None


def read_seal(session: Session, at: Address, folder: Path, note: Note | None = None) -> KeptSeal | None:
    """The seal under a prefix, its records downloaded into `folder`; None when nothing is there."""
    text = read_bytes(session.aws, at.below(SEAL))
    if text is None:
        return None
    seal = _parse(text, str(at.below(SEAL)))
    packed = folder / f"{seal.root[:16]}-{RECORDS}"
    download(session.aws, at.below(RECORDS), packed)
    weakness = weakness_of(note.fingerprint if note else seal.subject.source_kind, seal.subject.moment)
    return KeptSeal(seal, _unpack(packed, packed.with_suffix("")), str(at.below(SEAL)), weakness)


def read_local_seal(path: Path, folder: Path) -> KeptSeal:
    """A seal in a file; `records.jsonl` or `records.jsonl.gz` beside it names the keys."""
    try:
        seal = _parse(path.read_bytes(), str(path))
    except OSError as error:
        raise BadArgument(f"cannot read {path}", why=str(error)) from error
    plain, packed = path.with_name("records.jsonl"), path.with_name(RECORDS)
    records = plain if plain.is_file() else None
    if records is None and packed.is_file():
        records = _unpack(packed, folder / f"{seal.root[:16]}-records.jsonl")
    return KeptSeal(seal, records, str(path), weakness_of(seal.subject.source_kind, seal.subject.moment))


def _parse(text: bytes, where: str) -> Seal:
    try:
        return Seal.from_json(text)
    except ValueError as error:
        raise BackupGone(
            f"the seal {where} is not usable", why=str(error), fix=("use another expected side",)
        ) from error


def _unpack(packed: Path, target: Path) -> Path:
    try:
        with gzip.open(packed, "rb") as source, target.open("wb") as file:
            while chunk := source.read(1 << 20):
                file.write(chunk)
    except BROKEN as error:
        raise BackupGone(
            f"the records {packed.name} beside a seal are not usable",
            why=str(error),
            fix=("use another expected side",),
        ) from error
    return target


def weakness_of(fingerprint: str, moment: str) -> str:
    """What a seal of that kind cannot show, for every report that uses it."""
    if fingerprint == "export":
        return f"made from an export of {moment}; a backup may hold writes of one minute before or after that second"
    return (
        f"made by a scan that began at {moment}; writes during the scan, or within a minute of the request of the "
        "backup, may differ without a loss"
    )


def note_of(backup: BackupEntry, described: dict[str, Any], requested_at: str, kind: str, kept: TableSettings) -> Note:
    """The note about a backup just made."""
    return Note(
        arn=backup.arn,
        name=backup.name,
        table_arn=described["TableArn"],
        table_id=str(described.get("TableId", "")),
        requested_at=requested_at,
        fingerprint=kind,
        settings=kept,
    )


def made_at(backup: BackupEntry) -> str:
    """The creation time AWS states, for messages."""
    return rfc3339(backup.created.replace(microsecond=0))
