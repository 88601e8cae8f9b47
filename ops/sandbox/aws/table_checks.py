"""What CreateTable and UpdateTable refuse and moto lets through.

docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html and API_UpdateTable.html.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from moto.dynamodb.models.table import Table

from ops.sandbox.aws.errors import not_imitated, validation
from ops.sandbox.aws.requests import check_table_name

INVALID = "One or more parameter values were invalid: "
# members of UpdateTable that ask for a change; attribute definitions alone change nothing
CHANGES = frozenset({
    "BillingMode", "DeletionProtectionEnabled", "DisassociationProtectionEnabled", "GlobalSecondaryIndexUpdates",
    "OnDemandThroughput", "ProvisionedThroughput", "ReplicaUpdates", "SSESpecification", "StreamSpecification",
    "TableClass", "WarmThroughput",
})  # fmt: skip
# members of these calls that nothing here acts on: accepted, they would look done
UNKNOWN = frozenset({
    "GlobalTableSettingsReplicationMode", "GlobalTableSourceArn", "GlobalTableWitnessUpdates", "MultiRegionConsistency",
    "VectorIndexOverride", "VectorIndexUpdates", "VectorIndexes",
})  # fmt: skip
_UNITS = ("ReadCapacityUnits", "WriteCapacityUnits")

Document = dict[str, Any]


def check_known(body: Document) -> None:
    """Refuse what is not imitated, before anything is made or changed."""
    if found := sorted(name for name in UNKNOWN if body.get(name)):
        raise not_imitated(f"{', '.join(found)}: nothing was changed")


def check_create(body: Document) -> None:
    """Names, the key schema, and how local indexes relate to it."""
    check_known(body)
    check_table_name(body["TableName"])
    if body.get("KeySchema") is None:
        raise validation(
            "1 validation error detected: Value null at 'keySchema' failed to satisfy constraint: Member must not be "
            "null"
        )
    _check_units("provisionedThroughput", body.get("ProvisionedThroughput"))
    local = body.get("LocalSecondaryIndexes") or []
    names = [one["IndexName"] for one in (*local, *(body.get("GlobalSecondaryIndexes") or []))]
    for name in names:
        if names.count(name) > 1:
            raise validation(f"{INVALID}Duplicate index name: {name}")
    if local and len(body["KeySchema"]) < 2:
        raise validation(
            f"{INVALID}Table KeySchema does not have a range key, which is required when specifying a "
            "LocalSecondaryIndex"
        )
    partition = _partition(body["KeySchema"])
    for index in local:
        if (found := _partition(index["KeySchema"])) != partition:
            raise validation(
                f"{INVALID}Index KeySchema does not have the same leading hash key as table KeySchema for index: "
                f"{index['IndexName']}. index hash key: {found}, table hash key: {partition}"
            )


def check_change(table: Table, body: Document) -> None:
    """An update asks for a change, with units of at least one, and not for what is there already."""
    check_known(body)
    asked = CHANGES & {name for name, value in body.items() if value is not None}
    if not asked:
        raise validation(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or "
            "SSESpecification or ReplicaUpdates is required"
        )
    wanted = body.get("ProvisionedThroughput")
    _check_units("provisionedThroughput", wanted)
    held = {name: table.throughput.get(name) for name in _UNITS}
    if asked == {"ProvisionedThroughput"} and table.billing_mode == "PROVISIONED" and wanted == held:
        shown = " ".join(
            f"Current {name} provisioned for the table: {held[name]}. Requested {name}: {held[name]}."
            for name in _UNITS
        )
        raise validation(
            "The provisioned throughput for the table will not change. The requested value equals the current value. "
            f"{shown} Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits."
        )
    defined = {one["AttributeName"] for one in (*table.attr, *(body.get("AttributeDefinitions") or []))}
    for key in _new_keys(body):
        if key not in defined:
            raise validation(f"{INVALID}Some index key attributes are not defined in AttributeDefinitions")


def _new_keys(body: Document) -> Iterable[str]:
    for update in body.get("GlobalSecondaryIndexUpdates") or []:
        for key in update.get("Create", {}).get("KeySchema", []):
            yield key["AttributeName"]


def _partition(schema: list[dict[str, str]]) -> str | None:
    return next((one["AttributeName"] for one in schema if one["KeyType"] == "HASH"), None)


def _check_units(member: str, throughput: Document | None) -> None:
    for name in _UNITS:
        if throughput and throughput.get(name, 1) < 1:
            raise validation(
                f"1 validation error detected: Value '{throughput[name]}' at '{member}.{name[0].lower()}{name[1:]}' "
                "failed to satisfy constraint: Member must have value greater than or equal to 1"
            )
