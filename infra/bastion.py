"""How an operator reaches the database: Session Manager port forwarding through a small instance, nothing open."""

import json
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.options import child, component_type

# The agent's three services; without a way out of the VPC they need interface endpoints.
ENDPOINTS = ("ssm", "ssmmessages", "ec2messages")
_IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
_DISK_GIB = 8  # the image's own size
_AGENT_POLICY = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"


@dataclass(frozen=True, slots=True)
class BastionArgs:
    prefix: str
    instance_type: str
    vpc_id: pulumi.Input[str]
    subnet_id: pulumi.Input[str]
    cidr: str
    database_port: int
    tags: dict[str, str]


class Bastion(pulumi.ComponentResource):
    """An instance without a public address, without a key, without a way in; it may reach the VPC on two ports.

    `aws ssm start-session --target ID --document-name AWS-StartPortForwardingSessionToRemoteHost` does the rest.
    """

    instance: aws.ec2.Instance

    def __init__(self, name: str, args: BastionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(component_type("Bastion"), name, None, opts)
        self._name, self._args = name, args
        self.instance = aws.ec2.Instance(
            name,
            ami=aws.ssm.get_parameter(name=_IMAGE).value,
            instance_type=args.instance_type,
            subnet_id=args.subnet_id,
            associate_public_ip_address=False,
            iam_instance_profile=self._profile().name,
            vpc_security_group_ids=[self._group().id],
            metadata_options={"http_endpoint": "enabled", "http_tokens": "required"},
            root_block_device={"encrypted": True, "volume_size": _DISK_GIB, "volume_type": "gp3"},
            tags=self._tags(),
            # A newer image must not replace a running bastion in passing.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["ami"]),
        )
        self.register_outputs({"instanceId": self.instance.id})

    def _tags(self) -> dict[str, str]:
        return {**self._args.tags, "Name": f"{self._args.prefix}-{self._name}"}

    def _profile(self) -> aws.iam.InstanceProfile:
        role = aws.iam.Role(
            self._name,
            name=f"{self._args.prefix}-{self._name}",
            description="What the agent of Session Manager needs",
            assume_role_policy=json.dumps(trust_document()),
            tags=self._args.tags,
            opts=child(self),
        )
        aws.iam.RolePolicyAttachment(self._name, role=role.name, policy_arn=_AGENT_POLICY, opts=child(self))
        return aws.iam.InstanceProfile(
            self._name, name=f"{self._args.prefix}-{self._name}", role=role.name, tags=self._args.tags, opts=child(self)
        )

    def _group(self) -> aws.ec2.SecurityGroup:
        group = aws.ec2.SecurityGroup(
            self._name,
            name=f"{self._args.prefix}-{self._name}",
            description="Nothing in; out to the database and to AWS endpoints of the VPC",
            vpc_id=self._args.vpc_id,
            tags=self._tags(),
            opts=child(self),
        )
        for purpose, port in (("database", self._args.database_port), ("endpoints", 443)):
            aws.vpc.SecurityGroupEgressRule(
                f"{self._name}-{purpose}",
                security_group_id=group.id,
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                cidr_ipv4=self._args.cidr,
                description=f"To the {purpose}, inside the VPC",
                opts=child(self),
            )
        return group


def trust_document() -> dict[str, Any]:
    """EC2 instances may carry the role; who may give it to one is decided by iam:PassRole."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
