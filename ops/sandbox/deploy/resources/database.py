"""RDS: subnet group, parameter group, instance."""

from typing import Any

from ops.sandbox.deploy.model import Inputs, Record
from ops.sandbox.deploy.spec import Client, Document, Spec, fields, plain, request, tag_map

ONLY_AT_DELETION = "used when the instance is deleted"
_INSTANCE_RENAMES = {
    "identifier": "DBInstanceIdentifier",
    "instanceClass": "DBInstanceClass",
    "username": "MasterUsername",
    "parameterGroupName": "DBParameterGroupName",
    "iamDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication",
    "enabledCloudwatchLogsExports": "EnableCloudwatchLogsExports",
    "backupWindow": "PreferredBackupWindow",
    "maintenanceWindow": "PreferredMaintenanceWindow",
}
LEFT_TO_DELETION = ("skipFinalSnapshot", "finalSnapshotIdentifier", "deleteAutomatedBackups")
_FIXED = (
    "identifier",
    "engine",
    "username",
    "dbName",
    "dbSubnetGroupName",
    "storageEncrypted",
    "kmsKeyId",
    "manageMasterUserPassword",
    "masterUserSecretKmsKeyId",
    "enabledCloudwatchLogsExports",
    "port",
)


def retag(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    tags = [{"Key": key, "Value": value} for key, value in new["tags"].items()]
    client("rds").add_tags_to_resource(ResourceName=record.outputs["arn"], Tags=tags)


def tags_of(rds: Any, arn: str) -> dict[str, str]:
    return tag_map(rds.list_tags_for_resource(ResourceName=arn)["TagList"])


def _subnets_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    if "subnetIds" in changed:
        client("rds").modify_db_subnet_group(DBSubnetGroupName=new["name"], SubnetIds=new["subnetIds"])
    if "tags" in changed:
        retag(client, record, new, changed)


def _subnets_read(client: Client, record: Record) -> Document:
    rds = client("rds")
    groups = plain(rds.describe_db_subnet_groups(DBSubnetGroupName=record.inputs["name"]))
    group = groups["DBSubnetGroups"][0]
    found = fields(
        group,
        name="DBSubnetGroupName",
        description="DBSubnetGroupDescription",
        subnetIds="Subnets[].SubnetIdentifier",
    )
    return {**found, "tags": tags_of(rds, record.outputs["arn"])}


def parameters(inputs: Inputs) -> list[Document]:
    return [
        {
            "ParameterName": entry["name"],
            "ParameterValue": entry["value"],
            "ApplyMethod": entry.get("applyMethod", "immediate"),
        }
        for entry in inputs.get("parameters") or []
    ]


def _parameters_after(client: Client, inputs: Inputs, _: Document) -> None:
    client("rds").modify_db_parameter_group(DBParameterGroupName=inputs["name"], Parameters=parameters(inputs))


def _parameters_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    if "tags" in changed:
        retag(client, record, new, changed)
    if "parameters" in changed:
        _parameters_after(client, new, {})


def _parameters_read(client: Client, record: Record) -> Document:
    rds, name = client("rds"), record.inputs["name"]
    group = plain(rds.describe_db_parameter_groups(DBParameterGroupName=name))["DBParameterGroups"][0]
    found = fields(group, name="DBParameterGroupName", family="DBParameterGroupFamily", description="Description")
    pages = rds.get_paginator("describe_db_parameters").paginate(DBParameterGroupName=name)
    declared = {entry["name"] for entry in record.inputs.get("parameters") or []}
    found["parameters"] = [
        {
            "name": entry["ParameterName"],
            "value": entry.get("ParameterValue"),
            "applyMethod": entry.get("ApplyMethod"),
        }
        for page in pages
        for entry in page["Parameters"]
        if entry["ParameterName"] in declared
    ]
    return {**found, "tags": tags_of(rds, record.outputs["arn"])}


def _instance_outputs(client: Client, inputs: Inputs, response: Document) -> Document:
    """The endpoint is there once the instance is available."""
    rds = client("rds")
    rds.get_waiter("db_instance_available").wait(
        DBInstanceIdentifier=inputs["identifier"], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    found = plain(rds.describe_db_instances(DBInstanceIdentifier=inputs["identifier"]))["DBInstances"][0]
    address, port = found["Endpoint"]["Address"], found["Endpoint"]["Port"]
    return {
        "arn": found["DBInstanceArn"],
        "address": address,
        "port": port,
        "endpoint": f"{address}:{port}",
        "resourceId": found["DbiResourceId"],
        "masterUserSecrets": master_secrets(found),
    }


def master_secrets(found: Document) -> list[Document]:
    """The secret of the master user, as the provider gives it."""
    secret = found.get("MasterUserSecret") or {}
    return [
        {
            "secretArn": secret.get("SecretArn"),
            "secretStatus": secret.get("SecretStatus"),
            "kmsKeyId": secret.get("KmsKeyId"),
        }
    ]


def _instance_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    if "tags" in changed:
        retag(client, record, new, changed)
    modified = {key: new.get(key) for key in changed - {"tags", *LEFT_TO_DELETION}}
    if modified:
        spec = SPECS["aws:rds/instance:Instance"]
        asked = {"identifier": new["identifier"], **modified}
        parameters = request(spec, client, "modify_db_instance", asked)
        client("rds").modify_db_instance(**parameters, ApplyImmediately=True)


def _instance_read(client: Client, record: Record) -> Document:
    rds, name = client("rds"), record.inputs["identifier"]
    instance = plain(rds.describe_db_instances(DBInstanceIdentifier=name))["DBInstances"][0]
    found = fields(
        instance,
        identifier="DBInstanceIdentifier",
        engine="Engine",
        engineVersion="EngineVersion",
        instanceClass="DBInstanceClass",
        allocatedStorage="AllocatedStorage",
        storageType="StorageType",
        dbName="DBName",
        username="MasterUsername",
        dbSubnetGroupName="DBSubnetGroup.DBSubnetGroupName",
        parameterGroupName="DBParameterGroups[0].DBParameterGroupName",
        vpcSecurityGroupIds="VpcSecurityGroups[].VpcSecurityGroupId",
        publiclyAccessible="PubliclyAccessible",
        storageEncrypted="StorageEncrypted",
        kmsKeyId="KmsKeyId",
        multiAz="MultiAZ",
        backupRetentionPeriod="BackupRetentionPeriod",
        backupWindow="PreferredBackupWindow",
        maintenanceWindow="PreferredMaintenanceWindow",
        copyTagsToSnapshot="CopyTagsToSnapshot",
        autoMinorVersionUpgrade="AutoMinorVersionUpgrade",
        enabledCloudwatchLogsExports="EnabledCloudwatchLogsExports",
        deletionProtection="DeletionProtection",
        iamDatabaseAuthenticationEnabled="IAMDatabaseAuthenticationEnabled",
        masterUserSecretKmsKeyId="MasterUserSecret.KmsKeyId",
        port="Endpoint.Port",
    )
    found["manageMasterUserPassword"] = bool(instance.get("MasterUserSecret"))
    return {**found, "tags": tags_of(rds, instance["DBInstanceArn"])}


SPECS = {
    "aws:rds/subnetGroup:SubnetGroup": Spec(
        "rds",
        "create_db_subnet_group",
        rename={"name": "DBSubnetGroupName", "description": "DBSubnetGroupDescription"},
        outputs={"arn": "o.DBSubnetGroup.DBSubnetGroupArn"},
        identity=("name", "description"),
        update=_subnets_update,
        delete=("delete_db_subnet_group", {"DBSubnetGroupName": "i.name"}),
        read=_subnets_read,
    ),
    "aws:rds/parameterGroup:ParameterGroup": Spec(
        "rds",
        "create_db_parameter_group",
        rename={"name": "DBParameterGroupName", "family": "DBParameterGroupFamily"},
        skip=("parameters",),
        after=_parameters_after,
        outputs={"arn": "o.DBParameterGroup.DBParameterGroupArn"},
        identity=("name", "family", "description"),
        update=_parameters_update,
        delete=("delete_db_parameter_group", {"DBParameterGroupName": "i.name"}),
        read=_parameters_read,
        autoname="name",
    ),
    "aws:rds/instance:Instance": Spec(
        "rds",
        "create_db_instance",
        id="o.DBInstance.DbiResourceId",
        rename=_INSTANCE_RENAMES,
        skip=LEFT_TO_DELETION,
        after=_instance_outputs,
        identity=_FIXED,
        update=_instance_update,
        read=_instance_read,
        unread=dict.fromkeys(LEFT_TO_DELETION, ONLY_AT_DELETION),
    ),
    "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication": Spec(
        "rds",
        "start_db_instance_automated_backups_replication",
        id="i.sourceDbInstanceArn",
        rename={"retentionPeriod": "BackupRetentionPeriod", "sourceDbInstanceArn": "SourceDBInstanceArn"},
        delete=("stop_db_instance_automated_backups_replication", {"SourceDBInstanceArn": "i.sourceDbInstanceArn"}),
    ),
}
