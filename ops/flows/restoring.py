"""`ops restore`: a new table, its settings put back and read back, its items proven."""

from __future__ import annotations

from dataclasses import replace

from infra.environment import pointer_path
from ops.clock import rfc3339
from ops.environment import TableTarget
from ops.errors import BackupGone, BadArgument, ItemsDiffer, NotProven, OpsError
from ops.flows import expecting, keeping, sides, verdicts
from ops.flows import settings as settings_flow
from ops.flows.backing_up import work_folder
from ops.flows.common import Phases, options_of, owns, resumable
from ops.flows.expecting import Expectation
from ops.flows.restore_plan import RestoreOptions, RestorePlan, plan_restore, refuse_other_options
from ops.flows.session import Session
from ops.model.proof import Comparison, SettingsOutcome
from ops.model.recovery import BackupEntry, RestoreResult
from ops.recovery import backups, cutover, pitr, reapply, tables
from ops.recovery.restore import RestoreRequest, RestoreStart, start_restore, wait_active
from ops.recovery.settings import TableSettings, read_settings, wanted_settings, with_lineage
from ops.runs import Run
from ops.verify.sides import Side

#: What AWS needs before the proof, and what would change items or wake consumers: after it.
_PHASES: dict[reapply.Stage, str] = {"before_proof": "settings", "after_proof": "late settings"}


def restore(session: Session, run: Run, table: TableTarget, options: RestoreOptions) -> RestoreResult:
    """A restored table: ACTIVE, settings as the contract wants, items held against the expected side.

    `proof` is None when there was no expected side; the notes say why. A resumed run ends with the same result.
    """
    with resumable(session, run, f"restore {owns(table)}"):
        plan = _plan_or_resume(session, run, table, options)
        # a cutover has moved the logical name to our target: a run that was ended then still is about its source
        source = replace(table, physical=plan.source)
        return _Restore(session, run, source, plan, options.timeout_s).result()


def _plan_or_resume(session: Session, run: Run, table: TableTarget, options: RestoreOptions) -> RestorePlan:
    if run.find("options") is None:
        options_of(run, **plan_restore(session, table, options).journal())
    plan = RestorePlan.of(options_of(run))
    if table.physical not in (plan.source, plan.target):
        raise BadArgument(
            f"run {run.id} is a restore of {plan.source}, not of {table.physical}",
            fix=(f"ops restore ddb:{plan.source} --resume {run.id}",),
        )
    refuse_other_options(session, run, plan, options)
    # asked for when the run is gone on with: a table is often switched to only after a look at it
    return replace(plan, cutover=plan.cutover or options.cutover)


def proof_waived(run: Run) -> bool:
    """Whether the run was begun with `--expect none`."""
    return options_of(run).get("expect") == "none"


