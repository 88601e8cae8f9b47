"""What hangs on a table: its replicas and its Kinesis destination."""

from typing import Any

from ops.sandbox.deploy.model import Inputs, Record
from ops.sandbox.deploy.resources.table_updates import WAIT, put_pitr
from ops.sandbox.deploy.resources.tables import read_recovery, read_tags
from ops.sandbox.deploy.spec import Client, Document, NotTaken, Spec, fields, plain


def _table_of(inputs: Inputs) -> tuple[str, str]:
    """Home Region and name of the table in `globalTableArn`."""
    parts = str(inputs["globalTableArn"]).split(":")
    return parts[3], parts[5].removeprefix("table/")


def _replica_shape(inputs: Inputs) -> Inputs:
    _, name = _table_of(inputs)
    create = {"regionName": inputs["region"], "tableClassOverride": inputs.get("tableClassOverride")}
    if inputs.get("kmsKeyArn"):
        create["kMSMasterKeyId"] = inputs["kmsKeyArn"]
    known = {"globalTableArn", "kmsKeyArn", "tableClassOverride"}
    return {
        "tableName": name,
        "replicaUpdates": [{"create": create}],
        **{key: value for key, value in inputs.items() if key not in known},
    }


def _replica_after(client: Client, inputs: Inputs, response: Document) -> Document:
    """What is regional is set in the replica's own Region: PITR, deletion protection, tags."""
    _, name = _table_of(inputs)
    members = response["TableDescription"].get("Replicas") or []
    if inputs["region"] not in {member["RegionName"] for member in members}:
        raise NotTaken(f"the answer to UpdateTable names no replica in {inputs['region']}")
    dynamodb = client("dynamodb")
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig=WAIT)
    return _put_regional(dynamodb, name, inputs)


def _put_regional(dynamodb: Any, name: str, inputs: Inputs) -> Document:
    put_pitr(dynamodb, name, {"enabled": inputs["pointInTimeRecovery"]})
    dynamodb.update_table(TableName=name, DeletionProtectionEnabled=inputs["deletionProtectionEnabled"])
    arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
    tags = [{"Key": key, "Value": value} for key, value in inputs["tags"].items()]
    dynamodb.tag_resource(ResourceArn=arn, Tags=tags)
    return {"arn": arn}


def _replica_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    _put_regional(client("dynamodb"), _table_of(new)[1], new)


def _replica_read(client: Client, record: Record) -> Document:
    home, name = _table_of(record.inputs)
    dynamodb = client("dynamodb")
    table = plain(dynamodb.describe_table(TableName=name)["Table"])
    pitr = read_recovery(dynamodb, name)["pointInTimeRecovery"]["enabled"]
    members = {entry["RegionName"] for entry in table.get("Replicas") or []}
    # A replica names the other members of its group: a plain table of the same name does not.
    arn = table["TableArn"].replace(f":{record.inputs['region']}:", f":{home}:")
    return {
        "globalTableArn": arn if home in members else None,
        "deletionProtectionEnabled": table.get("DeletionProtectionEnabled"),
        "kmsKeyArn": (table.get("SSEDescription") or {}).get("KMSMasterKeyArn"),
        "tableClassOverride": (table.get("TableClassSummary") or {}).get("TableClass"),
        "pointInTimeRecovery": pitr,
        "tags": read_tags(dynamodb, table["TableArn"]),
    }


def _kinesis_read(client: Client, record: Record) -> Document:
    answer = client("dynamodb").describe_kinesis_streaming_destination(TableName=record.inputs["tableName"])
    mine = [
        one for one in plain(answer)["KinesisDataStreamDestinations"] if one["StreamArn"] == record.inputs["streamArn"]
    ]
    found = fields(
        mine[0] if mine else {},
        streamArn="StreamArn",
        approximateCreationDateTimePrecision="ApproximateCreationDateTimePrecision",
    )
    return {"tableName": record.inputs["tableName"], **found}


SPECS = {
    "aws:dynamodb/tableReplica:TableReplica": Spec(
        "dynamodb",
        "update_table",
        id="join(':', [o.TableDescription.TableName, i.region])",
        shape=_replica_shape,
        skip=("pointInTimeRecovery", "deletionProtectionEnabled", "tags"),
        after=_replica_after,
        created_in=lambda inputs: _table_of(inputs)[0],
        identity=("globalTableArn", "kmsKeyArn", "tableClassOverride"),
        update=_replica_update,
        read=_replica_read,
    ),
    "aws:dynamodb/kinesisStreamingDestination:KinesisStreamingDestination": Spec(
        "dynamodb",
        "enable_kinesis_streaming_destination",
        id="join(',', [i.tableName, i.streamArn])",
        rename={
            "approximateCreationDateTimePrecision": "EnableKinesisStreamingConfiguration."
            "ApproximateCreationDateTimePrecision"
        },
        delete=("disable_kinesis_streaming_destination", {"TableName": "i.tableName", "StreamArn": "i.streamArn"}),
        read=_kinesis_read,
    ),
}
