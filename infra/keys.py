"""Every configuration key of a stack, as data: type, default, range, meaning.

`Pulumi.yaml` documents the same keys to the Pulumi CLI (a test holds the two equal). Values arrive as
text; an array is a JSON list or names separated by commas.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from infra import schema

KeyType = Literal["string", "integer", "boolean", "array"]
Value = str | int | bool | tuple[str, ...]
DATABASE_ENGINES = ("postgres", "mysql", "aurora-postgresql", "aurora-mysql")


class ConfigError(ValueError):
    """A configuration value that cannot be used; the message names the key."""


@dataclass(frozen=True, slots=True)
class Key:
    """One configuration key; `low` and `high` bound an integer, `choices` a string."""

    type: KeyType
    default: Value
    description: str
    low: int | None = None
    high: int | None = None
    choices: tuple[str, ...] = ()

    def parse(self, name: str, text: str) -> Value:
        """The typed value of `text`; ConfigError names the key and what it accepts."""
        if self.type == "integer":
            return self._integer(name, text)
        if self.type == "boolean":
            return _boolean(name, text)
        if self.type == "array":
            return _array(name, text)
        if self.choices and text not in self.choices:
            raise ConfigError(f"{name}: {text!r} is not one of {', '.join(self.choices)}")
        return text

    def _integer(self, name: str, text: str) -> int:
        try:
            number = int(text)
        except ValueError as error:
            raise ConfigError(f"{name}: {text!r} is not a whole number") from error
        low = self.low if self.low is not None else number
        high = self.high if self.high is not None else number
        if not low <= number <= high:
            bounds = f"between {self.low} and {self.high}" if self.high is not None else f"at least {self.low}"
            raise ConfigError(f"{name}: {number} is not {bounds}")
        return number


def _boolean(name: str, text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ConfigError(f"{name}: {text!r} is neither true nor false")
    return text.lower() == "true"


def _array(name: str, text: str) -> tuple[str, ...]:
    if not text.strip().startswith("["):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{name}: not a JSON list: {error}") from error
    if not all(isinstance(entry, str) for entry in entries):
        raise ConfigError(f"{name}: every entry must be text")
    return tuple(entries)


def _text(default: str, description: str, *choices: str) -> Key:
    return Key("string", default, description, choices=choices)


def _number(default: int, description: str, low: int = 1, high: int | None = None) -> Key:
    return Key("integer", default, description, low=low, high=high)


def _flag(default: bool, description: str) -> Key:
    return Key("boolean", default, description)


def _names(description: str) -> Key:
    return Key("array", (), description)


STACK = {
    "environmentClass": _text(
        "development",
        "What the stack is for; drills and destructive commands ask for more in production.",
        "sandbox",
        "development",
        "production",
    ),
    "replicaRegions": _names("Regions that hold a replica of every table; none by default."),
    "operatorPrincipals": _names("ARNs allowed to assume the operator roles; empty means this account."),
    "owner": _text("", "Who answers for the stack; becomes the tag owner."),
}

TABLE = {
    "tableName": _text(schema.TABLE, "Physical name of the table top_tracks."),
    "tables": _text(
        "",
        "JSON object of tables by logical name: keys, indexes and any of the table settings below; "
        "empty means top_tracks alone.",
    ),
    "billingMode": _text("PROVISIONED", "Capacity mode of the tables.", "PROVISIONED", "PAY_PER_REQUEST"),
    "readCapacity": _number(schema.READ_CAPACITY, "Read capacity of a table and of each index; the scaling floor."),
    "writeCapacity": _number(schema.WRITE_CAPACITY, "Write capacity of a table and of each index; the scaling floor."),
    "maximumReadCapacity": _number(schema.MAXIMUM_CAPACITY, "Ceiling of read scaling, table and index each."),
    "maximumWriteCapacity": _number(schema.MAXIMUM_CAPACITY, "Ceiling of write scaling, table and index each."),
    "scaleInCooldownSeconds": _number(schema.SCALE_IN_COOLDOWN_S, "Pause after scaling in.", 0, 3600),
    "scaleOutCooldownSeconds": _number(schema.SCALE_OUT_COOLDOWN_S, "Pause after scaling out.", 0, 3600),
    "tableClass": _text("STANDARD", "Storage class of the tables.", "STANDARD", "STANDARD_INFREQUENT_ACCESS"),
    "pitrDays": _number(schema.PITR_DAYS, "Days of point-in-time recovery.", 1, 35),
    "ttlAttribute": _text(schema.TTL_ATTRIBUTE, "Time-to-live attribute of top_tracks; - turns it off."),
    "onDemandMaximumReadUnits": _number(0, "Ceiling of reads in PAY_PER_REQUEST, table and index each; 0 is none.", 0),
    "onDemandMaximumWriteUnits": _number(
        0, "Ceiling of writes in PAY_PER_REQUEST, table and index each; 0 is none.", 0
    ),
    "tableKmsKeyArn": _text("", "Customer KMS key of the tables; empty means the AWS managed key."),
    "replicaKmsKeyArns": _text(
        "", "JSON object of customer KMS keys by replica Region; one for every replica when tableKmsKeyArn is set."
    ),
    "kinesisStreamArn": _text("", "Kinesis data stream that receives every change; empty means none."),
    "adoptTables": _names(
        "Logical names of tables to take over: the configured physical name exists already, e.g. from a restore."
    ),
    "deletionProtection": _flag(True, "Deletion protection of tables, replicas and database; false in sandbox only."),
    "rtoSeconds": _number(3600, "Recovery time objective of the tables."),
    "rpoSeconds": _number(300, "Recovery point objective of the tables."),
    "maximumLostItems": _number(0, "Items a recovery may lose.", 0),
}

DATABASE = {
    "databaseEnabled": _flag(True, "Declare the artists database."),
    "databaseEngine": _text("postgres", "Engine of the database.", *DATABASE_ENGINES),
    "databaseEngineVersion": _text("", "Engine version; empty means the default of infra.settings."),
    "databaseIdentifier": _text("artists", "Identifier of the database instance or Aurora cluster."),
    "databaseInstanceClass": _text(
        "", "Instance class of the database; empty means db.t4g.micro, for Aurora db.t4g.medium."
    ),
    "databaseStorageGib": _number(20, "Storage of the database in GiB; Aurora grows by itself.", 20, 65536),
    "databaseName": _text(schema.DATABASE_NAME, "Database created in the instance."),
    "databaseUsername": _text(schema.DATABASE_USERNAME, "Master user; RDS manages its password."),
    "databaseBackupDays": _number(7, "Days of automated database backups.", 7, 35),
    "databaseMultiAz": _flag(False, "Keep a standby (Aurora: a reader) of the database in a second zone."),
    "databaseBackupRegion": _text("", "Region that receives the automated backups of the instance; empty means none."),
    "adoptDatabase": _flag(False, "Take over a database that exists under databaseIdentifier, e.g. from a restore."),
}

CACHE = {
    "cacheEnabled": _flag(False, "Declare a DAX cluster in front of the tables."),
    "cacheNodeType": _text("dax.t3.small", "Node type of the DAX cluster."),
    "cacheNodes": _number(1, "Nodes of the DAX cluster: 1, or 3 and more to survive the loss of one.", 1, 11),
    "cacheRecordTtlMilliseconds": _number(300_000, "How long DAX keeps an item.", 0),
    "cacheQueryTtlMilliseconds": _number(300_000, "How long DAX keeps a query result; 0 turns the query cache off.", 0),
}

NETWORK = {
    "networkCidr": _text("10.20.0.0/16", "Address range of the VPC, /16 to /22."),
    "networkZones": _number(2, "Availability zones with a private subnet.", 2, 4),
    "interfaceEndpoints": _names("AWS services reached through interface endpoints, e.g. ssm, secretsmanager, kms."),
    "bastionEnabled": _flag(False, "Declare a small instance for Session Manager port forwarding to the database."),
    "bastionInstanceType": _text("t4g.nano", "Instance type of the bastion, an arm64 one."),
}

STORAGE = {
    "exportBucketName": _text("", "Name of the export bucket; empty means PROJECT-STACK-exports-ACCOUNT."),
    "exportPrefix": _text(schema.EXPORT_PREFIX, "Key prefix of the exports."),
    "exportRetentionDays": _number(90, "Days an export is kept; longer than pitrDays.", 2),
    "evidenceBucketName": _text("", "Name of the evidence bucket; empty means PROJECT-STACK-evidence-ACCOUNT."),
    "evidenceLockDays": _number(
        0, "Days that evidence of drills cannot be deleted (Object Lock); 0 means no evidence bucket.", 0, 36500
    ),
    "evidenceLockMode": _text(
        "GOVERNANCE", "COMPLIANCE binds everybody, the root user included.", "GOVERNANCE", "COMPLIANCE"
    ),
}

BACKUP = {
    "backupSchedule": _text("cron(0 5 * * ? *)", "When AWS Backup runs, in UTC."),
    "backupRetentionDays": _number(35, "Days a recovery point is kept.", 1, 36500),
    "backupColdStorageDays": _number(0, "Days before a recovery point moves to cold storage; 0 means never.", 0),
    "backupCopyRegion": _text("", "Region that receives a copy of every recovery point; empty means none."),
    "backupLockDays": _number(
        0, "Days that a recovery point cannot be deleted (vault lock); 0 means no lock.", 0, 36500
    ),
    "backupLockGraceDays": _number(
        0, "Days until the vault lock itself can never be removed, 3 or more; 0 keeps it removable.", 0, 36500
    ),
    "restoreTestingSchedule": _text("", "When AWS Backup restores on trial, as cron(...) in UTC; empty means never."),
    "restoreTestingHours": _number(24, "Hours that a restore on trial is kept for its verifier.", 0, 168),
}

OBSERVABILITY = {
    "alarmEmail": _text("", "Address that is told of alarms; empty means nobody is subscribed."),
    "replicaLagMilliseconds": _number(60_000, "Replication latency that raises an alarm.", 1000),
    "backupAgeDays": _number(2, "Days without a completed backup that raise an alarm.", 1, 7),
    "restoreProofDays": _number(0, "Days without a proven restore that raise an alarm; 0 means no alarm.", 0, 7),
    "importErrorAlarm": _flag(
        False, "Declare the log group of imports and an alarm on its errors; one stack per account and Region may."
    ),
}

SOURCE = {
    "sourceApiUrl": _text("https://api.spotify.com/v1", "Address of the track API."),
    "sourceAccountsUrl": _text("https://accounts.spotify.com", "Address that issues tokens for the track API."),
}

KEYS: Mapping[str, Key] = {
    **STACK,
    **TABLE,
    **DATABASE,
    **CACHE,
    **NETWORK,
    **STORAGE,
    **BACKUP,
    **OBSERVABILITY,
    **SOURCE,
}
