"""DynamoDB tables. Terraform's table is not the API's: most is reshaped here."""

from typing import Any

from ops.sandbox.deploy.model import Inputs, Record
from ops.sandbox.deploy.resources.table_updates import (
    WAIT,
    index_request,
    put_pitr,
    put_ttl,
    sse_request,
    throughput,
    update,
)
from ops.sandbox.deploy.spec import Client, Document, Spec, fields, plain, tag_map

_LOCAL_INDEX_KEYS = ("rangeKey", "projectionType", "nonKeyAttributes", "name")


def _schema(hash_key: str, range_key: str | None) -> list[Inputs]:
    keys = [(hash_key, "HASH"), (range_key, "RANGE")]
    return [{"attributeName": name, "keyType": kind} for name, kind in keys if name]


def _local_index(index: Inputs, hash_key: str) -> Inputs:
    unknown = sorted(set(index) - set(_LOCAL_INDEX_KEYS))
    if unknown:
        raise ValueError(f"localSecondaryIndexes: {', '.join(unknown)} is not known to the sandbox")
    projection = {"projectionType": index["projectionType"], "nonKeyAttributes": index.get("nonKeyAttributes")}
    return {"indexName": index["name"], "keySchema": _schema(hash_key, index["rangeKey"]), "projection": projection}


def _shape(inputs: Inputs) -> Inputs:
    found = {key: value for key, value in inputs.items() if key not in ("readCapacity", "writeCapacity")}
    found |= throughput(inputs)
    found["keySchema"] = _schema(found.pop("hashKey"), found.pop("rangeKey", None))
    found["attributeDefinitions"] = [
        {"attributeName": entry["name"], "attributeType": entry["type"]} for entry in found.pop("attributes")
    ]
    indexes = found.pop("globalSecondaryIndexes", None)
    if indexes:
        found["globalSecondaryIndexes"] = [index_request(index) for index in indexes]
    local = found.pop("localSecondaryIndexes", None)
    if local:
        found["localSecondaryIndexes"] = [_local_index(index, inputs["hashKey"]) for index in local]
    found["streamSpecification"] = _stream(inputs)
    for key in ("streamEnabled", "streamViewType", "serverSideEncryption"):
        found.pop(key, None)
    found["sSESpecification"] = sse_request(inputs)
    return found


def _stream(inputs: Inputs) -> Inputs:
    enabled = inputs.get("streamEnabled", False)
    return {"streamEnabled": enabled, "streamViewType": inputs.get("streamViewType") if enabled else None}


def _after(client: Client, inputs: Inputs, _: Document) -> None:
    dynamodb, name = client("dynamodb"), inputs["name"]
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig=WAIT)
    if inputs.get("ttl"):
        put_ttl(dynamodb, name, inputs["ttl"])
    if inputs.get("pointInTimeRecovery"):
        put_pitr(dynamodb, name, inputs["pointInTimeRecovery"])


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
        identity=("name", "hashKey", "rangeKey", "localSecondaryIndexes"),
        update=update,
        delete=("delete_table", {"TableName": "i.name"}),
        read=_read,
    ),
}
