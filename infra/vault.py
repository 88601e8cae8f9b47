"""AWS Backup: a vault, a plan and a selection that covers every resource that holds data."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.config import BackupSettings
from infra.options import child, component_type, keeps_data

_START_WINDOW_MINUTES = 60
_COMPLETION_WINDOW_MINUTES = 360
_MANAGED_POLICIES = (
    "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup",
    "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForRestores",
)


@dataclass(frozen=True, slots=True)
class VaultArgs:
    prefix: str
    account: str
    settings: BackupSettings
    kms_key_arn: pulumi.Input[str]
    data_arns: Sequence[pulumi.Input[str]]
    tags: dict[str, str]


class Vault(pulumi.ComponentResource):
    """Vault, daily plan, role and selection; a second vault where copies go, when a Region is named."""

    vault: aws.backup.Vault
    plan: aws.backup.Plan

    def __init__(self, name: str, args: VaultArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(component_type("Vault"), name, None, opts)
        self.vault = aws.backup.Vault(
            name, name=args.prefix, kms_key_arn=args.kms_key_arn, tags=args.tags, opts=keeps_data(self)
        )
        self.plan = aws.backup.Plan(
            name, name=args.prefix, rules=[self._rule(name, args)], tags=args.tags, opts=child(self)
        )
        role, rights = self._role(name, args)
        aws.backup.Selection(
            name,
            name="data",
            plan_id=self.plan.id,
            iam_role_arn=role.arn,
            resources=args.data_arns,
            opts=child(self, rights),
        )
        self.register_outputs({"vault": self.vault.name, "planId": self.plan.id})

    def _rule(self, name: str, args: VaultArgs) -> aws.backup.PlanRuleArgs:
        settings = args.settings
        lifecycle = aws.backup.PlanRuleLifecycleArgs(
            cold_storage_after=settings.cold_storage_days or None, delete_after=settings.retention_days
        )
        return aws.backup.PlanRuleArgs(
            rule_name="daily",
            target_vault_name=self.vault.name,
            schedule=settings.schedule,
            start_window=_START_WINDOW_MINUTES,
            completion_window=_COMPLETION_WINDOW_MINUTES,
            lifecycle=lifecycle,
            recovery_point_tags=args.tags,
            copy_actions=self._copies(name, args),
        )

    def _copies(self, name: str, args: VaultArgs) -> list[aws.backup.PlanRuleCopyActionArgs] | None:
        settings = args.settings
        if settings.copy_region is None:
            return None
        copies = aws.backup.Vault(
            f"{name}-copies",
            name=f"{args.prefix}-copies",
            region=settings.copy_region,
            tags=args.tags,
            opts=keeps_data(self),
        )
        kept = aws.backup.PlanRuleCopyActionLifecycleArgs(
            cold_storage_after=settings.cold_storage_days or None, delete_after=settings.retention_days
        )
        return [aws.backup.PlanRuleCopyActionArgs(destination_vault_arn=copies.arn, lifecycle=kept)]

    def _role(self, name: str, args: VaultArgs) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
        role = aws.iam.Role(
            f"{name}-service",
            name=f"{args.prefix}-backup-service",
            description="AWS Backup: back up and restore the selected resources",
            assume_role_policy=json.dumps(trust_document(args.account)),
            tags=args.tags,
            opts=child(self),
        )
        rights: list[pulumi.Resource] = [
            aws.iam.RolePolicyAttachment(f"{name}-service-{at}", role=role.name, policy_arn=policy, opts=child(self))
            for at, policy in enumerate(_MANAGED_POLICIES)
        ]
        return role, rights


def trust_document(account: str) -> dict[str, Any]:
    """AWS Backup may assume the role on behalf of this account only (confused deputy)."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "backup.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
