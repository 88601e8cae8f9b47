"""Changes of a table in place: one UpdateTable call per kind of change, as DynamoDB wants it."""

from collections.abc import Iterator
from typing import Any

from ops.sandbox.deploy.model import Inputs, Record
from ops.sandbox.deploy.spec import Client, Document

WAIT = {"Delay": 1, "MaxAttempts": 60}
_INDEX_KEYS = (
    "keySchemas", "projectionType", "nonKeyAttributes", "readCapacity", "writeCapacity", "name", "onDemandThroughput",
)  # fmt: skip
# What UpdateTable changes of an index; anything else makes another index under the same name.
_IN_PLACE = ("readCapacity", "writeCapacity", "onDemandThroughput")
_LEAST_UNITS = 1  # what the provider sends for a capacity that is ignored and was never set


def throughput(found: Inputs) -> Inputs:
    units = {"readCapacityUnits": found.get("readCapacity"), "writeCapacityUnits": found.get("writeCapacity")}
    return {"provisionedThroughput": units} if units["readCapacityUnits"] is not None else {}


def index_request(index: Inputs) -> Inputs:
    """A global secondary index as the API names its parts."""
    unknown = sorted(set(index) - set(_INDEX_KEYS))
    if unknown:
        raise ValueError(f"globalSecondaryIndexes: {', '.join(unknown)} is not known to the sandbox")
    maxima = {"onDemandThroughput": index["onDemandThroughput"]} if index.get("onDemandThroughput") else {}
    projection = {"projectionType": index["projectionType"], "nonKeyAttributes": index.get("nonKeyAttributes")}
    return {
        "indexName": index["name"],
        "keySchema": index["keySchemas"],
        "projection": projection,
        **throughput(index),
        **maxima,
    }


def sse_request(inputs: Inputs) -> Inputs:
    declared = inputs.get("serverSideEncryption") or {"enabled": False}
    key = {"sSEType": "KMS", "kMSMasterKeyId": declared["kmsKeyArn"]} if declared.get("kmsKeyArn") else {}
    return {"enabled": declared["enabled"], **key}


def put_ttl(dynamodb: Any, name: str, ttl: Inputs) -> None:
    specification = {"AttributeName": ttl["attributeName"], "Enabled": ttl.get("enabled", True)}
    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=specification)


def put_pitr(dynamodb: Any, name: str, pitr: Inputs) -> None:
    specification: Document = {"PointInTimeRecoveryEnabled": pitr["enabled"]}
    if pitr.get("recoveryPeriodInDays"):
        specification["RecoveryPeriodInDays"] = int(pitr["recoveryPeriodInDays"])
    dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=specification)


def update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    """Bring the table to `new`; each call waits until the table is ACTIVE again."""
    dynamodb, name = client("dynamodb"), record.inputs["name"]
    for call in _calls(dynamodb, record.inputs, new, changed):
        dynamodb.update_table(TableName=name, **call)
        dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig=WAIT)
    if "ttl" in changed:
        _update_ttl(dynamodb, name, record.inputs.get("ttl"), new.get("ttl"))
    if "pointInTimeRecovery" in changed:
        put_pitr(dynamodb, name, new["pointInTimeRecovery"])
    if "tags" in changed:
        tags = [{"Key": key, "Value": value} for key, value in new["tags"].items()]
        dynamodb.tag_resource(ResourceArn=record.outputs["arn"], Tags=tags)


def _calls(dynamodb: Any, old: Inputs, new: Inputs, changed: set[str]) -> Iterator[Document]:
    """Parameters of the UpdateTable calls, in order: indexes first, so that the mode is set for those that stay."""
    if "globalSecondaryIndexes" in changed:
        yield from _index_calls(dynamodb, old, new)
    if changed & {"readCapacity", "writeCapacity", "billingMode"}:
        yield _mode_call(new)
    if "onDemandThroughput" in changed and new["billingMode"] != "PROVISIONED":
        yield {"OnDemandThroughput": _maxima(new.get("onDemandThroughput") or {})}
    if "deletionProtectionEnabled" in changed:
        yield {"DeletionProtectionEnabled": new["deletionProtectionEnabled"]}
    if "tableClass" in changed:
        yield {"TableClass": new["tableClass"]}
    if changed & {"streamEnabled", "streamViewType"}:
        yield {"StreamSpecification": {"StreamEnabled": new["streamEnabled"], "StreamViewType": new["streamViewType"]}}
    if "serverSideEncryption" in changed:
        yield {"SSESpecification": _converted(dynamodb, {"sSESpecification": sse_request(new)})["SSESpecification"]}


