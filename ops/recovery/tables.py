"""Tables by their physical names: describe, list, create in the declared shape, delete what a drill made."""

from __future__ import annotations

from typing import Any

from infra.environment import IndexDocument, KeyAttribute, TableDocument
from ops.aws import AwsError, ControlPlane
from ops.clock import Clock
from ops.errors import NotADrillName, RecoveryFailed, StillRunning, TableNotFound, TargetExists
from ops.recovery.journal import DRILL_PREFIX, mutate
from ops.recovery.waiting import wait_patiently
from ops.runs import Run

POLL_S = 5.0
DELETE_TIMEOUT_S = 1800.0
SCALING_NAMESPACE = "dynamodb"


def describe(control: ControlPlane, table: str, region: str | None = None) -> dict[str, Any]:
    """`Table` of DescribeTable; raises TableNotFound."""
    described: dict[str, Any] = control.call("dynamodb", "describe_table", region=region, TableName=table)["Table"]
    return described


def exists(control: ControlPlane, table: str, region: str | None = None) -> bool:
    """Whether a table of that name is there, in whatever state; a denied look raises."""
    try:
        describe(control, table, region)
    except TableNotFound:
        return False
    return True


def list_tables(control: ControlPlane, region: str | None = None) -> list[str]:
    """Names of all tables of the region, in order."""
    return sorted(control.pages("dynamodb", "list_tables", "TableNames", region=region))


def create_like(control: ControlPlane, name: str, document: TableDocument, run: Run | None = None) -> dict[str, Any]:
    """Ask for an empty table of the declared keys, indexes, capacity and encryption; TargetExists if taken.

    Returns at once; the table answers when `restore.wait_active` has returned.
    """
    try:
        answer = mutate(control, run, "dynamodb", "create_table", name, create_parameters(name, document, run))
    except AwsError as error:
        if error.aws_code == "ResourceInUseException":
            raise TargetExists(f"table {name} exists already", why=error.message) from error
        raise
    made: dict[str, Any] = answer["TableDescription"]
    return made


def create_parameters(name: str, document: TableDocument, run: Run | None = None) -> dict[str, Any]:
    """CreateTable parameters of the declared keys, indexes, capacity, encryption; also what ImportTable takes."""
    contract = document.contract
    wanted: dict[str, Any] = {
        "TableName": name,
        "AttributeDefinitions": attribute_definitions(document),
        "KeySchema": key_schema(document.partition_key, document.sort_key),
        "BillingMode": contract.billing_mode,
    }
    capacity = _capacity(document)
    if capacity:
        wanted["ProvisionedThroughput"] = capacity
    if document.indexes:
        wanted["GlobalSecondaryIndexes"] = [_index(index, capacity) for index in document.indexes]
    if contract.sse_kms_key_arn:
        wanted["SSESpecification"] = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": contract.sse_kms_key_arn}
    if run is not None and name.startswith(DRILL_PREFIX):
        wanted["Tags"] = [{"Key": "ops:run", "Value": run.id}, {"Key": "ops-drill", "Value": "true"}]
    return wanted


def key_schema(partition: KeyAttribute, sort: KeyAttribute | None) -> list[dict[str, str]]:
    """AWS's KeySchema of a table or an index."""
    keys = [{"AttributeName": partition.name, "KeyType": "HASH"}]
    return keys if sort is None else [*keys, {"AttributeName": sort.name, "KeyType": "RANGE"}]


def attribute_definitions(document: TableDocument) -> list[dict[str, str]]:
    """Every attribute that is a key of the table or of an index, once."""
    found: dict[str, str] = {}
    keys = [document.partition_key, document.sort_key]
    for index in document.indexes:
        keys += [index.partition_key, index.sort_key]
    for key in keys:
        if key is not None:
            found.setdefault(key.name, key.type)
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in found.items()]


def _capacity(document: TableDocument) -> dict[str, int]:
    contract = document.contract
    if contract.billing_mode != "PROVISIONED":
        return {}
    return {"ReadCapacityUnits": contract.read_capacity or 1, "WriteCapacityUnits": contract.write_capacity or 1}


def _index(index: IndexDocument, capacity: dict[str, int]) -> dict[str, Any]:
    projection: dict[str, Any] = {"ProjectionType": index.projection}
    if index.include:
        projection["NonKeyAttributes"] = list(index.include)
    wanted = {
        "IndexName": index.name,
        "KeySchema": key_schema(index.partition_key, index.sort_key),
        "Projection": projection,
    }
    return {**wanted, "ProvisionedThroughput": capacity} if capacity else wanted


def require_drill_name(name: str) -> None:
    """Refuse whatever is not a drill's own."""
    if not name.startswith(DRILL_PREFIX):
        raise NotADrillName(f"'{name}' does not begin with {DRILL_PREFIX}")


