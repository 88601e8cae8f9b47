"""What a restore will do, decided and checked before anything is asked of AWS."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ops.clock import rfc3339
from ops.environment import TableTarget, check_table_name
from ops.errors import BackupGone, BadArgument, OutsideWindow, TableNotFound, TargetExists
from ops.flows import expecting
from ops.flows.common import owns
from ops.flows.expecting import Expectation
from ops.flows.session import Session
from ops.model.recovery import BackupEntry
from ops.recovery import backups, pitr, tables
from ops.recovery.restore import target_name
from ops.runs import Run

Way = Literal["at", "latest", "backup", "deleted"]
#: AWS's own limit: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeBackup.html
_SHORTEST_ARN = 37
WAYS: tuple[Way, ...] = ("at", "latest", "backup", "deleted")


@dataclass(frozen=True, slots=True)
class RestoreOptions:
    """What was asked for; `expect` is auto, none, or the address of an expected side.

    `way` may be left out, as None, when a run is gone on with.
    """

    way: Way | None
    at: datetime | None = None
    backup: str | None = None
    target: str | None = None
    expect: str = "auto"
    contract: bool = True
    cutover: bool = False
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """One restore, with nothing left to decide: the same on every resume."""

    source: str
    target: str
    restored_to: datetime
    way: Way
    backup_arn: str | None
    expect: str
    contract: bool
    cutover: bool

    @classmethod
    def of(cls, kept: dict[str, object]) -> RestorePlan:
        """The plan that a run wrote into its journal."""
        backup = kept["backup_arn"]
        return cls(
            source=str(kept["source"]),
            target=str(kept["target"]),
            restored_to=datetime.fromisoformat(str(kept["restored_to"])),
            way=next(one for one in WAYS if one == kept["way"]),
            backup_arn=None if backup is None else str(backup),
            expect=str(kept["expect"]),
            contract=bool(kept["contract"]),
            cutover=bool(kept["cutover"]),
        )

    def journal(self) -> dict[str, object]:
        """The plan as a journal line keeps it."""
        return {
            "source": self.source,
            "target": self.target,
            "restored_to": rfc3339(self.restored_to),
            "way": self.way,
            "backup_arn": self.backup_arn,
            "expect": self.expect,
            "contract": self.contract,
            "cutover": self.cutover,
        }


def plan_restore(session: Session, table: TableTarget, options: RestoreOptions) -> RestorePlan:
    """Every check that can be made without changing anything.

    TableNotFound, PitrOff, OutsideWindow with both bounds, BackupGone, TargetExists.
    """
    if options.way is None:
        raise BadArgument("choose one of --at T, --latest, --backup ARN, --deleted")
    if options.target is not None:
        check_table_name(options.target)
    moment, backup = _source(session, table, options)
    target = options.target or target_name(table.label, moment)
    if tables.exists(session.aws, target):
        raise TargetExists(f"table {target} exists already", why="a restore always makes a new table")
    if options.cutover and table.logical is None:
        raise BadArgument(f"{table.physical} has no logical name, so no pointer names it")
    return RestorePlan(
        source=table.physical,
        target=target,
        restored_to=moment,
        way=options.way,
        backup_arn=None if backup is None else backup.arn,
        expect=options.expect,
        contract=options.contract,
        cutover=options.cutover,
    )


def refuse_other_options(session: Session, run: Run, plan: RestorePlan, options: RestoreOptions) -> None:
    """BadArgument when a resumed run is asked for something else than it was begun with."""
    contract = {True: "contract", False: "none"}
    asked = {
        "way": (options.way, plan.way),
        "at": (options.at and rfc3339(options.at), rfc3339(plan.restored_to)),
        "backup": (options.backup, _name_or_arn(session, plan, options.backup)),
        "as": (options.target, plan.target),
        "expect": (None if options.expect == "auto" else options.expect, plan.expect),
        "settings": (None if options.contract else "none", contract[plan.contract]),
    }
    for name, (given, before) in asked.items():
        if given is not None and given != before:
            raise BadArgument(
                f"run {run.id} was begun with {name} {before}, not {given}",
                why="a run goes on with what it began with",
                fix=("leave the option out", "begin a new run"),
            )


def _name_or_arn(session: Session, plan: RestorePlan, asked: str | None) -> str | None:
    if asked is None or plan.backup_arn is None or asked.startswith("arn:"):
        return plan.backup_arn
    return backups.describe_backup(session.aws, plan.backup_arn).name


def _source(session: Session, table: TableTarget, options: RestoreOptions) -> tuple[datetime, BackupEntry | None]:
    if options.way == "deleted":
        return _deleted(session, table)
    if options.way == "backup":
        backup = find_backup(session, table, str(options.backup))
        return backup.created.replace(microsecond=0), backup
    try:
        window = pitr.restorable_window(session.aws, table.physical, table.region)
    except TableNotFound as error:
        error.fix = (f"ops restore {owns(table)} --deleted", *error.fix)
        raise
    if options.at is None and pitr.pinned(window):
        raise OutsideWindow(
            f"the newest restorable second of {table.physical} is still the one in which PITR was switched on: "
            f"{rfc3339(window.latest)}",
            why=pitr.PINNED,
            fix=(
                f"ops restore {owns(table)} --at {rfc3339(window.latest)}",
                f"or wait five minutes, then ops restore {owns(table)} --latest",
            ),
        )
    moment = window.latest if options.at is None else options.at
    pitr.check_inside(window, moment, table.physical)
    return moment, None


def _deleted(session: Session, table: TableTarget) -> tuple[datetime, BackupEntry]:
    if tables.exists(session.aws, table.physical, table.region):
        raise BadArgument(
            f"table {table.physical} is not deleted",
            fix=(f"ops restore {owns(table)} --latest", f"ops restore {owns(table)} --at TIME"),
        )
    found = backups.system_backup(session.aws, table.physical, None, session.clock)
    return found.created.replace(microsecond=0), found


def find_backup(session: Session, table: TableTarget, wanted: str) -> BackupEntry:
    """A backup by ARN, or by name among those of the table; BackupGone names the newest ones."""
    if wanted.startswith("arn:"):
        if "/backup/" not in wanted or len(wanted) < _SHORTEST_ARN:
            raise BadArgument(
                f"'{wanted}' is not the ARN of a backup", fix=(f"ops list backups --table {owns(table)}",)
            )
        return backups.describe_backup(session.aws, wanted)
    listed = backups.list_backups(session.aws, table.physical)
    found = [one for one in listed if one.name == wanted]
    if len(found) > 1:
        raise BadArgument(
            f"{len(found)} backups of {table.physical} are named {wanted}",
            fix=tuple(f"ops restore {owns(table)} --backup {one.arn}" for one in found),
        )
    if not found:
        newest = f"newest: {listed[0].name} ({listed[0].arn})" if listed else "the table has no backup"
        raise BackupGone(f"no backup of {table.physical} is named {wanted}", why=newest)
    return found[0]


def expected_of(session: Session, table: TableTarget, plan: RestorePlan) -> Expectation:
    """What the restored items would be held against; for a dry run."""
    backup = None if plan.backup_arn is None else backups.describe_backup(session.aws, plan.backup_arn)
    return expecting.choose(session, table, plan.expect, plan.restored_to, backup)