def _mode_call(new: Inputs) -> Document:
    """Billing mode and capacity; every index states its own when the table becomes provisioned."""
    if new["billingMode"] != "PROVISIONED":
        return {"BillingMode": new["billingMode"]}
    indexes = [
        {"Update": {"IndexName": index["name"], "ProvisionedThroughput": _units(index)}}
        for index in new.get("globalSecondaryIndexes") or []
    ]
    found: Document = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": _units(new)}
    return {**found, "GlobalSecondaryIndexUpdates": indexes} if indexes else found


def _units(of: Inputs) -> Document:
    named = {"ReadCapacityUnits": "readCapacity", "WriteCapacityUnits": "writeCapacity"}
    return {name: int(of.get(key) or _LEAST_UNITS) for name, key in named.items()}


def _index_calls(dynamodb: Any, old: Inputs, new: Inputs) -> Iterator[Document]:
    """One index per call is all that DynamoDB makes or deletes at a time."""
    before = {index["name"]: index for index in old.get("globalSecondaryIndexes") or []}
    after = {index["name"]: index for index in new.get("globalSecondaryIndexes") or []}
    for name in before:
        if name not in after or _shape(before[name]) != _shape(after[name]):
            yield {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": name}}]}
    for name, index in after.items():
        if name not in before or _shape(before[name]) != _shape(index):
            yield _creation(dynamodb, old, new, index)
        elif before[name].get("onDemandThroughput") != index.get("onDemandThroughput"):
            maxima = _maxima(index.get("onDemandThroughput") or {})
            yield {"GlobalSecondaryIndexUpdates": [{"Update": {"IndexName": name, "OnDemandThroughput": maxima}}]}


def _creation(dynamodb: Any, old: Inputs, new: Inputs, index: Inputs) -> Document:
    """The new index, in the capacity mode that the table has until the mode itself is changed."""
    provisioned = old["billingMode"] == "PROVISIONED"
    kept = {key: value for key, value in index.items() if key not in _IN_PLACE}
    units = {key: int(index.get(key) or _LEAST_UNITS) for key in ("readCapacity", "writeCapacity")}
    capacity = units if provisioned else {"onDemandThroughput": index.get("onDemandThroughput")}
    wanted = index_request({**kept, **{key: value for key, value in capacity.items() if value}})
    attributes = [{"attributeName": entry["name"], "attributeType": entry["type"]} for entry in new["attributes"]]
    shaped = {"attributeDefinitions": attributes, "globalSecondaryIndexUpdates": [{"create": wanted}]}
    return _converted(dynamodb, shaped)


def _shape(index: Inputs) -> Inputs:
    return {key: value for key, value in index.items() if key not in _IN_PLACE}


def _converted(dynamodb: Any, shaped: Inputs) -> Document:
    from ops.sandbox.deploy.shapes import convert

    model = dynamodb.meta.service_model.operation_model("UpdateTable")
    converted: Document = convert(model.input_shape, shaped, {"sSESpecification": "SSESpecification"})
    return converted


def _maxima(declared: Inputs) -> Document:
    """-1 takes a maximum away."""
    names = {"maxReadRequestUnits": "MaxReadRequestUnits", "maxWriteRequestUnits": "MaxWriteRequestUnits"}
    return {name: int(declared.get(key) or -1) for key, name in names.items()}


def _update_ttl(dynamodb: Any, name: str, old: Inputs | None, new: Inputs | None) -> None:
    if old:
        put_ttl(dynamodb, name, {**old, "enabled": False})
    if new:
        put_ttl(dynamodb, name, new)
