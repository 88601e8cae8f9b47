"""The network: a VPC of private subnets without a way out, reached and left through endpoints only."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.options import child, component_type

_GATEWAY_SERVICES = ("s3", "dynamodb")
_SUBNET_BITS = 4


@dataclass(frozen=True, slots=True)
class NetworkArgs:
    prefix: str
    region: str
    cidr: str
    zones: Sequence[str]
    interface_endpoints: Sequence[str]
    tags: dict[str, str]


class Network(pulumi.ComponentResource):
    """VPC, one private subnet per zone, endpoints for S3, DynamoDB and the services named."""

    vpc_id: pulumi.Output[str]
    subnet_ids: list[pulumi.Output[str]]

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(component_type("Network"), name, None, opts)
        self._args = args
        self._vpc = aws.ec2.Vpc(
            f"{name}-vpc",
            cidr_block=args.cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=self._tags("vpc"),
            opts=child(self),
        )
        self.vpc_id = self._vpc.id
        aws.ec2.DefaultSecurityGroup(
            f"{name}-default", vpc_id=self.vpc_id, tags=self._tags("default-closed"), opts=child(self)
        )
        routes = aws.ec2.RouteTable(f"{name}-private", vpc_id=self.vpc_id, tags=self._tags("private"), opts=child(self))
        self.subnet_ids = self._subnets(name, routes)
        self._gateway_endpoints(name, routes)
        if args.interface_endpoints:
            self._interface_endpoints(name)
        self.register_outputs({"vpcId": self.vpc_id, "subnetIds": self.subnet_ids})

    def admit(self, name: str, port: int, description: str) -> aws.ec2.SecurityGroup:
        """A security group open to this VPC on one TCP port, with no way out."""
        group = aws.ec2.SecurityGroup(
            name,
            name=f"{self._args.prefix}-{name}",
            description=description,
            vpc_id=self.vpc_id,
            tags=self._tags(name),
            opts=child(self),
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-from-vpc",
            security_group_id=group.id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            cidr_ipv4=self._args.cidr,
            description=f"{description}, from the VPC",
            opts=child(self),
        )
        return group

    def _tags(self, name: str) -> dict[str, str]:
        return {**self._args.tags, "Name": f"{self._args.prefix}-{name}"}

    def _subnets(self, name: str, routes: aws.ec2.RouteTable) -> list[pulumi.Output[str]]:
        blocks = ipaddress.IPv4Network(self._args.cidr).subnets(prefixlen_diff=_SUBNET_BITS)
        found = []
        for at, (zone, block) in enumerate(zip(self._args.zones, blocks, strict=False)):
            subnet = aws.ec2.Subnet(
                f"{name}-private-{at}",
                vpc_id=self.vpc_id,
                cidr_block=str(block),
                availability_zone=zone,
                map_public_ip_on_launch=False,
                tags=self._tags(f"private-{at}"),
                opts=child(self),
            )
            aws.ec2.RouteTableAssociation(
                f"{name}-private-{at}", subnet_id=subnet.id, route_table_id=routes.id, opts=child(self)
            )
            found.append(subnet.id)
        return found

    def _gateway_endpoints(self, name: str, routes: aws.ec2.RouteTable) -> None:
        for service in _GATEWAY_SERVICES:
            aws.ec2.VpcEndpoint(
                f"{name}-{service}",
                vpc_id=self.vpc_id,
                service_name=f"com.amazonaws.{self._args.region}.{service}",
                vpc_endpoint_type="Gateway",
                route_table_ids=[routes.id],
                tags=self._tags(service),
                opts=child(self),
            )

    def _interface_endpoints(self, name: str) -> None:
        group = self.admit(f"{name}-endpoints", 443, "AWS services through interface endpoints")
        for service in self._args.interface_endpoints:
            aws.ec2.VpcEndpoint(
                f"{name}-{service}",
                vpc_id=self.vpc_id,
                service_name=f"com.amazonaws.{self._args.region}.{service}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=self.subnet_ids,
                security_group_ids=[group.id],
                tags=self._tags(service),
                opts=child(self),
            )
