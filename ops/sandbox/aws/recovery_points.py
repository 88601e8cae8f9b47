"""Recovery points of AWS Backup for DynamoDB: real snapshots of the table, kept in vaults.

docs.aws.amazon.com/aws-backup/latest/devguide/API_DescribeRecoveryPoint.html, .../API_Lifecycle.html (cold storage for
at least 90 days), .../vault-lock.html (retention limits; nothing is deleted under a compliance lock), and
docs.aws.amazon.com/amazondynamodb/latest/developerguide/backuprestore_HowItWorksAWS.html (with the service's advanced
features the ARN begins with arn:aws:backup, without them with arn:aws:dynamodb).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moto.backup.exceptions import InvalidParameterValueException, ResourceNotFoundException
from moto.backup.models import BackupBackend, Vault, backup_backends

from ops.sandbox.aws.backup_http import Call, Document, page, present, refused
from ops.sandbox.aws.backups import StoredBackup, take
from ops.sandbox.aws.clock import epoch
from ops.sandbox.aws.tables import backend_of, find_table
from ops.sandbox.aws.world import ACCOUNT, World

DAY_S = 86_400
COLD_MINIMUM_DAYS = 90
RESOURCE_TYPE = "DynamoDB"


@dataclass(slots=True, eq=False)
class RecoveryPoint:
    """One snapshot in a vault."""

    backup: StoredBackup
    vault: str
    vault_arn: str
    resource_arn: str
    role: str
    tags: dict[str, str]
    lifecycle: dict[str, int]
    created_s: float
    ready_s: float
    source_vault_arn: str | None = None
    restored_s: float | None = field(default=None)

    @property
    def arn(self) -> str:
        """Its name everywhere."""
        return self.backup.arn

    def calculated(self) -> Document:
        """When it moves to cold storage and when it is deleted."""
        days = {"MoveToColdStorageAt": "MoveToColdStorageAfterDays", "DeleteAt": "DeleteAfterDays"}
        return {
            at: self.created_s + self.lifecycle[after] * DAY_S for at, after in days.items() if after in self.lifecycle
        }

    def summary(self, now_s: float) -> Document:
        """As the lists by vault show it."""
        done = now_s >= self.ready_s
        return present(
            {
                "RecoveryPointArn": self.arn, "BackupVaultName": self.vault, "BackupVaultArn": self.vault_arn,
                "SourceBackupVaultArn": self.source_vault_arn, "ResourceArn": self.resource_arn,
                "ResourceType": RESOURCE_TYPE, "ResourceName": self.resource_arn.rpartition("/")[2],
                "IamRoleArn": self.role, "Status": "COMPLETED" if done else "CREATING",
                "CreationDate": self.created_s, "InitiationDate": self.created_s,
                "CompletionDate": self.ready_s if done else None, "BackupSizeInBytes": self.backup.size_bytes,
                "CalculatedLifecycle": self.calculated() or None, "Lifecycle": self.lifecycle or None,
                "IsEncrypted": True, "IsParent": False, "LastRestoreTime": self.restored_s,
                "VaultType": "BACKUP_VAULT",
            }
        )  # fmt: skip

    def description(self, now_s: float) -> Document:
        """DescribeRecoveryPoint."""
        cold_s = self.calculated().get("MoveToColdStorageAt")
        cold = cold_s is not None and now_s >= cold_s
        return {**self.summary(now_s), "StorageClass": "COLD" if cold else "WARM"}


def checked_lifecycle(given: Document | None) -> dict[str, int]:
    """The two ages; cold storage lasts at least 90 days."""
    wanted = {name: int(days) for name, days in (given or {}).items() if name.endswith("Days") and int(days) >= 0}
    cold, end = wanted.get("MoveToColdStorageAfterDays"), wanted.get("DeleteAfterDays")
    if cold is not None and end is not None and end < cold + COLD_MINIMUM_DAYS:
        raise InvalidParameterValueException(
            "DeleteAfterDays must be at least 90 days greater than MoveToColdStorageAfterDays"
        )
    return wanted


def vaults_of(region: str) -> BackupBackend:
    """moto's AWS Backup of one Region."""
    return backup_backends[ACCOUNT][region]


def vault_of(region: str, name: str) -> Vault:
    """The vault, or ResourceNotFoundException."""
    vault = vaults_of(region).vaults.get(name)
    if vault is None:
        raise ResourceNotFoundException(f"Backup vault {name} does not exist.")
    return vault


