"""DAX: subnet group, parameter group, cluster."""

from typing import Any

from ops.sandbox.deploy.model import Inputs, Record
from ops.sandbox.deploy.spec import Client, Document, Spec, fields, plain, tag_map

_DESCRIPTIONS = 20


def _parameters_after(client: Client, inputs: Inputs, _: Document) -> None:
    values = [
        {"ParameterName": entry["name"], "ParameterValue": entry["value"]} for entry in inputs.get("parameters") or []
    ]
    client("dax").update_parameter_group(ParameterGroupName=inputs["name"], ParameterNameValues=values)


def _parameters_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    _parameters_after(client, new, {})


def _parameters_read(client: Client, record: Record) -> Document:
    dax, name = client("dax"), record.inputs["name"]
    group = plain(dax.describe_parameter_groups(ParameterGroupNames=[name]))["ParameterGroups"][0]
    declared = {entry["name"] for entry in record.inputs.get("parameters") or []}
    values = plain(dax.describe_parameters(ParameterGroupName=name))["Parameters"]
    return {
        **fields(group, name="ParameterGroupName", description="Description"),
        "parameters": [
            {"name": entry["ParameterName"], "value": entry["ParameterValue"]}
            for entry in values
            if entry["ParameterName"] in declared
        ],
    }


def _subnets_read(client: Client, record: Record) -> Document:
    groups = plain(client("dax").describe_subnet_groups(SubnetGroupNames=[record.inputs["name"]]))
    return fields(
        groups["SubnetGroups"][0],
        name="SubnetGroupName",
        description="Description",
        subnetIds="Subnets[].SubnetIdentifier",
    )


def _cluster_shape(inputs: Inputs) -> Inputs:
    found = dict(inputs)
    if found.get("serverSideEncryption"):
        found["sSESpecification"] = found.pop("serverSideEncryption")
    return found


def _cluster_outputs(client: Client, inputs: Inputs, response: Document) -> Document:
    """The address is there once the cluster is available; the emulator counts descriptions until then."""
    cluster: Document = {}
    for _ in range(_DESCRIPTIONS):
        clusters = plain(client("dax").describe_clusters(ClusterNames=[inputs["clusterName"]]))
        cluster = clusters["Clusters"][0]
        if cluster["Status"] == "available":
            break
    endpoint: dict[str, Any] = cluster.get("ClusterDiscoveryEndpoint") or {}
    return {
        "arn": cluster["ClusterArn"],
        "clusterAddress": endpoint.get("Address"),
        "port": endpoint.get("Port"),
    }


def _subnets_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    client("dax").update_subnet_group(SubnetGroupName=new["name"], SubnetIds=new["subnetIds"])


def _cluster_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    if "replicationFactor" in changed:
        nodes = int(new["replicationFactor"])
        kind = "increase" if nodes > record.inputs["replicationFactor"] else "decrease"
        resize = getattr(client("dax"), f"{kind}_replication_factor")
        resize(ClusterName=new["clusterName"], NewReplicationFactor=nodes)
    if "tags" not in changed:
        return
    tags = [{"Key": key, "Value": value} for key, value in new["tags"].items()]
    client("dax").tag_resource(ResourceName=record.outputs["arn"], Tags=tags)


def _cluster_read(client: Client, record: Record) -> Document:
    dax = client("dax")
    cluster = plain(dax.describe_clusters(ClusterNames=[record.inputs["clusterName"]]))["Clusters"][0]
    found = fields(
        cluster,
        clusterName="ClusterName",
        description="Description",
        nodeType="NodeType",
        replicationFactor="TotalNodes",
        iamRoleArn="IamRoleArn",
        subnetGroupName="SubnetGroup",
        parameterGroupName="ParameterGroup.ParameterGroupName",
        securityGroupIds="SecurityGroups[].SecurityGroupIdentifier",
        clusterEndpointEncryptionType="ClusterEndpointEncryptionType",
    )
    found["serverSideEncryption"] = {"enabled": (cluster.get("SSEDescription") or {}).get("Status") == "ENABLED"}
    tags = dax.list_tags(ResourceName=cluster["ClusterArn"])["Tags"]
    return {**found, "tags": tag_map(tags)}


SPECS = {
    "aws:dax/subnetGroup:SubnetGroup": Spec(
        "dax",
        "create_subnet_group",
        rename={"name": "SubnetGroupName"},
        identity=("name", "description"),
        update=_subnets_update,
        delete=("delete_subnet_group", {"SubnetGroupName": "i.name"}),
        read=_subnets_read,
    ),
    "aws:dax/parameterGroup:ParameterGroup": Spec(
        "dax",
        "create_parameter_group",
        rename={"name": "ParameterGroupName"},
        skip=("parameters",),
        after=_parameters_after,
        identity=("name", "description"),
        update=_parameters_update,
        delete=("delete_parameter_group", {"ParameterGroupName": "i.name"}),
        read=_parameters_read,
    ),
    "aws:dax/cluster:Cluster": Spec(
        "dax",
        "create_cluster",
        id="i.clusterName",
        rename={"sSESpecification": "SSESpecification"},
        shape=_cluster_shape,
        after=_cluster_outputs,
        identity=(
            "clusterName",
            "description",
            "nodeType",
            "iamRoleArn",
            "subnetGroupName",
            "parameterGroupName",
            "securityGroupIds",
            "clusterEndpointEncryptionType",
            "serverSideEncryption",
        ),
        update=_cluster_update,
        delete=("delete_cluster", {"ClusterName": "i.clusterName"}),
        read=_cluster_read,
    ),
}
