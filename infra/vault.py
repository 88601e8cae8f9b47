"""AWS Backup: a vault, a plan and a selection that covers every resource that holds data."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.options import child, component_type, guards_data, keeps_data
from infra.settings import BackupSettings

_START_WINDOW_MINUTES = 60
_COMPLETION_WINDOW_MINUTES = 360
_SELECTION_WINDOW_DAYS = 30
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
    data: Sequence["Selected"]
    tags: dict[str, str]
    copy_key_arn: pulumi.Input[str] | None = None


@dataclass(frozen=True, slots=True)
class Selected:
    """A resource that backups cover; `kind` is AWS Backup's own name of its type (DynamoDB, RDS, Aurora)."""

    kind: str
    arn: pulumi.Input[str]


class Vault(pulumi.ComponentResource):
    """Vault, daily plan, role and selection; a second vault where copies go, when a Region is named."""

    vault: aws.backup.Vault
    plan: aws.backup.Plan

    def __init__(self, name: str, args: VaultArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(component_type("Vault"), name, None, opts)
        self._args = args
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
            resources=[selected.arn for selected in args.data],
            opts=child(self, rights),
        )
        if args.settings.lock_days:
            self._lock(name, self.vault, None)
        if args.settings.testing_schedule:
            self._testing(name, args.settings.testing_schedule, role)
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
            kms_key_arn=args.copy_key_arn,
            region=settings.copy_region,
            tags=args.tags,
            opts=keeps_data(self),
        )
        if settings.lock_days:
            self._lock(f"{name}-copies", copies, settings.copy_region)
        kept = aws.backup.PlanRuleCopyActionLifecycleArgs(
            cold_storage_after=settings.cold_storage_days or None, delete_after=settings.retention_days
        )
        return [aws.backup.PlanRuleCopyActionArgs(destination_vault_arn=copies.arn, lifecycle=kept)]

    def _lock(self, name: str, vault: aws.backup.Vault, region: str | None) -> None:
        """Nobody shortens or deletes a recovery point before `lock_days`; after the grace, nobody removes the lock."""
        settings = self._args.settings
        aws.backup.VaultLockConfiguration(
            name,
            backup_vault_name=vault.name,
            min_retention_days=settings.lock_days,
            changeable_for_days=settings.lock_grace_days or None,
            region=region,
            opts=guards_data(self),
        )

    def _testing(self, name: str, schedule: str, role: aws.iam.Role) -> None:
        """AWS Backup restores the newest point of each kind on trial; whoever verifies it posts the verdict."""
        args = self._args
        plan = aws.backup.RestoreTestingPlan(
            name,
            name=f"{args.prefix}-restore-testing".replace("-", "_"),  # letters, digits and _ only
            schedule_expression=schedule,
            recovery_point_selection={
                "algorithm": "LATEST_WITHIN_WINDOW",
                "include_vaults": [self.vault.arn],
                "recovery_point_types": ["SNAPSHOT"],
                "selection_window_days": min(args.settings.retention_days, _SELECTION_WINDOW_DAYS),
            },
            tags=args.tags,
            opts=child(self),
        )
        for kind in sorted({selected.kind for selected in args.data}):
            aws.backup.RestoreTestingSelection(
                f"{name}-{kind.lower()}",
                name=kind.lower(),
                restore_testing_plan_name=plan.name,
                protected_resource_type=kind,
                protected_resource_arns=[selected.arn for selected in args.data if selected.kind == kind],
                iam_role_arn=role.arn,
                validation_window_hours=args.settings.testing_hours,
                opts=child(self),
            )

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
