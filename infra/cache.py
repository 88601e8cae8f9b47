"""The cache: a DAX cluster, encrypted on disk and on the wire, with a role limited to the tables."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.options import child, component_type
from infra.settings import CacheSettings

TLS_PORT = 9111
_NAME_LENGTH = 20  # DAX accepts at most 20 characters for a cluster
_DIGEST_LENGTH = 6
_ACTIONS = (
    "dynamodb:DescribeTable",
    "dynamodb:GetItem",
    "dynamodb:BatchGetItem",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:ConditionCheckItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "dynamodb:DeleteItem",
    "dynamodb:BatchWriteItem",
)


@dataclass(frozen=True, slots=True)
class CacheArgs:
    prefix: str
    account: str
    region: str
    settings: CacheSettings
    subnet_ids: Sequence[pulumi.Input[str]]
    security_group_id: pulumi.Input[str]
    table_arns: Sequence[pulumi.Input[str]]
    tags: dict[str, str]


class Cache(pulumi.ComponentResource):
    """DAX cluster with its subnet group, parameter group and role."""

    cluster: aws.dax.Cluster

    def __init__(self, name: str, args: CacheArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(component_type("Cache"), name, None, opts)
        role = self._role(name, args)
        subnets = aws.dax.SubnetGroup(
            name,
            name=f"{args.prefix}-cache",
            description="Private subnets of the cache",
            subnet_ids=args.subnet_ids,
            opts=child(self),
        )
        parameters = aws.dax.ParameterGroup(
            name,
            name=f"{args.prefix}-cache",
            description="Time to live of items and query results",
            parameters=[
                {"name": "record-ttl-millis", "value": str(args.settings.record_ttl_ms)},
                {"name": "query-ttl-millis", "value": str(args.settings.query_ttl_ms)},
            ],
            opts=child(self),
        )
        self.cluster = aws.dax.Cluster(
            name,
            cluster_name=cluster_name(args.prefix),
            description="Cache in front of the tables",
            node_type=args.settings.node_type,
            replication_factor=args.settings.nodes,
            iam_role_arn=role.arn,
            subnet_group_name=subnets.name,
            parameter_group_name=parameters.name,
            security_group_ids=[args.security_group_id],
            cluster_endpoint_encryption_type="TLS",
            server_side_encryption={"enabled": True},
            tags=args.tags,
            # A cluster holds no data and a fixed name: another node type is another cluster, and two cannot share it.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.register_outputs({"arn": self.cluster.arn, "address": self.cluster.cluster_address})

    @property
    def endpoint(self) -> pulumi.Output[str]:
        """`daxs://` address of the cluster: the scheme of an encrypted endpoint."""
        address = self.cluster.cluster_address.apply(lambda found: found or "")
        return pulumi.Output.format("daxs://{0}:{1}", address, TLS_PORT)

    def _role(self, name: str, args: CacheArgs) -> aws.iam.Role:
        role = aws.iam.Role(
            name,
            name=f"{args.prefix}-cache",
            description="What DAX may do to the tables it caches",
            assume_role_policy=json.dumps(trust_document(args.account, args.region)),
            tags=args.tags,
            opts=child(self),
        )
        policy = pulumi.Output.all(*args.table_arns).apply(lambda arns: json.dumps(access_document(arns)))
        aws.iam.RolePolicy(name, name="tables", role=role.name, policy=policy, opts=child(self))
        return role


def cluster_name(prefix: str) -> str:
    """Name of the cluster: the prefix, or its beginning with a digest of the whole where DAX takes no more."""
    if len(prefix) <= _NAME_LENGTH:
        return prefix
    digest = hashlib.sha256(prefix.encode()).hexdigest()[:_DIGEST_LENGTH]
    return f"{prefix[: _NAME_LENGTH - _DIGEST_LENGTH - 1].rstrip('-')}-{digest}"


def trust_document(account: str, region: str) -> dict[str, Any]:
    """DAX may assume the role for clusters of this account and Region only (confused deputy)."""
    condition = {
        "StringEquals": {"aws:SourceAccount": account},
        "ArnLike": {"aws:SourceArn": f"arn:aws:dax:{region}:{account}:cache/*"},
    }
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "dax.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": condition,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def access_document(table_arns: Sequence[str]) -> dict[str, Any]:
    """Item calls on the given tables and their indexes."""
    resources = [resource for arn in table_arns for resource in (arn, f"{arn}/index/*")]
    statement = {"Sid": "Tables", "Effect": "Allow", "Action": list(_ACTIONS), "Resource": resources}
    return {"Version": "2012-10-17", "Statement": [statement]}
