"""DynamoDB tables. Terraform's table is not the API's: most is reshaped here."""

from typing import Any

from ops.sandbox.deploy.model import Inputs, Record
from ops.sandbox.deploy.spec import Client, Document, Spec, fields, plain, tag_map

WAIT = {"Delay": 1, "MaxAttempts": 60}
_INDEX_KEYS = (
    "keySchemas", "projectionType", "nonKeyAttributes", "readCapacity", "writeCapacity", "name", "onDemandThroughput",
)  # fmt: skip
_LOCAL_INDEX_KEYS = ("rangeKey", "projectionType", "nonKeyAttributes", "name")


def _throughput(found: Inputs) -> Inputs:
    units = {"readCapacityUnits": found.get("readCapacity"), "writeCapacityUnits": found.get("writeCapacity")}
    return {"provisionedThroughput": units} if units["readCapacityUnits"] is not None else {}


def _schema(hash_key: str, range_key: str | None) -> list[Inputs]:
    keys = [(hash_key, "HASH"), (range_key, "RANGE")]
    return [{"attributeName": name, "keyType": kind} for name, kind in keys if name]


def _index(index: Inputs) -> Inputs:
    unknown = sorted(set(index) - set(_INDEX_KEYS))
    if unknown:
        raise ValueError(f"globalSecondaryIndexes: {', '.join(unknown)} is not known to the sandbox")
    projection = {
        "projectionType": index["projectionType"],
        "nonKeyAttributes": index.get("nonKeyAttributes"),
    }
    return {
        "indexName": index["name"],
        "keySchema": index["keySchemas"],
        "projection": projection,
        **_throughput(index),
        **_maxima(index),
    }


def _maxima(found: Inputs) -> Inputs:
    return {"onDemandThroughput": found["onDemandThroughput"]} if found.get("onDemandThroughput") else {}


def _local_index(index: Inputs, hash_key: str) -> Inputs:
    unknown = sorted(set(index) - set(_LOCAL_INDEX_KEYS))
    if unknown:
        raise ValueError(f"localSecondaryIndexes: {', '.join(unknown)} is not known to the sandbox")
    projection = {"projectionType": index["projectionType"], "nonKeyAttributes": index.get("nonKeyAttributes")}
    return {"indexName": index["name"], "keySchema": _schema(hash_key, index["rangeKey"]), "projection": projection}


def _shape(inputs: Inputs) -> Inputs:
    found = {key: value for key, value in inputs.items() if key not in ("readCapacity", "writeCapacity")}
    found |= _throughput(inputs)
    found["keySchema"] = _schema(found.pop("hashKey"), found.pop("rangeKey", None))
    found["attributeDefinitions"] = [
        {"attributeName": entry["name"], "attributeType": entry["type"]} for entry in found.pop("attributes")
    ]
    indexes = found.pop("globalSecondaryIndexes", None)
    if indexes:
        found["globalSecondaryIndexes"] = [_index(index) for index in indexes]
    local = found.pop("localSecondaryIndexes", None)
    if local:
        found["localSecondaryIndexes"] = [_local_index(index, inputs["hashKey"]) for index in local]
    found["streamSpecification"] = _stream(inputs)
    del found["streamEnabled"], found["streamViewType"]
    found["sSESpecification"] = _encryption(inputs)
    found.pop("serverSideEncryption", None)
    return found


def _stream(inputs: Inputs) -> Inputs:
    enabled = inputs.get("streamEnabled", False)
    return {"streamEnabled": enabled, "streamViewType": inputs.get("streamViewType") if enabled else None}


def _encryption(inputs: Inputs) -> Inputs:
    declared = inputs.get("serverSideEncryption") or {"enabled": False}
    key = {"sSEType": "KMS", "kMSMasterKeyId": declared["kmsKeyArn"]} if declared.get("kmsKeyArn") else {}
    return {"enabled": declared["enabled"], **key}


def _after(client: Client, inputs: Inputs, _: Document) -> None:
    dynamodb, name = client("dynamodb"), inputs["name"]
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig=WAIT)
    if inputs.get("ttl"):
        _put_ttl(dynamodb, name, inputs["ttl"])
    if inputs.get("pointInTimeRecovery"):
        put_pitr(dynamodb, name, inputs["pointInTimeRecovery"])


def _put_ttl(dynamodb: Any, name: str, ttl: Inputs) -> None:
    specification = {"AttributeName": ttl["attributeName"], "Enabled": ttl.get("enabled", True)}
    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=specification)


def put_pitr(dynamodb: Any, name: str, pitr: Inputs) -> None:
    specification: Document = {"PointInTimeRecoveryEnabled": pitr["enabled"]}
    if pitr.get("recoveryPeriodInDays"):
        specification["RecoveryPeriodInDays"] = int(pitr["recoveryPeriodInDays"])
    dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=specification)


