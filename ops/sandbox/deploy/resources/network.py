"""The VPC and what is in it."""

from typing import Any

from ops.sandbox.deploy.model import Inputs, Record
from ops.sandbox.deploy.spec import Client, Document, Spec, fields, plain, tag_map

_ANYWHERE = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


def _tagged(kind: str, *drop: str) -> Any:
    """EC2 takes tags at creation as TagSpecifications of the resource's kind."""

    def shape(inputs: Inputs) -> Inputs:
        found = {key: value for key, value in inputs.items() if key not in ("tags", *drop)}
        if inputs.get("tags"):
            found["tagSpecifications"] = [{"resourceType": kind, "tags": inputs["tags"]}]
        return found

    return shape


def _retag(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    tags = [{"Key": key, "Value": value} for key, value in new["tags"].items()]
    client("ec2").create_tags(Resources=[record.id], Tags=tags)


def _vpc_after(client: Client, inputs: Inputs, response: Document) -> None:
    vpc = response["Vpc"]["VpcId"]
    for key, name in (("enableDnsSupport", "EnableDnsSupport"), ("enableDnsHostnames", "EnableDnsHostnames")):
        client("ec2").modify_vpc_attribute(VpcId=vpc, **{name: {"Value": inputs[key]}})


def _vpc_read(client: Client, record: Record) -> Document:
    ec2 = client("ec2")
    vpc = plain(ec2.describe_vpcs(VpcIds=[record.id]))["Vpcs"][0]
    found = fields(vpc, cidrBlock="CidrBlock")
    for key, name in (("enableDnsSupport", "EnableDnsSupport"), ("enableDnsHostnames", "EnableDnsHostnames")):
        attribute = ec2.describe_vpc_attribute(VpcId=record.id, Attribute=key)
        found[key] = attribute[name]["Value"]
    return {**found, "tags": tag_map(vpc.get("Tags"))}


def _subnet_after(client: Client, inputs: Inputs, response: Document) -> None:
    client("ec2").modify_subnet_attribute(
        SubnetId=response["Subnet"]["SubnetId"],
        MapPublicIpOnLaunch={"Value": inputs.get("mapPublicIpOnLaunch", False)},
    )


def _subnet_read(client: Client, record: Record) -> Document:
    subnet = plain(client("ec2").describe_subnets(SubnetIds=[record.id]))["Subnets"][0]
    found = fields(
        subnet,
        vpcId="VpcId",
        cidrBlock="CidrBlock",
        availabilityZone="AvailabilityZone",
        mapPublicIpOnLaunch="MapPublicIpOnLaunch",
    )
    return {**found, "tags": tag_map(subnet.get("Tags"))}


def _routes_read(client: Client, record: Record) -> Document:
    table = plain(client("ec2").describe_route_tables(RouteTableIds=[record.id]))["RouteTables"][0]
    return {**fields(table, vpcId="VpcId"), "tags": tag_map(table.get("Tags"))}


def _association_read(client: Client, record: Record) -> Document:
    tables = plain(client("ec2").describe_route_tables(RouteTableIds=[record.inputs["routeTableId"]]))
    entries = tables["RouteTables"][0]["Associations"]
    mine = [entry for entry in entries if entry["RouteTableAssociationId"] == record.id]
    return fields(mine[0] if mine else {}, routeTableId="RouteTableId", subnetId="SubnetId")


def _endpoint_read(client: Client, record: Record) -> Document:
    endpoint = plain(client("ec2").describe_vpc_endpoints(VpcEndpointIds=[record.id]))["VpcEndpoints"][0]
    found = fields(
        endpoint,
        vpcId="VpcId",
        serviceName="ServiceName",
        vpcEndpointType="VpcEndpointType",
        routeTableIds="RouteTableIds",
        subnetIds="SubnetIds",
        securityGroupIds="Groups[].GroupId",
        privateDnsEnabled="PrivateDnsEnabled",
    )
    return {**found, "tags": tag_map(endpoint.get("Tags"))}


def _group_after(client: Client, inputs: Inputs, response: Document) -> None:
    """The provider takes away the rule that lets everything out, when the program declares none."""
    client("ec2").revoke_security_group_egress(GroupId=response["GroupId"], IpPermissions=[_ANYWHERE])


def _group_read(client: Client, record: Record) -> Document:
    group = plain(client("ec2").describe_security_groups(GroupIds=[record.id]))["SecurityGroups"][0]
    found = fields(group, name="GroupName", description="Description", vpcId="VpcId")
    return {**found, "tags": tag_map(group.get("Tags")), "egress": group.get("IpPermissionsEgress", [])}


def _rule_shape(inputs: Inputs) -> Inputs:
    known = {"securityGroupId", "ipProtocol", "fromPort", "toPort", "cidrIpv4", "description", "region"}
    unknown = sorted(set(inputs) - known)
    if unknown:
        raise ValueError(f"security group rule: {', '.join(unknown)} is not known to the sandbox")
    source = {"cidrIp": inputs["cidrIpv4"], "description": inputs.get("description")}
    permission = {
        "ipProtocol": inputs["ipProtocol"],
        "fromPort": inputs.get("fromPort"),
        "toPort": inputs.get("toPort"),
        "ipRanges": [source],
    }
    return {"groupId": inputs["securityGroupId"], "ipPermissions": [permission]}


def _rule_read(client: Client, record: Record) -> Document:
    answer = client("ec2").describe_security_group_rules(SecurityGroupRuleIds=[record.id])
    return fields(
        plain(answer)["SecurityGroupRules"][0],
        securityGroupId="GroupId",
        ipProtocol="IpProtocol",
        fromPort="FromPort",
        toPort="ToPort",
        cidrIpv4="CidrIpv4",
        description="Description",
    )


def _rule(direction: str) -> Spec:
    """A rule of one direction, ingress or egress."""
    return Spec(
        "ec2",
        f"authorize_security_group_{direction}",
        id="o.SecurityGroupRules[0].SecurityGroupRuleId",
        shape=_rule_shape,
        delete=(
            f"revoke_security_group_{direction}",
            {"GroupId": "i.securityGroupId", "SecurityGroupRuleIds": "[id]"},
        ),
        read=_rule_read,
    )


def _default_group_shape(inputs: Inputs) -> Inputs:
    return {
        "filters": [
            {"name": "vpc-id", "values": [inputs["vpcId"]]},
            {"name": "group-name", "values": ["default"]},
        ]
    }


def _default_group_after(client: Client, inputs: Inputs, response: Document) -> None:
    """Adopting the default group empties it: no way in, no way out."""
    ec2, group = client("ec2"), response["SecurityGroups"][0]
    if group.get("IpPermissions"):
        ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])
    if group.get("IpPermissionsEgress"):
        ec2.revoke_security_group_egress(GroupId=group["GroupId"], IpPermissions=group["IpPermissionsEgress"])
    tags = [{"Key": key, "Value": value} for key, value in inputs["tags"].items()]
    ec2.create_tags(Resources=[group["GroupId"]], Tags=tags)