def outside_lock(vault: Vault, lifecycle: dict[str, int]) -> str:
    """Why a locked vault does not take a point with this retention; empty when it does."""
    days = lifecycle.get("DeleteAfterDays")
    if not vault.locked:
        return ""
    if vault.min_retention_days and days is not None and days < vault.min_retention_days:
        return f"The retention of {days} days is shorter than the vault's minimum of {vault.min_retention_days}"
    if vault.max_retention_days and (days is None or days > vault.max_retention_days):
        return f"The retention is longer than the vault's maximum of {vault.max_retention_days} days"
    return ""


class RecoveryPoints:
    """All points, by Region and ARN, and what may be done with them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._held: dict[str, dict[str, RecoveryPoint]] = {}
        # UpdateRegionSettings; accounts since November 2021 have the advanced features on
        self._managed: dict[str, dict[str, bool]] = {}

    def take(self, region: str, call: Document, lifecycle: dict[str, int], ready_s: float) -> RecoveryPoint:
        """Snapshot the table now; the point is COMPLETED at `ready_s`."""
        arn, vault = call["ResourceArn"], vault_of(region, call["BackupVaultName"])
        backend = backend_of(region)
        table = find_table(backend, arn)
        if table is None:
            raise ResourceNotFoundException(f"Resource {arn} does not exist")
        name = f"{table.name}-{uuid.uuid4().hex[:8]}"
        backup = take(self._world, backend, table, name, "AWS_BACKUP")
        if self._managed.get(region, {}).get(RESOURCE_TYPE, True):
            del backend.backups[backup.arn]  # out of the reach of DynamoDB's DeleteBackup
            backup.arn = new_arn(region)
        tags = {one["Key"]: one["Value"] for one in table.tags} | (call.get("RecoveryPointTags") or {})
        return self.keep(
            region,
            RecoveryPoint(
                backup, vault.backup_vault_name, vault.backup_vault_arn, arn, call["IamRoleArn"], tags, lifecycle,
                self._world.now(), ready_s,
            ),
        )  # fmt: skip

    def keep(self, region: str, point: RecoveryPoint) -> RecoveryPoint:
        """Add it to its vault."""
        self._held.setdefault(region, {})[point.arn] = point
        return point

    def of(self, region: str) -> list[RecoveryPoint]:
        """Every point of the Region that has not expired and was not deleted by DynamoDB, oldest first."""
        now_s, backups = self._world.now(), backend_of(region).backups
        held = self._held.get(region, {})
        for arn, point in list(held.items()):
            expired = point.calculated().get("DeleteAt", float("inf")) <= now_s
            if expired or (arn.startswith("arn:aws:dynamodb") and arn not in backups):
                self.discard(region, arn)
        return sorted(held.values(), key=lambda one: one.created_s)

    def one(self, region: str, arn: str, vault: str | None = None) -> RecoveryPoint:
        """The point, or ResourceNotFoundException."""
        for point in self.of(region):
            if point.arn == arn and vault in (None, point.vault):
                return point
        raise ResourceNotFoundException(f"Recovery point {arn} does not exist")

    def discard(self, region: str, arn: str) -> None:
        """Remove a point whatever its state."""
        self._held.get(region, {}).pop(arn, None)
        backend_of(region).backups.pop(arn, None)

    def describe(self, call: Call) -> Document:
        """DescribeRecoveryPoint."""
        return self._named(call).description(self._world.now())

    def _named(self, call: Call) -> RecoveryPoint:
        vault_of(call.region, call.path["vault"])
        return self.one(call.region, call.path["pointArn"], call.path["vault"])

    def by_vault(self, call: Call) -> Document:
        """ListRecoveryPointsByBackupVault."""
        vault_of(call.region, call.path["vault"])
        points = [one for one in self.of(call.region) if one.vault == call.path["vault"]]
        shown = [one.summary(self._world.now()) for one in points]
        return page(call, "RecoveryPoints", (one for one in shown if selected(one, call.query)))

    def by_resource(self, call: Call) -> Document:
        """ListRecoveryPointsByResource."""
        names = {"RecoveryPointArn", "CreationDate", "Status", "BackupVaultName", "IsParent", "ResourceName",
                 "VaultType"}  # fmt: skip
        return page(
            call,
            "RecoveryPoints",
            (
                {name: value for name, value in one.summary(self._world.now()).items() if name in names}
                | {"BackupSizeBytes": one.backup.size_bytes}
                for one in self.of(call.region)
                if one.resource_arn == call.path["resourceArn"]
            ),
        )

    def delete(self, call: Call) -> None:
        """DeleteRecoveryPoint; refused under a compliance lock and while it feeds a restore."""
        point, vault = self._named(call), vault_of(call.region, call.path["vault"])
        now_s = self._world.now()
        if vault.locked and vault.lock_date is not None and now_s >= vault.lock_date:
            raise refused(f"Backup vault {vault.backup_vault_name} is locked; recovery points cannot be deleted")
        if point.backup.busy_until_s > now_s:
            raise refused(f"Recovery point {point.arn} is being restored")
        self.discard(call.region, point.arn)

    def change(self, call: Call) -> Document:
        """UpdateRecoveryPointLifecycle."""
        point = self._named(call)
        point.lifecycle = checked_lifecycle(call.body.get("Lifecycle"))
        return {
            "BackupVaultArn": point.vault_arn, "RecoveryPointArn": point.arn, "Lifecycle": point.lifecycle,
            "CalculatedLifecycle": point.calculated(),
        }  # fmt: skip

    def metadata(self, call: Call) -> Document:
        """GetRecoveryPointRestoreMetadata: what StartRestoreJob takes, with the source's name."""
        point = self._named(call)
        sse: dict[str, Any] = point.backup.table.sse_specification or {}
        given = {"targetTableName": point.backup.table.name, "encryptionType": "KMS" if sse else "Default"}
        if key := sse.get("KMSMasterKeyId"):
            given["kmsMasterKeyArn"] = key
        return {
            "BackupVaultArn": point.vault_arn, "RecoveryPointArn": point.arn, "RestoreMetadata": given,
            "ResourceType": RESOURCE_TYPE,
        }  # fmt: skip

    def protected(self, call: Call) -> Document:
        """ListProtectedResources: the newest point of each resource."""
        newest = {one.resource_arn: one for one in self.of(call.region)}
        return page(call, "Results", (_protected(one) for one in newest.values()))

    def protected_one(self, call: Call) -> Document:
        """DescribeProtectedResource."""
        found = [one for one in self.of(call.region) if one.resource_arn == call.path["resourceArn"]]
        if not found:
            raise ResourceNotFoundException(f"Resource {call.path['resourceArn']} is not protected")
        return _protected(found[-1])

    def settings(self, call: Call) -> Document:
        """DescribeRegionSettings."""
        managed = {RESOURCE_TYPE: True} | self._managed.get(call.region, {})
        return {"ResourceTypeOptInPreference": {RESOURCE_TYPE: True}, "ResourceTypeManagementPreference": managed}

    def change_settings(self, call: Call) -> None:
        """UpdateRegionSettings: only the management preference has an effect here."""
        self._managed.setdefault(call.region, {}).update(call.body.get("ResourceTypeManagementPreference") or {})

    def refuse_full_vault(self, region: str, name: str) -> None:
        """Called before DeleteBackupVault."""
        if any(one.vault == name for one in self.of(region)):
            raise refused(f"Backup vault {name} cannot be deleted because it contains recovery points")


