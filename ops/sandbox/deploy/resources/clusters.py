"""Aurora: cluster parameter group, cluster, its instances."""

from ops.sandbox.deploy.model import Inputs, Record
from ops.sandbox.deploy.resources.database import (
    LEFT_TO_DELETION,
    ONLY_AT_DELETION,
    master_secrets,
    parameters,
    retag,
    tags_of,
)
from ops.sandbox.deploy.spec import Client, Document, Spec, fields, plain, request

_CLUSTER_RENAMES = {
    "clusterIdentifier": "DBClusterIdentifier",
    "dbClusterParameterGroupName": "DBClusterParameterGroupName",
    "iamDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication",
    "enabledCloudwatchLogsExports": "EnableCloudwatchLogsExports",
}


def _group_after(client: Client, inputs: Inputs, _: Document) -> None:
    client("rds").modify_db_cluster_parameter_group(
        DBClusterParameterGroupName=inputs["name"], Parameters=parameters(inputs)
    )


def _group_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    if "tags" in changed:
        retag(client, record, new, changed)
    if "parameters" in changed:
        _group_after(client, new, {})


def _group_read(client: Client, record: Record) -> Document:
    rds, name = client("rds"), record.inputs["name"]
    answer = plain(rds.describe_db_cluster_parameter_groups(DBClusterParameterGroupName=name))
    group = answer["DBClusterParameterGroups"][0]
    held = plain(rds.describe_db_cluster_parameters(DBClusterParameterGroupName=name))["Parameters"]
    found = fields(
        group, name="DBClusterParameterGroupName", family="DBParameterGroupFamily", description="Description"
    )
    found["parameters"] = [{"name": entry["ParameterName"], "value": entry.get("ParameterValue")} for entry in held]
    return {**found, "tags": tags_of(rds, record.outputs["arn"])}


def _described(client: Client, inputs: Inputs) -> Document:
    answer = client("rds").describe_db_clusters(DBClusterIdentifier=inputs["clusterIdentifier"])
    found: Document = plain(answer)["DBClusters"][0]
    return found


def _cluster_outputs(client: Client, inputs: Inputs, _: Document) -> Document:
    found = _described(client, inputs)
    return {
        "arn": found["DBClusterArn"],
        "endpoint": found["Endpoint"],
        "readerEndpoint": found["ReaderEndpoint"],
        "clusterResourceId": found["DbClusterResourceId"],
        "masterUserSecrets": master_secrets(found),
    }


def _cluster_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    if "tags" in changed:
        retag(client, record, new, changed)
    modified = {key: new.get(key) for key in changed - {"tags", *LEFT_TO_DELETION}}
    if modified:
        asked = {"clusterIdentifier": new["clusterIdentifier"], **modified}
        client("rds").modify_db_cluster(
            **request(SPECS["aws:rds/cluster:Cluster"], client, "modify_db_cluster", asked), ApplyImmediately=True
        )


def _cluster_read(client: Client, record: Record) -> Document:
    cluster = _described(client, record.inputs)
    found = fields(
        cluster,
        clusterIdentifier="DBClusterIdentifier",
        engine="Engine",
        engineVersion="EngineVersion",
        databaseName="DatabaseName",
        masterUsername="MasterUsername",
        port="Port",
        dbSubnetGroupName="DBSubnetGroup",
        dbClusterParameterGroupName="DBClusterParameterGroup",
        vpcSecurityGroupIds="VpcSecurityGroups[].VpcSecurityGroupId",
        storageEncrypted="StorageEncrypted",
        kmsKeyId="KmsKeyId",
        backupRetentionPeriod="BackupRetentionPeriod",
        preferredBackupWindow="PreferredBackupWindow",
        preferredMaintenanceWindow="PreferredMaintenanceWindow",
        copyTagsToSnapshot="CopyTagsToSnapshot",
        enabledCloudwatchLogsExports="EnabledCloudwatchLogsExports",
        deletionProtection="DeletionProtection",
        iamDatabaseAuthenticationEnabled="IAMDatabaseAuthenticationEnabled",
        masterUserSecretKmsKeyId="MasterUserSecret.KmsKeyId",
    )
    found["manageMasterUserPassword"] = bool(cluster.get("MasterUserSecret"))
    return {**found, "tags": tags_of(client("rds"), cluster["DBClusterArn"])}


def _member_outputs(client: Client, inputs: Inputs, _: Document) -> Document:
    found = plain(client("rds").describe_db_instances(DBInstanceIdentifier=inputs["identifier"]))["DBInstances"][0]
    return {"arn": found["DBInstanceArn"]}


def _member_read(client: Client, record: Record) -> Document:
    rds, name = client("rds"), record.inputs["identifier"]
    instance = plain(rds.describe_db_instances(DBInstanceIdentifier=name))["DBInstances"][0]
    found = fields(
        instance,
        identifier="DBInstanceIdentifier",
        clusterIdentifier="DBClusterIdentifier",
        instanceClass="DBInstanceClass",
        engine="Engine",
        dbSubnetGroupName="DBSubnetGroup.DBSubnetGroupName",
        publiclyAccessible="PubliclyAccessible",
        autoMinorVersionUpgrade="AutoMinorVersionUpgrade",
        promotionTier="PromotionTier",
    )
    return {**found, "tags": tags_of(rds, instance["DBInstanceArn"])}


SPECS = {
    "aws:rds/clusterParameterGroup:ClusterParameterGroup": Spec(
        "rds",
        "create_db_cluster_parameter_group",
        rename={"name": "DBClusterParameterGroupName", "family": "DBParameterGroupFamily"},
        skip=("parameters",),
        after=_group_after,
        outputs={"arn": "o.DBClusterParameterGroup.DBClusterParameterGroupArn"},
        identity=("name", "family", "description"),
        update=_group_update,
        delete=("delete_db_cluster_parameter_group", {"DBClusterParameterGroupName": "i.name"}),
        read=_group_read,
        autoname="name",
    ),
    "aws:rds/cluster:Cluster": Spec(
        "rds",
        "create_db_cluster",
        id="i.clusterIdentifier",
        rename=_CLUSTER_RENAMES,
        skip=LEFT_TO_DELETION,
        after=_cluster_outputs,
        identity=(
            "clusterIdentifier", "engine", "databaseName", "masterUsername", "dbSubnetGroupName", "storageEncrypted",
            "kmsKeyId", "manageMasterUserPassword", "masterUserSecretKmsKeyId", "port",
        ),
        update=_cluster_update,
        read=_cluster_read,
        unread=dict.fromkeys(LEFT_TO_DELETION, ONLY_AT_DELETION),
    ),
    "aws:rds/clusterInstance:ClusterInstance": Spec(
        "rds",
        "create_db_instance",
        id="i.identifier",
        rename={
            "identifier": "DBInstanceIdentifier",
            "clusterIdentifier": "DBClusterIdentifier",
            "instanceClass": "DBInstanceClass",
        },
        after=_member_outputs,
        identity=("identifier", "clusterIdentifier", "engine", "dbSubnetGroupName"),
        update=retag,
        read=_member_read,
    ),
}  # fmt: skip