def _default_group_read(client: Client, record: Record) -> Document:
    found = _group_read(client, record)
    return {key: found[key] for key in ("vpcId", "tags", "egress")}


SPECS = {
    "aws:ec2/vpc:Vpc": Spec(
        "ec2",
        "create_vpc",
        id="o.Vpc.VpcId",
        shape=_tagged("vpc"),
        skip=("enableDnsSupport", "enableDnsHostnames"),
        after=_vpc_after,
        identity=("cidrBlock", "enableDnsSupport", "enableDnsHostnames"),
        update=_retag,
        delete=("delete_vpc", {"VpcId": "id"}),
        read=_vpc_read,
    ),
    "aws:ec2/subnet:Subnet": Spec(
        "ec2",
        "create_subnet",
        id="o.Subnet.SubnetId",
        shape=_tagged("subnet"),
        skip=("mapPublicIpOnLaunch",),
        after=_subnet_after,
        outputs={"arn": "o.Subnet.SubnetArn"},
        identity=("vpcId", "cidrBlock", "availabilityZone", "mapPublicIpOnLaunch"),
        update=_retag,
        delete=("delete_subnet", {"SubnetId": "id"}),
        read=_subnet_read,
    ),
    "aws:ec2/routeTable:RouteTable": Spec(
        "ec2",
        "create_route_table",
        id="o.RouteTable.RouteTableId",
        shape=_tagged("route-table"),
        identity=("vpcId",),
        update=_retag,
        delete=("delete_route_table", {"RouteTableId": "id"}),
        read=_routes_read,
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Spec(
        "ec2",
        "associate_route_table",
        id="o.AssociationId",
        delete=("disassociate_route_table", {"AssociationId": "id"}),
        read=_association_read,
    ),
    "aws:ec2/vpcEndpoint:VpcEndpoint": Spec(
        "ec2",
        "create_vpc_endpoint",
        id="o.VpcEndpoint.VpcEndpointId",
        shape=_tagged("vpc-endpoint"),
        identity=(
            "vpcId",
            "serviceName",
            "vpcEndpointType",
            "routeTableIds",
            "subnetIds",
            "securityGroupIds",
            "privateDnsEnabled",
        ),
        update=_retag,
        delete=("delete_vpc_endpoints", {"VpcEndpointIds": "[id]"}),
        read=_endpoint_read,
    ),
    "aws:ec2/securityGroup:SecurityGroup": Spec(
        "ec2",
        "create_security_group",
        id="o.GroupId",
        rename={"name": "GroupName"},
        shape=_tagged("security-group"),
        after=_group_after,
        identity=("name", "description", "vpcId"),
        update=_retag,
        delete=("delete_security_group", {"GroupId": "id"}),
        read=_group_read,
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": Spec(
        "ec2",
        "describe_security_groups",
        id="o.SecurityGroups[0].GroupId",
        shape=_default_group_shape,
        after=_default_group_after,
        identity=("vpcId",),
        update=_retag,
        read=_default_group_read,
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _rule("ingress"),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _rule("egress"),
}
