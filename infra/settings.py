"""Settings of the parts other than tables, as typed data, and how configuration becomes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# The newest long-lived versions when this was written; RDS retires versions, and databaseEngineVersion overrides.
DEFAULT_VERSIONS = {
    "postgres": "16",
    "mysql": "8.4",
    "aurora-postgresql": "16.6",
    "aurora-mysql": "8.0.mysql_aurora.3.08.0",
}


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    engine: str
    engine_version: str
    identifier: str
    instance_class: str
    storage_gib: int
    database: str
    username: str
    backup_days: int
    multi_az: bool
    backup_region: str | None = None
    adopt: bool = False

    @property
    def aurora(self) -> bool:
        return self.engine.startswith("aurora-")

    @property
    def postgres(self) -> bool:
        return self.engine.startswith("postgres") or self.engine == "aurora-postgresql"

    @property
    def port(self) -> int:
        return 5432 if self.postgres else 3306


@dataclass(frozen=True, slots=True)
class CacheSettings:
    node_type: str
    nodes: int
    record_ttl_ms: int
    query_ttl_ms: int


@dataclass(frozen=True, slots=True)
class EvidenceSettings:
    """A bucket whose objects nobody can delete for a time."""

    bucket_name: str | None
    lock_days: int
    lock_mode: str


@dataclass(frozen=True, slots=True)
class BackupSettings:
    """The daily plan; `lock_days` 0 is no vault lock, `testing_schedule` None no restore testing."""

    schedule: str
    retention_days: int
    cold_storage_days: int
    copy_region: str | None
    lock_days: int = 0
    lock_grace_days: int = 0
    testing_schedule: str | None = None
    testing_hours: int = 24


@dataclass(frozen=True, slots=True)
class AlarmSettings:
    email: str | None
    replica_lag_ms: int
    backup_age_days: int
    restore_proof_days: int
    import_errors: bool


def database_settings(of: Mapping[str, Any]) -> DatabaseSettings | None:
    if not of["databaseEnabled"]:
        return None
    engine = of["databaseEngine"]
    smallest = "db.t4g.medium" if engine.startswith("aurora-") else "db.t4g.micro"
    return DatabaseSettings(
        engine=engine,
        engine_version=of["databaseEngineVersion"] or DEFAULT_VERSIONS[engine],
        identifier=of["databaseIdentifier"],
        instance_class=of["databaseInstanceClass"] or smallest,
        storage_gib=of["databaseStorageGib"],
        database=of["databaseName"],
        username=of["databaseUsername"],
        backup_days=of["databaseBackupDays"],
        multi_az=of["databaseMultiAz"],
        backup_region=of["databaseBackupRegion"] or None,
        adopt=of["adoptDatabase"],
    )


def cache_settings(of: Mapping[str, Any]) -> CacheSettings | None:
    if not of["cacheEnabled"]:
        return None
    return CacheSettings(
        node_type=of["cacheNodeType"],
        nodes=of["cacheNodes"],
        record_ttl_ms=of["cacheRecordTtlMilliseconds"],
        query_ttl_ms=of["cacheQueryTtlMilliseconds"],
    )


def evidence_settings(of: Mapping[str, Any]) -> EvidenceSettings | None:
    if not of["evidenceLockDays"]:
        return None
    return EvidenceSettings(of["evidenceBucketName"] or None, of["evidenceLockDays"], of["evidenceLockMode"])


def backup_settings(of: Mapping[str, Any]) -> BackupSettings:
    return BackupSettings(
        schedule=of["backupSchedule"],
        retention_days=of["backupRetentionDays"],
        cold_storage_days=of["backupColdStorageDays"],
        copy_region=of["backupCopyRegion"] or None,
        lock_days=of["backupLockDays"],
        lock_grace_days=of["backupLockGraceDays"],
        testing_schedule=of["restoreTestingSchedule"] or None,
        testing_hours=of["restoreTestingHours"],
    )


def alarm_settings(of: Mapping[str, Any]) -> AlarmSettings:
    return AlarmSettings(
        email=of["alarmEmail"] or None,
        replica_lag_ms=of["replicaLagMilliseconds"],
        backup_age_days=of["backupAgeDays"],
        restore_proof_days=of["restoreProofDays"],
        import_errors=of["importErrorAlarm"],
    )
