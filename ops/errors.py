"""The one error tree of `ops`.

A class carries what never changes (code, exit code, the hint that leads out); an instance carries what
happened this time. `OPS-E<exit><nn>`: the number divided by 100 is the exit code of the process.
Only `ops.cli` turns an error into an exit; the table in `docs/errors.md` is printed from these classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar


class OpsError(Exception):
    """A failure with a known cause: what failed, what was changed, what to type next."""

    code: ClassVar[str] = "OPS-E101"
    title: ClassVar[str] = "unexpected failure"
    hint: ClassVar[str] = "run the command again with -vv and report the printed text"

    def __init__(
        self, what: str, *, why: str = "", changed: str = "nothing was changed", fix: tuple[str, ...] = ()
    ) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.changed = changed
        self.fix = fix or (self.hint,)
        self.run: str | None = None

    @property
    def exit_code(self) -> int:
        """Exit code of the process that this error ends."""
        return exit_code_of(self.code)

    def as_dict(self) -> dict[str, object]:
        """The member of `errors` in an `-o json` document."""
        return {
            "code": self.code,
            "exit": self.exit_code,
            "what": self.what,
            "why": self.why,
            "changed": self.changed,
            "fix": list(self.fix),
        }


def exit_code_of(code: str) -> int:
    """`OPS-E603` -> 6, `OPS-E1001` -> 10."""
    return int(code.removeprefix("OPS-E")) // 100


def error_classes(root: type[OpsError] = OpsError) -> Iterator[type[OpsError]]:
    """Every class of the tree, root first."""
    yield root
    for child in root.__subclasses__():
        yield from error_classes(child)


class AccountingMismatch(OpsError):
    code = "OPS-E102"
    title = "the counts of a run do not add up"
    hint = "keep the run folder and report it: an item may have been lost"


class ControlMissed(OpsError):
    code = "OPS-E103"
    title = "the verifier missed a planted difference"
    hint = "no result of this version may be trusted: report the run folder"


class RunFolderUnusable(OpsError):
    code = "OPS-E104"
    title = "run folder not writable or full"
    hint = "free space, or choose another folder with --runs DIR"


class StateFolderUnusable(OpsError):
    code = "OPS-E105"
    title = "state folder of the sandbox not writable or full"
    hint = "free space, or choose another folder with OPS_SANDBOX_DIR=DIR"


class SandboxBroken(OpsError):
    code = "OPS-E106"
    title = "the sandbox is in a state it cannot continue from"
    hint = "ops sandbox down && ops sandbox up"


class AwsError(OpsError):
    """A refusal by AWS that the caller may know what to do with; `aws_code` is AWS's own code."""

    code = "OPS-E107"
    title = "AWS refused a call for a reason not foreseen here"
    hint = "the text is AWS's own; correct its cause and run the command again"

    def __init__(self, aws_code: str, message: str, operation: str) -> None:
        super().__init__(f"{operation}: {aws_code}", why=message, changed="this call changed nothing")
        self.aws_code = aws_code
        self.message = message
        self.operation = operation


class AnswerLost(OpsError):
    code = "OPS-E108"
    title = "the answer could not be written to stdout"
    hint = "free space where stdout goes; a read can be run again, a run is shown by ops list runs"


class BadTime(OpsError):
    code = "OPS-E201"
    title = "a time that cannot be used"
    hint = "write it as 2026-11-20T10:02:16Z, as -15m, or as latest"


class BadArgument(OpsError):
    code = "OPS-E202"
    title = "an argument that cannot be used"
    hint = "ops COMMAND --help shows what is accepted"


class EnvironmentNotChosen(OpsError):
    code = "OPS-E203"
    title = "no environment chosen"
    hint = "set OPS_ENV, or give --env STACK; ops sandbox up starts a local one"


class LinesRejected(OpsError):
    code = "OPS-E301"
    title = "some lines or items were rejected"
    hint = "correct the rejected lines in the named file and run it again"


class ItemsDiffer(OpsError):
    code = "OPS-E401"
    title = "items differ"
    hint = "ops diff LEFT RIGHT --format full shows the values"


class SettingsDiffer(OpsError):
    code = "OPS-E402"
    title = "settings differ from the contract"
    hint = "ops settings diff RES, then ops settings apply RES"


class CountsDiffer(OpsError):
    code = "OPS-E403"
    title = "imported count differs from distinct keys"
    hint = "ops verify RES --against EXPORT names the keys"


class ReconciliationFailed(OpsError):
    code = "OPS-E404"
    title = "what was answered is not what the table holds"
    hint = "run ops load again: puts are idempotent"


class NotProven(OpsError):
    code = "OPS-E406"
    title = "no expected side: only level schema reached"
    hint = "give the expected side with --expect EXPORT, or restore to a moment that has one"


class DrillFailed(OpsError):
    code = "OPS-E407"
    title = "the drill found a difference that was not planted"
    hint = "open the report; it names the keys and settings"


class RtoMissed(OpsError):
    code = "OPS-E501"
    title = "RTO target missed"
    hint = "the report shows the slowest phase"


class RpoMissed(OpsError):
    code = "OPS-E502"
    title = "RPO target missed"
    hint = "the report lists what was lost"


class PitrOff(OpsError):
    code = "OPS-E602"
    title = "point-in-time recovery is off"
    hint = "ops list backups --table RES shows what can be restored"


class OutsideWindow(OpsError):
    code = "OPS-E603"
    title = "time outside the restorable window"
    hint = "choose a time between the two bounds, or restore a backup: ops list backups --table RES"


