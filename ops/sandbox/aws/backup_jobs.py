"""Jobs of AWS Backup for DynamoDB: backup, restore, copy. A state is a function of the sandbox's clock.

docs.aws.amazon.com/aws-backup/latest/devguide/API_StartBackupJob.html, .../API_StartRestoreJob.html,
.../API_StartCopyJob.html, .../API_PutRestoreValidationResult.html and .../restoring-dynamodb.html (metadata
targetTableName, encryptionType, kmsMasterKeyArn; a restore makes a new table).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from moto.backup.exceptions import InvalidParameterValueException, ResourceNotFoundException
from moto.core.exceptions import JsonRESTError

from ops.sandbox.aws.backup_http import Call, Document, page, present, refused
from ops.sandbox.aws.recovery_points import (
    RESOURCE_TYPE,
    RecoveryPoint,
    RecoveryPoints,
    checked_lifecycle,
    new_arn,
    outside_lock,
    selected,
    vault_of,
)
from ops.sandbox.aws.restore import restore_from_backup
from ops.sandbox.aws.tables import backend_of
from ops.sandbox.aws.world import ACCOUNT, World

# a job is CREATED, a moment later RUNNING, and ends; sandbox time, on AWS minutes to hours
BEGIN_S = 1.0
BACKUP_S = 10.0
COPY_S = 10.0
VERDICTS = ("FAILED", "SUCCESSFUL", "TIMED_OUT", "VALIDATING")


@dataclass(slots=True, eq=False)
class Job:
    """What the three kinds of jobs share; `facts` are the members that never change."""

    kind: str
    created_s: float
    ends_s: float
    facts: Document
    failure: str = ""
    stopped: bool = False
    later: Document = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    identifier: str = field(default_factory=lambda: str(uuid.uuid4()).upper())

    def state(self, now_s: float) -> str:
        """Where the job is at this instant."""
        if self.stopped:
            return "ABORTED"
        if now_s >= self.ends_s:
            return "FAILED" if self.failure else "COMPLETED"
        if now_s >= self.created_s + BEGIN_S:
            return "RUNNING"
        return "PENDING" if self.kind == "Restore" else "CREATED"

    def document(self, now_s: float) -> Document:
        """The job as Describe and List show it."""
        state = self.state(now_s)
        ended = state in ("COMPLETED", "FAILED", "ABORTED")
        share = (
            1.0
            if state == "COMPLETED"
            else min(0.99, max(0.0, (now_s - self.created_s) / (self.ends_s - self.created_s)))
        )
        return present(
            {
                f"{self.kind}JobId": self.identifier, "AccountId": ACCOUNT, "ResourceType": RESOURCE_TYPE,
                "CreationDate": self.created_s, "CompletionDate": self.ends_s if ended else None,
                "Status" if self.kind == "Restore" else "State": state,
                "StatusMessage": self.failure if state == "FAILED" else None,
                "PercentDone": None if self.kind == "Copy" else f"{share:.2%}", "IsParent": False,
                **self.facts, **(self.later if state == "COMPLETED" else {}),
            }
        )  # fmt: skip


class Jobs:
    """Every job by Region, and the calls that start and show them."""

    def __init__(self, world: World, points: RecoveryPoints) -> None:
        self._world = world
        self._points = points
        self._held: dict[str, dict[str, Job]] = {}
        self._tokens: dict[tuple[str, str, str], Job] = {}

    def start_backup(self, call: Call) -> Document:
        """StartBackupJob: the snapshot is of this instant."""
        arn, name, _ = call.need("ResourceArn", "BackupVaultName", "IamRoleArn")
        vault = vault_of(call.region, name)
        if ":dynamodb:" not in arn:
            raise InvalidParameterValueException(f"The sandbox backs up DynamoDB tables only, not {arn}")
        if job := self._repeated(call, "Backup"):
            return _started(job)
        lifecycle, now_s = checked_lifecycle(call.body.get("Lifecycle")), self._world.now()
        failure = outside_lock(vault, lifecycle)
        facts = {
            "BackupVaultName": name, "BackupVaultArn": vault.backup_vault_arn, "ResourceArn": arn,
            "ResourceName": arn.rpartition("/")[2], "IamRoleArn": call.body["IamRoleArn"], "InitiationDate": now_s,
            "StartBy": now_s + 60 * int(call.body.get("StartWindowMinutes") or 480), "IsEncrypted": True,
            "RecoveryPointLifecycle": lifecycle or None,
        }  # fmt: skip
        job = Job("Backup", now_s, now_s + BACKUP_S, facts, failure)
        if not failure:
            point = self._points.take(call.region, call.body, lifecycle, job.ends_s)
            facts |= {"RecoveryPointArn": point.arn}
            job.later = {"BackupSizeInBytes": point.backup.size_bytes, "BytesTransferred": point.backup.size_bytes}
        return _started(self._keep(call, job))

    def stop_backup(self, call: Call) -> None:
        """StopBackupJob: the recovery point goes as well."""
        job = self._job(call, "Backup")
        if job.state(self._world.now()) not in ("CREATED", "RUNNING"):
            raise refused(f"Backup job {job.identifier} has already ended")
        job.stopped, job.ends_s = True, self._world.now()
        if arn := job.facts.get("RecoveryPointArn"):
            self._points.discard(call.region, arn)

    def start_restore(self, call: Call) -> Document:
        """StartRestoreJob: a new table with what a DynamoDB restore keeps; a name in use shows as FAILED later."""
        arn, metadata = call.need("RecoveryPointArn", "Metadata")
        point, now_s = self._points.one(call.region, arn), self._world.now()
        if now_s < point.ready_s:
            raise refused(f"Recovery point {arn} is not COMPLETED")
        if not metadata.get("targetTableName"):
            raise InvalidParameterValueException("Metadata lacks targetTableName")
        if job := self._repeated(call, "Restore"):
            return {"RestoreJobId": job.identifier}
        facts = {
            "RecoveryPointArn": arn, "SourceResourceArn": point.resource_arn, "BackupVaultArn": point.vault_arn,
            "IamRoleArn": call.body.get("IamRoleArn"), "RecoveryPointCreationDate": point.created_s,
            "BackupSizeInBytes": point.backup.size_bytes, "ResourceArn": point.resource_arn,
        }  # fmt: skip
        job = Job("Restore", now_s, now_s + self._world.durations.restore_s, facts, metadata=metadata)
        try:
            made = self._restored(call, point, metadata)
            job.later, point.restored_s = {"CreatedResourceArn": made}, now_s
        except JsonRESTError as error:
            job.failure, job.ends_s = error.message, now_s + BEGIN_S
        return {"RestoreJobId": self._keep(call, job).identifier}

    def _restored(self, call: Call, point: RecoveryPoint, metadata: dict[str, str]) -> str:
        """Make the table; DynamoDB finds the snapshot only during this call."""
        backend, known = backend_of(call.region), point.arn in backend_of(call.region).backups
        body: Document = {"BackupArn": point.arn, "TargetTableName": metadata["targetTableName"]}
        if metadata.get("encryptionType") == "KMS":
            key = {"KMSMasterKeyId": metadata["kmsMasterKeyArn"]} if metadata.get("kmsMasterKeyArn") else {}
            body["SSESpecificationOverride"] = {"Enabled": True, "SSEType": "KMS", **key}
        backend.backups[point.arn] = point.backup  # type: ignore[assignment]
        try:
            table = restore_from_backup(self._world, backend, body)
        finally:
            if not known:
                del backend.backups[point.arn]
        if call.body.get("CopySourceTagsToRestoredResource"):
            table.tags = [{"Key": name, "Value": value} for name, value in point.tags.items()]
        return str(table.table_arn)

    def validate(self, call: Call) -> None:
        """PutRestoreValidationResult: the verdict of someone who compared the items."""
        job, now_s = self._job(call, "Restore"), self._world.now()
        (verdict,) = call.need("ValidationStatus")
        if verdict not in VERDICTS:
            raise InvalidParameterValueException(f"ValidationStatus must be one of {', '.join(VERDICTS)}")
        if job.state(now_s) != "COMPLETED":
            raise refused(f"Restore job {job.identifier} is {job.state(now_s)}; only a completed one is validated")
        job.facts["ValidationStatus"] = verdict
        job.facts["ValidationStatusMessage"] = call.body.get("ValidationStatusMessage")

    def start_copy(self, call: Call) -> Document:
        """StartCopyJob: the same snapshot in another vault, also of another Region."""
        arn, source, target, role = call.need(
            "RecoveryPointArn", "SourceBackupVaultName", "DestinationBackupVaultArn", "IamRoleArn"
        )
        point = self._points.one(call.region, arn, source)
        if not arn.startswith("arn:aws:backup"):
            raise refused("A backup without advanced DynamoDB features cannot be copied")
        region, name = target.split(":")[3], target.rpartition(":")[2]
        vault, lifecycle, now_s = (
            vault_of(region, name),
            checked_lifecycle(call.body.get("Lifecycle")),
            self._world.now(),
        )
        if job := self._repeated(call, "Copy"):
            return _started(job)
        facts = {
            "SourceBackupVaultArn": point.vault_arn, "SourceRecoveryPointArn": arn, "DestinationBackupVaultArn": target,
            "ResourceArn": point.resource_arn, "ResourceName": point.resource_arn.rpartition("/")[2],
            "IamRoleArn": role, "BackupSizeInBytes": point.backup.size_bytes,
            "DestinationRecoveryPointLifecycle": lifecycle or None,
        }  # fmt: skip
        job = Job("Copy", now_s, now_s + COPY_S, facts, outside_lock(vault, lifecycle))
        if not job.failure:
            backup = replace(point.backup, arn=new_arn(region), busy_until_s=0.0)
            self._points.keep(
                region,
                replace(
                    point, backup=backup, vault=name, vault_arn=target, lifecycle=lifecycle, created_s=now_s,
                    ready_s=job.ends_s, source_vault_arn=point.vault_arn, restored_s=None,
                ),
            )  # fmt: skip
            job.later = {"DestinationRecoveryPointArn": backup.arn}
        return _started(self._keep(call, job))

    def describe(self, kind: str, call: Call) -> Document:
        """DescribeBackupJob, DescribeRestoreJob, DescribeCopyJob."""
        document = self._shown(self._job(call, kind))
        return {"CopyJob": document} if kind == "Copy" else document

    def listed(self, kind: str, call: Call) -> Document:
        """ListBackupJobs, ListRestoreJobs, ListCopyJobs, ListRestoreJobsByProtectedResource: newest first."""
        query = dict(call.query)
        if "resourceArn" in call.path:
            query["resourceArn"] = call.path["resourceArn"]
        now_s = self._world.now()
        jobs = sorted(self._held.get(call.region, {}).values(), key=lambda job: -job.created_s)
        chosen = (job for job in jobs if job.kind == kind and selected(job.document(now_s), query))
        return page(call, f"{kind}Jobs", (self._shown(job) for job in chosen))

    def _shown(self, job: Job) -> Document:
        document = job.document(self._world.now())
        if job.kind == "Restore":
            document.pop("ResourceArn")  # for the filter only: the service names it SourceResourceArn
        return document

    def restore_metadata(self, call: Call) -> Document:
        """GetRestoreJobMetadata."""
        job = self._job(call, "Restore")
        return {"RestoreJobId": job.identifier, "Metadata": job.metadata}

    def _job(self, call: Call, kind: str) -> Job:
        job = self._held.get(call.region, {}).get(call.path["job"])
        if job is None or job.kind != kind:
            raise ResourceNotFoundException(f"{kind} job {call.path['job']} does not exist")
        return job

    def _repeated(self, call: Call, kind: str) -> Job | None:
        return self._tokens.get((call.region, kind, str(call.body.get("IdempotencyToken"))))

    def _keep(self, call: Call, job: Job) -> Job:
        self._held.setdefault(call.region, {})[job.identifier] = job
        if token := call.body.get("IdempotencyToken"):
            self._tokens[call.region, job.kind, str(token)] = job
        return job


def _started(job: Job) -> Document:
    answer: dict[str, Any] = {
        f"{job.kind}JobId": job.identifier,
        "CreationDate": job.created_s,
        "IsParent": False,
    }
    if arn := job.facts.get("RecoveryPointArn"):
        answer["RecoveryPointArn"] = arn
    return answer