def delete_drill_table(
    control: ControlPlane,
    name: str,
    run: Run | None,
    clock: Clock,
    *,
    leave_system_backup: bool = False,
    timeout_s: float = DELETE_TIMEOUT_S,
) -> bool:
    """Delete a drill's table and wait until it is gone; False when there was none.

    Deletion protection is switched off first, and PITR too unless `leave_system_backup`: a table deleted with
    PITR on leaves a system backup for 35 days that nobody can delete.
    """
    require_drill_name(name)
    if not exists(control, name):
        return False
    described = wait_settled(control, name, clock, timeout_s)
    if described.get("DeletionProtectionEnabled"):
        mutate(
            control, run, "dynamodb", "update_table", name,
            {"TableName": name, "DeletionProtectionEnabled": False},
        )  # fmt: skip
        wait_settled(control, name, clock, timeout_s)
    if not leave_system_backup:
        _switch_pitr_off(control, name, run)
    mutate(control, run, "dynamodb", "delete_table", name, {"TableName": name})
    gone = wait_patiently(
        lambda: True if not exists(control, name) else None, clock, interval_s=POLL_S, timeout_s=timeout_s
    )
    if gone is None:
        raise StillRunning(f"table {name} is still being deleted", changed="its deletion was accepted by AWS")
    return True


def _switch_pitr_off(control: ControlPlane, name: str, run: Run | None) -> None:
    backups = control.call("dynamodb", "describe_continuous_backups", TableName=name)["ContinuousBackupsDescription"]
    if backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") != "ENABLED":
        return
    mutate(
        control, run, "dynamodb", "update_continuous_backups", name,
        {"TableName": name, "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": False}},
    )  # fmt: skip


#: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html
_LOST = {
    "DELETING": "somebody is deleting it",
    "INACCESSIBLE_ENCRYPTION_CREDENTIALS": "DynamoDB cannot use its KMS key: disabled, to be deleted, or not granted",
    "ARCHIVING": "its KMS key could not be used for more than seven days",
    "ARCHIVED": "its KMS key could not be used for more than seven days",
}


def wait_settled(
    control: ControlPlane, table: str, clock: Clock, timeout_s: float | None = None, region: str | None = None
) -> dict[str, Any]:
    """Wait until table and indexes are ACTIVE; the description. AWS takes one UpdateTable at a time.

    StillRunning after `timeout_s`; RecoveryFailed when the table goes another way (DELETING, ARCHIVED, ...).
    """
    last: list[str] = []

    def probe() -> dict[str, Any] | None:
        described = describe(control, table, region)
        last[:] = [_state(described)]
        if described["TableStatus"] not in ("ACTIVE", "CREATING", "UPDATING"):
            raise RecoveryFailed(
                f"table {table} is {described['TableStatus']}",
                why=_LOST.get(described["TableStatus"], "AWS gives no reason"),
                fix=("ops list tables", "start again with a new name"),
            )
        return described if last == ["ACTIVE"] else None

    found = wait_patiently(probe, clock, interval_s=POLL_S, timeout_s=timeout_s)
    if found is None:
        raise StillRunning(
            f"table {table} is not ACTIVE after {timeout_s:g} s", why=f"it is {last[0]}", changed="AWS goes on with it"
        )
    return found


def _state(described: dict[str, Any]) -> str:
    if described["TableStatus"] != "ACTIVE":
        return str(described["TableStatus"])
    for index in described.get("GlobalSecondaryIndexes", ()):
        if index.get("IndexStatus", "ACTIVE") != "ACTIVE" or index.get("Backfilling"):
            return f"waiting for index {index['IndexName']}"
    for replica in described.get("Replicas", ()):
        if replica.get("ReplicaStatus") in ("CREATING", "UPDATING"):
            return f"waiting for the replica in {replica['RegionName']}"
    return "ACTIVE"


def delete_scaling(control: ControlPlane, name: str, run: Run | None = None) -> tuple[str, ...]:
    """Remove the scaling targets and policies a drill's table left: they are kept by name and would be inherited.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/AutoScaling.html; what was removed, by name.
    """
    require_drill_name(name)
    removed: list[str] = []
    for policy in scaling_of(control, name, "describe_scaling_policies", "ScalingPolicies"):
        wanted = {**_scalable(policy), "PolicyName": policy["PolicyName"]}
        mutate(control, run, "application-autoscaling", "delete_scaling_policy", policy["ResourceId"], wanted)
        removed.append(policy["PolicyName"])
    for target in scaling_of(control, name, "describe_scalable_targets", "ScalableTargets"):
        wanted = _scalable(target)
        mutate(control, run, "application-autoscaling", "deregister_scalable_target", target["ResourceId"], wanted)
        removed.append(f"{target['ResourceId']} {target['ScalableDimension']}")
    return tuple(removed)


def scaling_of(
    control: ControlPlane, table: str, operation: str, member: str, region: str | None = None
) -> list[dict[str, Any]]:
    """Scaling targets or policies of a table and of its indexes, whether or not the table is still there."""
    own = f"table/{table}"
    found = control.pages(
        "application-autoscaling", operation, member, region=region, ServiceNamespace=SCALING_NAMESPACE
    )
    return [one for one in found if one["ResourceId"] == own or one["ResourceId"].startswith(f"{own}/index/")]


def _scalable(entry: dict[str, Any]) -> dict[str, str]:
    return {name: entry[name] for name in ("ServiceNamespace", "ResourceId", "ScalableDimension")}
