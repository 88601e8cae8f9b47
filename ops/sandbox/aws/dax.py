"""DAX subnet and parameter groups, and a cluster that remembers them. No data path: no emulator speaks it.

docs.aws.amazon.com/amazondynamodb/latest/developerguide/DAX.cluster-management.html: parameter group default.dax1.0
with both TTLs at 300,000 ms; port 8111, or 9111 with TLS.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.dax.models import DaxCluster
from moto.dax.responses import DAXResponse
from moto.moto_api import state_manager

TLS_PORT = 9111
DEFAULT_GROUP = "default.dax1.0"
DEFAULTS = {"query-ttl-millis": "300000", "record-ttl-millis": "300000"}

Document = dict[str, Any]


@dataclass(slots=True)
class Groups:
    """Groups of one Region."""

    subnets: dict[str, Document] = field(default_factory=dict)
    parameters: dict[str, Document] = field(default_factory=dict)

    def subnet_group(self, name: str) -> Document:
        """SubnetGroup."""
        return _found(self.subnets, name, "SubnetGroupNotFoundFault")

    def parameter_group(self, name: str) -> Document:
        """ParameterGroup with its values under `values`."""
        return _found(self.parameters, name, "ParameterGroupNotFoundFault")


def _found(groups: dict[str, Document], name: str, code: str) -> Document:
    if name not in groups:
        raise JsonRESTError(code, f"{code.removesuffix('NotFoundFault')} {name} not found.")
    return groups[name]


class DaxGroups:
    """Groups of every Region, and the calls on them."""

    def __init__(self) -> None:
        self._regions: dict[str, Groups] = {}

    def of(self, region: str) -> Groups:
        """Groups of a Region; the default parameter group always exists."""
        groups = self._regions.setdefault(region, Groups())
        groups.parameters.setdefault(
            DEFAULT_GROUP, {"Description": "Default parameter group for dax1.0", "values": dict(DEFAULTS)}
        )
        return groups

    def create_subnet_group(self, handler: DAXResponse, body: Document) -> Document:
        """CreateSubnetGroup."""
        groups, name = self.of(handler.region), body["SubnetGroupName"]
        if name in groups.subnets:
            raise JsonRESTError("SubnetGroupAlreadyExistsFault", f"Subnet group {name} already exists.")
        groups.subnets[name] = _subnet_group(handler, name, body)
        return {"SubnetGroup": groups.subnets[name]}

    def update_subnet_group(self, handler: DAXResponse, body: Document) -> Document:
        """UpdateSubnetGroup."""
        groups, name = self.of(handler.region), body["SubnetGroupName"]
        old = groups.subnet_group(name)
        ids = body.get("SubnetIds") or [one["SubnetIdentifier"] for one in old["Subnets"]]
        groups.subnets[name] = _subnet_group(handler, name, {**old, **body, "SubnetIds": ids})
        return {"SubnetGroup": groups.subnets[name]}

    def delete_subnet_group(self, handler: DAXResponse, body: Document) -> Document:
        """DeleteSubnetGroup, refused while a cluster uses it."""
        groups, name = self.of(handler.region), body["SubnetGroupName"]
        groups.subnet_group(name)
        if any(one.subnet_group == name for one in handler.dax_backend.clusters.values()):
            raise JsonRESTError("SubnetGroupInUseFault", f"Subnet group {name} is in use.")
        del groups.subnets[name]
        return {"DeletionMessage": f"Subnet group {name} has been deleted."}

    def describe_subnet_groups(self, handler: DAXResponse, body: Document) -> Document:
        """DescribeSubnetGroups."""
        groups = self.of(handler.region)
        names = body.get("SubnetGroupNames") or list(groups.subnets)
        return {"SubnetGroups": [groups.subnet_group(name) for name in names]}

    def create_parameter_group(self, handler: DAXResponse, body: Document) -> Document:
        """CreateParameterGroup."""
        groups, name = self.of(handler.region), body["ParameterGroupName"]
        if name in groups.parameters:
            raise JsonRESTError("ParameterGroupAlreadyExistsFault", f"Parameter group {name} already exists.")
        groups.parameters[name] = {"Description": body.get("Description", ""), "values": dict(DEFAULTS)}
        return {"ParameterGroup": _shown(name, groups.parameters[name])}

    def update_parameter_group(self, handler: DAXResponse, body: Document) -> Document:
        """UpdateParameterGroup; unknown names are refused."""
        name = body["ParameterGroupName"]
        group = self.of(handler.region).parameter_group(name)
        if name == DEFAULT_GROUP:
            raise JsonRESTError("InvalidParameterGroupStateFault", "The default group cannot be modified.")
        for one in body["ParameterNameValues"]:
            if one["ParameterName"] not in DEFAULTS:
                raise JsonRESTError("InvalidParameterValueException", f"Unknown parameter {one['ParameterName']}")
            group["values"][one["ParameterName"]] = one["ParameterValue"]
        return {"ParameterGroup": _shown(name, group)}

    def delete_parameter_group(self, handler: DAXResponse, body: Document) -> Document:
        """DeleteParameterGroup, refused while a cluster uses it."""
        groups, name = self.of(handler.region), body["ParameterGroupName"]
        groups.parameter_group(name)
        if name == DEFAULT_GROUP or any(
            one.parameter_group.name == name for one in handler.dax_backend.clusters.values()
        ):
            raise JsonRESTError("InvalidParameterGroupStateFault", f"Parameter group {name} is in use.")
        del groups.parameters[name]
        return {"DeletionMessage": f"Parameter group {name} has been deleted."}

    def describe_parameter_groups(self, handler: DAXResponse, body: Document) -> Document:
        """DescribeParameterGroups."""
        groups = self.of(handler.region)
        names = body.get("ParameterGroupNames") or list(groups.parameters)
        return {"ParameterGroups": [_shown(name, groups.parameter_group(name)) for name in names]}

    def describe_parameters(self, handler: DAXResponse, body: Document) -> Document:
        """DescribeParameters."""
        group = self.of(handler.region).parameter_group(body["ParameterGroupName"])
        return {
            "Parameters": [
                {
                    "ParameterName": name, "ParameterValue": value, "ParameterType": "DEFAULT",
                    "Source": "system" if value == DEFAULTS[name] else "user", "DataType": "integer",
                    "AllowedValues": "0-", "IsModifiable": "TRUE", "ChangeType": "IMMEDIATE",
                }
                for name, value in sorted(group["values"].items())
            ]
        }  # fmt: skip

    def create_cluster(self, handler: DAXResponse, body: Document) -> None:
        """Let the cluster remember its groups, security groups and port."""
        cluster = handler.dax_backend.clusters[body["ClusterName"]]
        cluster.subnet_group = body.get("SubnetGroupName") or cluster.subnet_group
        cluster.parameter_group.name = body.get("ParameterGroupName") or DEFAULT_GROUP
        if ids := body.get("SecurityGroupIds"):
            cluster.security_groups = [{"SecurityGroupIdentifier": one, "Status": "active"} for one in ids]
        if window := body.get("PreferredMaintenanceWindow"):
            cluster.preferred_maintenance_window = window
        if cluster.encryption_type == "TLS":
            cluster.endpoint.port = TLS_PORT
            for node in cluster.nodes:
                node.node_endpoint["Port"] = TLS_PORT

    def check_cluster(self, handler: DAXResponse, body: Document) -> None:
        """CreateCluster names groups that exist."""
        groups = self.of(handler.region)
        if name := body.get("SubnetGroupName"):
            groups.subnet_group(name)
        if name := body.get("ParameterGroupName"):
            groups.parameter_group(name)
        if body["ClusterName"] in handler.dax_backend.clusters:
            raise JsonRESTError("ClusterAlreadyExistsFault", f"Cluster {body['ClusterName']} already exists.")


def _subnet_group(handler: DAXResponse, name: str, body: Document) -> Document:
    from moto.ec2.models import ec2_backends  # EC2's tables are large: loaded only when a group is made

    backend = ec2_backends[handler.current_account][handler.region]
    subnets = [backend.get_subnet(one) for one in body["SubnetIds"]]
    vpcs = {subnet.vpc_id for subnet in subnets}
    if len(vpcs) != 1:
        raise JsonRESTError("InvalidSubnet", "The subnets of a subnet group must be in one VPC.")
    return {
        "SubnetGroupName": name, "Description": body.get("Description", ""), "VpcId": vpcs.pop(),
        "Subnets": [
            {"SubnetIdentifier": one.id, "SubnetAvailabilityZone": one.availability_zone} for one in subnets
        ],
    }  # fmt: skip


def _shown(name: str, group: Document) -> Document:
    return {"ParameterGroupName": name, "Description": group["Description"]}


_CALLS = (
    "create_subnet_group", "update_subnet_group", "delete_subnet_group", "describe_subnet_groups",
    "create_parameter_group", "update_parameter_group", "delete_parameter_group", "describe_parameter_groups",
    "describe_parameters",
)  # fmt: skip


def install() -> None:
    """New calls on moto's handler, and a cluster that keeps what it is given."""
    # a cluster is available, with its endpoint, as soon as it is described
    state_manager.set_transition("dax::cluster", {"progression": "immediate"})
    groups = DaxGroups()
    for name in _CALLS:
        _add_call(groups, name)
    original, original_json = DAXResponse.create_cluster, DaxCluster.to_json

    def create_cluster(self: DAXResponse) -> str:
        body = json.loads(self.body)
        groups.check_cluster(self, body)
        original(self)
        groups.create_cluster(self, body)
        return json.dumps({"Cluster": self.dax_backend.clusters[body["ClusterName"]].to_json()})

    def to_json(self: DaxCluster) -> Document:
        shown = original_json(self)
        shown["ActiveNodes"] = self.replication_factor if self.status == "available" else 0
        endpoint = shown["ClusterDiscoveryEndpoint"]
        if self.encryption_type == "TLS" and "URL" in endpoint:
            endpoint["URL"] = endpoint["URL"].replace("dax://", "daxs://")
        return shown

    DAXResponse.create_cluster = create_cluster  # type: ignore[method-assign]
    DaxCluster.to_json = to_json  # type: ignore[method-assign]


def _add_call(groups: DaxGroups, name: str) -> None:
    call = getattr(groups, name)

    def answer(self: DAXResponse) -> str:
        return json.dumps(call(self, json.loads(self.body)))

    setattr(DAXResponse, name, answer)