def new_arn(region: str) -> str:
    """The ARN of a point that AWS Backup manages itself."""
    return f"arn:aws:backup:{region}:{ACCOUNT}:recovery-point:{uuid.uuid4()}"


def _protected(point: RecoveryPoint) -> Document:
    return {
        "ResourceArn": point.resource_arn, "ResourceType": RESOURCE_TYPE, "LastBackupTime": point.created_s,
        "ResourceName": point.resource_arn.rpartition("/")[2], "LastBackupVaultArn": point.vault_arn,
        "LastRecoveryPointArn": point.arn,
    }  # fmt: skip


_EQUAL = {
    "resourceArn": "ResourceArn", "resourceType": "ResourceType", "state": "State", "status": "Status",
    "backupVaultName": "BackupVaultName", "accountId": "AccountId", "destinationVaultArn": "DestinationBackupVaultArn",
    "sourceRecoveryPointArn": "SourceRecoveryPointArn", "restoreTestingPlanArn": "RestoreTestingPlanArn",
}  # fmt: skip


def selected(entry: Document, query: dict[str, str]) -> bool:
    """Whether an entry of a list passes the filters of the request."""
    for name, member in _EQUAL.items():
        if name in query and entry.get(member) != query[name]:
            return False
    for prefix, member in (("created", "CreationDate"), ("complete", "CompletionDate")):
        when = entry.get(member)
        after, before = query.get(f"{prefix}After"), query.get(f"{prefix}Before")
        if after is not None and (when is None or when < _instant(after)):
            return False
        if before is not None and (when is None or when >= _instant(before)):
            return False
    return True


def _instant(text: str) -> float:
    return epoch(datetime.fromisoformat(text)) if "T" in text else float(text)