class _Restore:
    """One restore from end to end."""

    def __init__(
        self, session: Session, run: Run, table: TableTarget, plan: RestorePlan, timeout_s: float | None
    ) -> None:
        self.session, self.run, self.table, self.plan, self.timeout_s = session, run, table, plan, timeout_s
        self.phases = Phases(session)
        self.notes: list[str] = []

    def result(self) -> RestoreResult:
        plan, session = self.plan, self.session
        backup = self._backup()
        chosen = self._expectation(backup)
        with self.phases.phase("restore", f"{plan.source} as of {rfc3339(plan.restored_to)} into {plan.target}"):
            start = self._start()
            chosen = self._begin_export(chosen)
            wait_active(session.aws, plan.target, session.clock, session.progress, self.timeout_s)
        wanted = self._wanted(backup)
        outcome = self._reapply(wanted, "before_proof", SettingsOutcome())
        proof = self._prove(chosen, wanted)
        if proof is None or proof.equal:
            outcome = self._reapply(wanted, "after_proof", outcome)
        else:
            self.notes.append("stream, TTL and replicas were not set: the items are not proven")
        outcome = self._read_back(wanted, outcome, proven=proof is None or proof.equal)
        self._cut_over(proof)
        described = tables.describe(session.aws, plan.target)
        return RestoreResult(
            source=plan.source,
            target=plan.target,
            target_arn=described["TableArn"],
            restored_to=start.restored_to,
            way=start.way,
            phases=self.phases.done,
            settings=outcome,
            proof=proof,
            notes=tuple(self.notes),
        )

    def _backup(self) -> BackupEntry | None:
        """The backup; None when it was deleted after AWS had accepted the restore, which no longer needs it."""
        if self.plan.backup_arn is None:
            return None
        try:
            return backups.describe_backup(self.session.aws, self.plan.backup_arn)
        except BackupGone:
            if self.run.find("intent", target=self.plan.target, source=self.plan.source) is None:
                raise
            self.notes.append(f"the backup {self.plan.backup_arn} is gone since its restore was asked for")
            return None

    def _expectation(self, backup: BackupEntry | None) -> Expectation:
        line = self.run.find("expected")
        if line is not None:
            kind = next(one for one in expecting.KINDS if one == line.data["from"])
            return Expectation(kind, str(line.data["where"]))
        if self.plan.backup_arn is not None and backup is None and self.plan.expect == "auto":
            return Expectation("none", why="the backup is gone, and nothing beside it was chosen before")
        return expecting.choose(self.session, self.table, self.plan.expect, self.plan.restored_to, backup)

    def _begin_export(self, chosen: Expectation) -> Expectation:
        if self.run.find("expected") is None:
            chosen = expecting.begin(self.session, self.run, self.table, chosen, self.plan.restored_to)
            if chosen.kind != "none":  # what was refused now may be there when the run is resumed
                self.run.write("expected", **{"from": chosen.kind, "where": chosen.where})
        return chosen

    def _start(self) -> RestoreStart:
        plan = self.plan
        pinned = self._window_pinned()
        request = RestoreRequest(
            source=plan.source,
            source_region=None,
            target=plan.target,
            moment=plan.restored_to if plan.backup_arn is None and not pinned else None,
            latest=pinned,
            backup_arn=plan.backup_arn,
        )
        return start_restore(self.session.aws, request, self.run, self.session.clock, self.session.progress)

    def _window_pinned(self) -> bool:
        """A window that is still one fractional instant cannot be named in whole seconds, only as "latest"."""
        if self.plan.way != "at" or self.run.find("intent", target=self.plan.target) is not None:
            return False
        window = pitr.restorable_window(self.session.aws, self.plan.source, self.table.region)
        # one that was opened anew since the plan holds another moment, which nobody has asked for
        return pitr.pinned(window) and window.latest == self.plan.restored_to

    def _wanted(self, backup: BackupEntry | None) -> TableSettings | None:
        if not self.plan.contract:
            self.notes.append("settings were left as AWS restored them: --settings none")
            return None
        wanted = self._contract(backup)
        if wanted is None:
            self.notes.append("nothing says what the settings should be: they are as AWS restored them")
            return None
        return with_lineage(
            wanted, source=self.plan.source, restored_to=rfc3339(self.plan.restored_to), run=self.run.id
        )

    def _contract(self, backup: BackupEntry | None) -> TableSettings | None:
        if self.table.document is not None:
            return wanted_settings(self.table.document)
        if backup is not None and (note := self._note_beside(backup)) is not None:
            self.notes.append("settings are those kept beside the backup: the environment document has none")
            return note.settings
        if tables.exists(self.session.aws, self.plan.source, self.table.region):
            self.notes.append("settings are those of the source now: the environment document has none")
            return read_settings(self.session.aws, self.plan.source, self.table.region)
        return None

    def _note_beside(self, backup: BackupEntry) -> keeping.Note | None:
        try:
            return keeping.find_note(self.session, self.table, backup)
        except expecting.UNUSABLE as error:
            self.notes.append(f"the settings kept beside the backup cannot be read: {error.what} {error.why}".strip())
            return None

    def _reapply(self, wanted: TableSettings | None, stage: reapply.Stage, before: SettingsOutcome) -> SettingsOutcome:
        if wanted is None:
            return before
        with self.phases.phase(_PHASES[stage], f"{stage.replace('_', ' ')}, on {self.plan.target}"):
            changes = reapply.plan(read_settings(self.session.aws, self.plan.target), wanted)
            made = reapply.apply(
                self.session.aws, self.plan.target, changes, stage=stage, run=self.run,
                clock=self.session.clock, progress=self.session.progress, timeout_s=self.timeout_s,
            )  # fmt: skip
        return settings_flow.merged(before, made)

    def _read_back(self, wanted: TableSettings | None, outcome: SettingsOutcome, *, proven: bool) -> SettingsOutcome:
        if wanted is None:
            return outcome
        skip = () if proven else ("stream", "ttl", "replicas")
        with self.phases.phase("read back", f"settings of {self.plan.target}"):
            return reapply.read_back(self.session.aws, self.plan.target, wanted, outcome, skip=skip)

    def _prove(self, chosen: Expectation, wanted: TableSettings | None) -> Comparison | None:
        try:
            with self.phases.phase("prove", self._against(chosen)):
                return self._compare(chosen)
        except expecting.UNUSABLE as error:
            if chosen.kind == "given":
                raise
            self.notes.append(f"items not proven: {error.what} {error.why}".strip())
            return None

    def _compare(self, chosen: Expectation) -> Comparison | None:
        with work_folder() as folder:
            ttl = self.table.document.contract.ttl_attribute if self.table.document else None
            found = sides.table_side(self.session, self._target())
            acts, keys = found.table.ttl_attribute, found.table.keys
            found = replace(found, table=replace(found.table, ttl_attribute=ttl or acts))
            expected = self._open(chosen, sides.Context(self.session, folder, keys, ttl))
            if expected is None:
                return None
            if acts is None and self._shows_that_second(expected):
                ttl = None
            return sides.compared(self.session, expected, found, keys, ttl, folder)

    def _shows_that_second(self, expected: Side) -> bool:
        """Both show one moment, and TTL, which is off until the proof is done, removed nothing after it."""
        return expected.info.kind == "export" and expected.info.moment == rfc3339(self.plan.restored_to)

    def _against(self, chosen: Expectation) -> str:
        return f"every item against {chosen.where}" if chosen.kind != "none" else "no expected side"

    def _open(self, chosen: Expectation, context: sides.Context) -> Side | None:
        side, why = expecting.open_side(context, chosen, self.timeout_s)
        if side is None:
            self.notes.append(f"items not proven: {why}")
        elif weakness := side.info.weakness:
            self.notes.append(f"the expected side is {weakness}")
        return side

    def _target(self) -> TableTarget:
        return TableTarget(self.plan.target, None, self.session.aws.region, None)

    def _cut_over(self, proof: Comparison | None) -> None:
        if not self.plan.cutover:
            return
        if proof is None or not proof.equal:
            self.notes.append("pointer not moved: only a restore whose items are proven becomes the active table")
            return
        document = self.session.environment.document
        path = pointer_path(document.project, document.stack, str(self.table.logical))
        before = self.session.environment.pointers.get(str(self.table.logical))
        with self.phases.phase("cutover", f"{path} to {self.plan.target}"):
            cutover.write_pointer(self.session.aws, path, self.plan.target, before, self.run)
        self.notes.append(f"pointer {path}: {before or 'not set'} -> {self.plan.target}")


def problems(result: RestoreResult, *, proof_waived: bool) -> tuple[OpsError, ...]:
    """What keeps a finished restore from exit 0; `proof_waived` when `--expect none` was asked for."""
    found = list(_item_problems(result, proof_waived))
    if result.settings.checked:
        found.extend(settings_flow.problems(result.settings, f"ddb:{result.target}", f"ddb:{result.source}"))
    for one in found:
        one.changed = f"table {result.target} was made and stays; {result.source} was not touched"
    return tuple(found)


def _item_problems(result: RestoreResult, proof_waived: bool) -> tuple[OpsError, ...]:
    if result.proof is None:
        why = next((one for one in result.notes if one.startswith("items not proven")), "")
        return () if proof_waived else (NotProven(f"items of {result.target} are not proven", why=why),)
    error = verdicts.reason_to_fail(result.proof, f"table {result.target}")
    if error is None:
        return ()
    if isinstance(error, ItemsDiffer):
        error.fix = (f"ops diff {result.proof.expected.info.where} ddb:{result.target} --format full",)
    return (error,)