class ExportCorrupt(OpsError):
    code = "OPS-E604"
    title = "export object missing, wrong checksum, count or size"
    hint = "take the export again: ops export-s3 RES --at TIME"


class SourceHasBadLines(OpsError):
    code = "OPS-E605"
    title = "source has unusable lines (strict import)"
    hint = "correct the named lines and run the import again"


class BackupGone(OpsError):
    code = "OPS-E606"
    title = "backup expired, deleted or unknown"
    hint = "ops list backups --table RES"


class ExportFiltered(OpsError):
    code = "OPS-E607"
    title = "export is filtered: not a backup"
    hint = "take a full export: ops export-s3 RES"


class RecoveryFailed(OpsError):
    code = "OPS-E608"
    title = "AWS reports that the backup, export, import or restore failed"
    hint = "the failure code above is AWS's own; correct its cause and run the command again"


class WrongAccount(OpsError):
    code = "OPS-E701"
    title = "wrong account"
    hint = "use credentials of the account of the environment"


class ConfirmationMissing(OpsError):
    code = "OPS-E702"
    title = "confirmation missing"
    hint = "give --yes, or --confirm NAME where a name is asked for"


class NotADrillName(OpsError):
    code = "OPS-E703"
    title = "target is not a drill- name"
    hint = "drills write only to resources whose name begins with drill-"


class PlanStale(OpsError):
    code = "OPS-E704"
    title = "the plan or patch was made for another table, or for one that was made anew"
    hint = "make it again against the table as it is now"


class NoWayBack(OpsError):
    code = "OPS-E708"
    title = "no way back exists for this change"
    hint = "switch point-in-time recovery on: ops settings apply RES --only pitr"


class TargetExists(OpsError):
    code = "OPS-E709"
    title = "target name is taken"
    hint = "choose another name with --as NEW; nothing is ever restored over a table"


class UnsafeSource(OpsError):
    code = "OPS-E710"
    title = "source refused by a guard rail"
    hint = "correct the source as described, then run the load again"


class NotAllowed(OpsError):
    code = "OPS-E801"
    title = "not allowed"
    hint = "ask for the named action on the named resource"


class CredentialsUnusable(OpsError):
    code = "OPS-E802"
    title = "credentials missing or expired"
    hint = "renew the credentials, then run the same command again"


class SourceRefused(OpsError):
    code = "OPS-E803"
    title = "the track source or the database refused the login"
    hint = "check the secret named above"


class Throttled(OpsError):
    code = "OPS-E901"
    title = "throttled until the retry budget was spent"
    hint = "run the same command again later"


class BadResponse(OpsError):
    code = "OPS-E902"
    title = "response lacks required members"
    hint = "run the same command again; if it stays, check proxies between here and AWS"


class Unreachable(OpsError):
    code = "OPS-E903"
    title = "endpoint unreachable"
    hint = "ops sandbox status tells whether a sandbox runs; unset AWS_ENDPOINT_URL for AWS itself"


class SourceQuotaUsed(OpsError):
    code = "OPS-E904"
    title = "source API quota used up or the source unavailable"
    hint = "run the same ops load command again after the named time, with --resume RUN"


class PortTaken(OpsError):
    code = "OPS-E905"
    title = "port is taken"
    hint = "leave --port out to take a free one"


class DatabaseDown(OpsError):
    code = "OPS-E906"
    title = "database unreachable"
    hint = "check that the database runs and that its address in the environment document is right"


class TableNotFound(OpsError):
    code = "OPS-E1001"
    title = "table not found"
    hint = "ops list tables"


class EnvironmentNotFound(OpsError):
    code = "OPS-E1002"
    title = "environment document not found"
    hint = "check --env and --project; pulumi up writes the document"


class SandboxNotRunning(OpsError):
    code = "OPS-E1003"
    title = "no sandbox is running"
    hint = "ops sandbox up"


class ResourceNotFound(OpsError):
    code = "OPS-E1004"
    title = "resource not found"
    hint = "ops list backups|exports|tables shows what exists"


class Locked(OpsError):
    code = "OPS-E1101"
    title = "locked by another run"
    hint = "wait for the other run, or end it"


class StillRunning(OpsError):
    code = "OPS-E1201"
    title = "still running in AWS"
    hint = "run the same command again with --resume RUN"


class SignalReceived(BaseException):
    """What a signal handler raises: no library on the way may take it for a failure that it can retry."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"signal {signal_number}")
        self.signal_number = signal_number


class Interrupted(OpsError):
    """Ctrl-C or SIGTERM: the process exits 130 or 143, not by the code."""

    code = "OPS-E13001"
    title = "interrupted"
    hint = "run the same command again"

    def __init__(self, what: str, *, signal_number: int = 2, changed: str = "", fix: tuple[str, ...] = ()) -> None:
        super().__init__(what, changed=changed or "nothing was changed", fix=fix)
        self.signal_number = signal_number

    @property
    def exit_code(self) -> int:
        """128 + signal number, as a shell shows it."""
        return 128 + self.signal_number


#: Warning codes: what a finished run wants a person to know. Fixed like error codes.
WARNINGS: dict[str, str] = {
    "OPS-W003": "sandbox figures are not AWS figures",
    "OPS-W005": "the recovery window is still pinned to the moment point-in-time recovery was switched on",
    "OPS-W006": "the source table is in use: its copy is the baseline and was not held against it",
    "OPS-W007": "the contract states no setting that the control could spoil",
    "OPS-W008": "the clean-up of a drill failed: ops drill gc RUN tries again",
    "OPS-W009": "resources were made by others during the drill",
    "OPS-W012": "a table is not protected or not proven as its declaration asks",
    "OPS-W104": "the result of a run could not be kept in its folder",
}