def _update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    """One UpdateTable call per kind of change, as DynamoDB wants it."""
    dynamodb, name = client("dynamodb"), record.inputs["name"]
    if changed & {"readCapacity", "writeCapacity", "billingMode"}:
        throughput = {"ReadCapacityUnits": new["readCapacity"], "WriteCapacityUnits": new["writeCapacity"]}
        provisioned = new["billingMode"] == "PROVISIONED"
        extra = {"ProvisionedThroughput": throughput} if provisioned else {}
        dynamodb.update_table(TableName=name, BillingMode=new["billingMode"], **extra)
    if "onDemandThroughput" in changed:
        dynamodb.update_table(TableName=name, OnDemandThroughput=_put_maxima(new.get("onDemandThroughput") or {}))
    if "deletionProtectionEnabled" in changed:
        dynamodb.update_table(TableName=name, DeletionProtectionEnabled=new["deletionProtectionEnabled"])
    if "tableClass" in changed:
        dynamodb.update_table(TableName=name, TableClass=new["tableClass"])
    if changed & {"streamEnabled", "streamViewType"}:
        stream = {"StreamEnabled": new["streamEnabled"], "StreamViewType": new["streamViewType"]}
        dynamodb.update_table(TableName=name, StreamSpecification=stream)
    if "ttl" in changed:
        _update_ttl(dynamodb, name, record.inputs.get("ttl"), new.get("ttl"))
    if "pointInTimeRecovery" in changed:
        put_pitr(dynamodb, name, new["pointInTimeRecovery"])
    if "tags" in changed:
        tags = [{"Key": key, "Value": value} for key, value in new["tags"].items()]
        dynamodb.tag_resource(ResourceArn=record.outputs["arn"], Tags=tags)


def _put_maxima(declared: Inputs) -> Document:
    """-1 takes a maximum away."""
    names = {"maxReadRequestUnits": "MaxReadRequestUnits", "maxWriteRequestUnits": "MaxWriteRequestUnits"}
    return {name: int(declared.get(key) or -1) for key, name in names.items()}


def _update_ttl(dynamodb: Any, name: str, old: Inputs | None, new: Inputs | None) -> None:
    if old:
        _put_ttl(dynamodb, name, {**old, "enabled": False})
    if new:
        _put_ttl(dynamodb, name, new)


def _read(client: Client, record: Record) -> Document:
    dynamodb, name = client("dynamodb"), record.inputs["name"]
    table = plain(dynamodb.describe_table(TableName=name)["Table"])
    found = fields(
        table,
        name="TableName",
        readCapacity="ProvisionedThroughput.ReadCapacityUnits",
        writeCapacity="ProvisionedThroughput.WriteCapacityUnits",
        hashKey="KeySchema[?KeyType=='HASH'].AttributeName | [0]",
        rangeKey="KeySchema[?KeyType=='RANGE'].AttributeName | [0]",
        attributes="AttributeDefinitions[].{name: AttributeName, type: AttributeType}",
        streamEnabled="StreamSpecification.StreamEnabled",
        streamViewType="StreamSpecification.StreamViewType",
        deletionProtectionEnabled="DeletionProtectionEnabled",
        onDemandThroughput="OnDemandThroughput.{maxReadRequestUnits: MaxReadRequestUnits,"
        " maxWriteRequestUnits: MaxWriteRequestUnits}",
        localSecondaryIndexes="LocalSecondaryIndexes[].{name: IndexName,"
        " rangeKey: KeySchema[?KeyType=='RANGE'].AttributeName | [0],"
        " projectionType: Projection.ProjectionType, nonKeyAttributes: Projection.NonKeyAttributes}",
        globalSecondaryIndexes="GlobalSecondaryIndexes[].{name: IndexName,"
        " projectionType: Projection.ProjectionType,"
        " nonKeyAttributes: Projection.NonKeyAttributes,"
        " readCapacity: ProvisionedThroughput.ReadCapacityUnits,"
        " writeCapacity: ProvisionedThroughput.WriteCapacityUnits,"
        " onDemandThroughput: OnDemandThroughput.{maxReadRequestUnits: MaxReadRequestUnits,"
        " maxWriteRequestUnits: MaxWriteRequestUnits},"
        " keySchemas: KeySchema[].{attributeName: AttributeName, keyType: KeyType}}",
    )
    found["billingMode"] = (table.get("BillingModeSummary") or {}).get("BillingMode", "PROVISIONED")
    found["tableClass"] = (table.get("TableClassSummary") or {}).get("TableClass", "STANDARD")
    encryption = table.get("SSEDescription") or {}
    found["serverSideEncryption"] = {
        "enabled": encryption.get("Status") == "ENABLED",
        "kmsKeyArn": encryption.get("KMSMasterKeyArn"),
    }
    return {**found, **read_recovery(dynamodb, name), "tags": read_tags(dynamodb, table["TableArn"])}


def read_recovery(dynamodb: Any, name: str) -> Document:
    ttl = plain(dynamodb.describe_time_to_live(TableName=name))["TimeToLiveDescription"]
    backups = plain(dynamodb.describe_continuous_backups(TableName=name))["ContinuousBackupsDescription"]
    pitr = backups["PointInTimeRecoveryDescription"]
    return {
        "ttl": {
            "attributeName": ttl.get("AttributeName"),
            "enabled": ttl["TimeToLiveStatus"] in ("ENABLED", "ENABLING"),
        },
        "pointInTimeRecovery": {
            "enabled": pitr["PointInTimeRecoveryStatus"] == "ENABLED",
            "recoveryPeriodInDays": pitr.get("RecoveryPeriodInDays"),
        },
    }


def read_tags(dynamodb: Any, arn: str) -> dict[str, str]:
    return tag_map(dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"])


SPECS = {
    "aws:dynamodb/table:Table": Spec(
        "dynamodb",
        "create_table",
        rename={"name": "TableName", "sSESpecification": "SSESpecification"},
        shape=_shape,
        skip=("ttl", "pointInTimeRecovery"),
        after=_after,
        outputs={
            "arn": "o.TableDescription.TableArn",
            "streamArn": "o.TableDescription.LatestStreamArn",
            "streamLabel": "o.TableDescription.LatestStreamLabel",
        },
        identity=(
            "name",
            "hashKey",
            "rangeKey",
            "attributes",
            "globalSecondaryIndexes",
            "localSecondaryIndexes",
            "serverSideEncryption",
        ),
        update=_update,
        delete=("delete_table", {"TableName": "i.name"}),
        read=_read,
    ),
}
