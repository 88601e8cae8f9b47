"""The operator roles: one per kind of work, each limited to the names of this stack."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.options import child, component_type
from infra.permissions import policy_text, roles, trust
from infra.scope import Scope

_SESSION_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class AccessArgs:
    prefix: str
    account: str
    scope: pulumi.Output[Scope]
    principals: Sequence[str]
    database: bool
    tags: dict[str, str]


class Access(pulumi.ComponentResource):
    """Roles by name, with their ARNs for the environment document."""

    roles: dict[str, aws.iam.Role]

    def __init__(self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(component_type("Access"), name, None, opts)
        self.roles = {role: self._role(role, args) for role in roles(database=args.database)}
        self.register_outputs({role: found.arn for role, found in self.roles.items()})

    @property
    def arns(self) -> pulumi.Output[dict[str, str]]:
        return pulumi.Output.all(**{role: found.arn for role, found in self.roles.items()})

    def _role(self, role: str, args: AccessArgs) -> aws.iam.Role:
        found = aws.iam.Role(
            role,
            name=f"{args.prefix}-{role}",
            description=f"{role} of {args.prefix}",
            max_session_duration=_SESSION_SECONDS,
            assume_role_policy=json.dumps(trust(role, args.account, args.principals)),
            tags=args.tags,
            opts=child(self),
        )
        policy = args.scope.apply(lambda scope: policy_text(role, scope))
        aws.iam.RolePolicy(role, name=role, role=found.name, policy=policy, opts=child(self))
        return found
