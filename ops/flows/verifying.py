"""`ops verify` and `ops diff`: exact comparison of what is there with what should be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

from ops.environment import TableTarget
from ops.errors import BadArgument, ControlMissed, ExportCorrupt, NotProven, OpsError
from ops.flows import keeping, sides, verdicts
from ops.flows.backing_up import work_folder
from ops.flows.chained import addresses_of
from ops.flows.net_lines import chain_of
from ops.flows.sampling import Sample
from ops.flows.session import Session
from ops.flows.sides import Limits
from ops.model.items import KeySchema
from ops.model.proof import Comparison, ControlOutcome
from ops.model.recovery import ExportFiles
from ops.recovery import backups, exports
from ops.recovery.addresses import ExportAddress, is_local_export
from ops.recovery.manifest import open_export
from ops.verify.compare import LISTED, Gathered, TtlRule, gather_all, judge
from ops.verify.control import stream_control
from ops.verify.sides import Side

#: In the control run every difference must be looked through, or a planted one could hide behind real ones.
ALL = 1 << 40


#: No limits but the machine's.
ANY = Limits()


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """`control` plants differences, chosen by `seed`, that the comparison must report."""

    control: bool = True
    ignore: tuple[str, ...] = ()
    seed: int = 1
    limits: Limits = ANY
    #: Of the files of an export, when nothing is compared.
    sample: Sample | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """What was read and compared; `level` is the level of verification that was judged."""

    level: str
    files: ExportFiles | None = None
    proof: Comparison | None = None
    control: ControlOutcome | None = None


def verify(session: Session, subject: str, against: str | None, options: VerifyOptions) -> Verification:
    """An export alone: every byte. With an expected side: every item, and a control that shows the verifier fail."""
    if options.sample is not None and (against is not None or not is_export(subject)):
        raise BadArgument(
            "--sample is about the files of an export; a comparison reads every item",
            fix=(f"ops verify s3://.../manifest-summary.json --sample {options.sample.text}", "leave out --sample"),
        )
    files = _files(session, subject, options) if is_export(subject) else None
    if against is None:
        if files is None:
            raise _nothing_given(session, subject)
        return Verification("bytes", files)
    if files is not None and files.files_bad:
        return Verification("bytes", files)
    with work_folder() as folder, session.progress.phase("compare", f"every item of {subject} against {against}"):
        expected, found, keys, ttl = open_both(session, against, subject, options.ignore, folder, options.limits)
        if sides.are_one(expected, found):
            raise BadArgument(
                f"{subject} would be held against itself",
                why="what is missing from it is missing on both sides",
                fix=(f"ops verify {subject} --against s3://...|backup:ARN|ddb:NAME|FILE",),
            )
        left, right = gather_all((expected, found), folder, workers=options.limits.processes)
        with left, right:
            rule = sides.ttl_rule(session, ttl)
            proof = judge(left, right, keys=keys, ttl=rule, listed=LISTED)
            control = None
            # with more differences than are listed, the verdict is red whatever a control would say
            if options.control and proof.listed_all and not proof.void:
                control = stream_control(
                    left.side, right, keys=keys, random=Random(options.seed), known=proof, ttl=rule,
                    judging=lambda one, two: _judge_all(one, two, keys, rule),
                )  # fmt: skip
    return Verification("items", files, proof, control)


def _judge_all(expected: Gathered, found: Gathered, keys: KeySchema, rule: TtlRule | None) -> Comparison:
    return judge(expected, found, keys=keys, ttl=rule, listed=ALL)


def diff(
    session: Session, left: str, right: str, ignore: tuple[str, ...], limit: int, limits: Limits = ANY
) -> Comparison:
    """Exact comparison; `left` is the expected side."""
    with work_folder() as folder, session.progress.phase("compare", f"every item of {left} and {right}"):
        expected, found, keys, ttl = open_both(session, left, right, ignore, folder, limits)
        one, other = gather_all((expected, found), folder, workers=limits.processes)
        with one, other:
            rule = sides.ttl_rule(session, ttl)
            return judge(one, other, keys=keys, ttl=rule, listed=max(limit, LISTED))


def open_both(
    session: Session, left: str, right: str, ignore: tuple[str, ...], folder: Path, limits: Limits = ANY
) -> tuple[Side, Side, KeySchema, str | None]:
    """Both sides with the key attributes and the TTL attribute that they share."""
    tables = [one for one in (_table(session, right), _table(session, left)) if one is not None]
    keys, ttl = _keys_and_ttl(session, tables, (right, left))
    if limits.keys is not None:
        named = keys_of_text(limits.keys)
        if keys is not None and keys != named:
            raise BadArgument(f"--keys {limits.keys} is not the key of what is compared: {_keys_text(keys)}")
        keys = named
    context = sides.Context(session, folder, keys, ttl, limits.max_rcu)
    expected, found = sides.open_side(context, left), sides.open_side(context, right)
    known = context.known_keys(left)
    return sides.without(expected, ignore, known), sides.without(found, ignore, known), known, ttl


def keys_of_text(text: str) -> KeySchema:
    """`artist_id,year:N` as a key schema; the type is S where none is named."""
    parts = [part.strip().partition(":") for part in text.split(",")]
    pairs = [(name, kind or "S") for name, _, kind in parts]
    bad = not 1 <= len(pairs) <= 2 or any(not name or kind not in ("S", "N", "B") for name, kind in pairs)
    if bad or len(dict(pairs)) != len(pairs):
        raise BadArgument(f"--keys {text} names no key", fix=("write --keys PARTITION or --keys PARTITION,SORT:N",))
    return KeySchema(*pairs[0], *(pairs[1] if len(pairs) == 2 else (None, None)))


def _keys_text(keys: KeySchema) -> str:
    return ",".join(f"{name}:{kind}" for name, kind in keys.types.items())


def _table(session: Session, text: str) -> TableTarget | None:
    """The table a side is about, when its address names one."""
    resource = text.partition("@")[0]
    foreign = resource.startswith(("s3://", "backup:")) or Path(resource).is_file() or is_export(resource) or (
        "/" in resource and not resource.startswith("arn:")
    )  # fmt: skip
    return None if foreign else session.table(resource)


def _keys_and_ttl(
    session: Session, tables: list[TableTarget], texts: tuple[str, ...]
) -> tuple[KeySchema | None, str | None]:
    ttl = next((one.document.contract.ttl_attribute for one in tables if one.document is not None), None)
    for table in tables:
        declared = sides.declared_keys(table)
        if declared is not None:
            return declared, ttl
    for table in tables:
        live = sides.table_side(session, table)
        return live.table.keys, ttl or live.table.ttl_attribute
    for text in texts:
        if is_export(text):
            target = session.table(open_export(session.aws, addresses_of(text)[0]).table_arn)
            keys = sides.declared_keys(target) or sides.table_side(session, target).table.keys
            return keys, None if target.document is None else target.document.contract.ttl_attribute
    return None, None


def is_export(text: str) -> bool:
    """Whether an address can only be that of an export."""
    first = addresses_of(text)[0]
    return (first.startswith("s3://") and not first.endswith(keeping.SEAL)) or is_local_export(first)


def _files(session: Session, text: str, options: VerifyOptions) -> ExportFiles:
    """Every file of an export, and of the incremental ones that are named with it."""
    read, addresses = [], addresses_of(text)
    if len(addresses) > 1:  # files that are good one by one are no table where the changes do not follow
        chain_of(session, addresses, KeySchema("unread"), {})
    for address in addresses:
        export = open_export(session.aws, ExportAddress.parse(address))
        sample = options.sample
        only = None if sample is None else sample.places(len(export.files), Random(options.seed))
        what = "every file" if only is None else f"{len(only):,} of {len(export.files):,} files"
        with session.progress.phase("bytes", f"reading {what} of {export.address}"):
            read.append(export.verify(session.progress, only))
    return ExportFiles(
        "bytes",
        sum(one.files_ok for one in read),
        tuple(bad for one in read for bad in one.files_bad),
        sum(one.left_out for one in read),
    )


def _nothing_given(session: Session, subject: str) -> BadArgument:
    """A table cannot be verified against nothing; the newest things it could be held against are named."""
    found = [f"ops verify {subject} --against {one}" for one in _suggestions(session, subject)]
    return BadArgument(
        f"what should {subject} hold? Nothing to compare it with was given",
        why="a table alone says nothing about what is missing from it",
        fix=tuple(found) or (f"ops verify {subject} --against s3://...|backup:ARN|ddb:NAME|FILE",),
    )


def _suggestions(session: Session, subject: str) -> list[str]:
    table = _table(session, subject)
    if table is None:
        return []
    arn = f"arn:aws:dynamodb:{table.region}:{session.environment.document.account}:table/{table.physical}"
    done = [one for one in exports.list_exports(session.aws, arn, table.region) if one["ExportStatus"] == "COMPLETED"]
    found = [
        exports.manifest_address(exports.describe_export(session.aws, str(one["ExportArn"])))
        for one in done[:1]
        if one.get("ExportType", "FULL_EXPORT") == "FULL_EXPORT"
    ]
    for backup in backups.list_backups(session.aws, table.physical, table.region):
        note = keeping.find_note(session, table, backup)
        if note is not None and note.fingerprint != "none":
            return [*found, f"backup:{backup.arn}"]
    return found


def problems(found: Verification, subject: str, against: str | None) -> tuple[OpsError, ...]:
    """What keeps a verification from exit 0: a missed control first, then bad files, then differing items."""
    errors: list[OpsError] = []
    if found.control is not None and not found.control.caught:
        planted, seen = len(found.control.planted), len(found.control.found)
        errors.append(ControlMissed(f"the verifier reported {seen} of {planted} planted differences"))
    if found.files is not None and found.files.files_bad:
        listed = "; ".join(f"{key}: {kind}" for key, kind in found.files.files_bad[:5])
        errors.append(ExportCorrupt(f"{len(found.files.files_bad)} objects of {subject} cannot be used", why=listed))
    if found.files is not None and not found.files.files_bad and found.files.files_ok == 0:
        none = "the sample holds no file of it" if found.files.left_out else "it names no data file"
        errors.append(NotProven(f"nothing was read of {subject}: {none}"))
    if found.proof is not None and against is not None:
        errors.extend(proof_problems(found.proof, against, subject))
    return tuple(errors)


def proof_problems(proof: Comparison, expected: str, found: str) -> tuple[OpsError, ...]:
    """ItemsDiffer with the first keys, or NotProven when nothing was compared."""
    error = verdicts.reason_to_fail(proof, found)
    if error is None:
        return ()
    if proof.differing:
        error.fix = (f"ops diff {expected} {found} --format full",)
    return (error,)
