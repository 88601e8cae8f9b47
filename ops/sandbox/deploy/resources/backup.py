"""AWS Backup: vault, plan, selection."""

from collections.abc import Mapping
from typing import Any

from ops.sandbox.deploy.model import Inputs, Record
from ops.sandbox.deploy.spec import Client, Document, Spec, fields, plain

_RULE = {
    "schedule": "ScheduleExpression",
    "startWindow": "StartWindowMinutes",
    "completionWindow": "CompletionWindowMinutes",
    "targetVaultName": "TargetBackupVaultName",
    "copyActions": "CopyActions",
    "ruleName": "RuleName",
    "recoveryPointTags": "RecoveryPointTags",
}
_LIFECYCLE = {"coldStorageAfter": "MoveToColdStorageAfterDays", "deleteAfter": "DeleteAfterDays"}


def _renamed(value: Inputs, names: Mapping[str, str]) -> Inputs:
    unknown = sorted(set(value) - set(names))
    if unknown:
        raise ValueError(f"backup plan: {', '.join(unknown)} is not known to the sandbox")
    return {names[key]: entry for key, entry in value.items() if entry is not None}


def _copy(action: Inputs) -> Inputs:
    found = {"DestinationBackupVaultArn": action["destinationVaultArn"]}
    if action.get("lifecycle"):
        found["Lifecycle"] = _renamed(action["lifecycle"], _LIFECYCLE)
    return found


def _rule(rule: Inputs) -> Inputs:
    found = _renamed({key: value for key, value in rule.items() if key != "lifecycle"}, _RULE)
    if rule.get("lifecycle"):
        found["Lifecycle"] = _renamed(rule["lifecycle"], _LIFECYCLE)
    if rule.get("copyActions"):
        found["CopyActions"] = [_copy(action) for action in rule["copyActions"]]
    return found


def _plan_shape(inputs: Inputs) -> Inputs:
    return {**inputs, "rules": [_rule(rule) for rule in inputs["rules"]]}


def _plan(inputs: Inputs) -> Document:
    return {"BackupPlanName": inputs["name"], "Rules": _whole([_rule(rule) for rule in inputs["rules"]])}


def _whole(value: Any) -> Any:
    """Numbers arrive as floats; the API takes whole ones here."""
    if isinstance(value, dict):
        return {key: _whole(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_whole(entry) for entry in value]
    return int(value) if isinstance(value, float) else value


def _plan_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    backup = client("backup")
    if "rules" in changed:
        backup.update_backup_plan(BackupPlanId=record.id, BackupPlan=_plan(new))
    if "tags" in changed:
        backup.tag_resource(ResourceArn=record.outputs["arn"], Tags=new["tags"])


def _plan_read(client: Client, record: Record) -> Document:
    backup = client("backup")
    plan = plain(backup.get_backup_plan(BackupPlanId=record.id))["BackupPlan"]
    rules = [_rule_found(rule) for rule in plan["Rules"]]
    tags = backup.list_tags(ResourceArn=record.outputs["arn"])["Tags"]
    return {**fields(plan, name="BackupPlanName"), "rules": rules, "tags": tags}


def _rule_found(rule: Document) -> Document:
    found = {key: rule.get(name) for key, name in _RULE.items()}
    lifecycle = rule.get("Lifecycle") or {}
    found["lifecycle"] = {key: lifecycle.get(name) for key, name in _LIFECYCLE.items()}
    found["copyActions"] = [
        {
            "destinationVaultArn": action["DestinationBackupVaultArn"],
            "lifecycle": {key: (action.get("Lifecycle") or {}).get(name) for key, name in _LIFECYCLE.items()},
        }
        for action in rule.get("CopyActions") or []
    ]
    return found


def _vault_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    client("backup").tag_resource(ResourceArn=record.outputs["arn"], Tags=new["tags"])


def _vault_read(client: Client, record: Record) -> Document:
    backup = client("backup")
    vault = plain(backup.describe_backup_vault(BackupVaultName=record.inputs["name"]))
    tags = backup.list_tags(ResourceArn=record.outputs["arn"])["Tags"]
    return {**fields(vault, name="BackupVaultName", kmsKeyArn="EncryptionKeyArn"), "tags": tags}


def _selection_read(client: Client, record: Record) -> Document:
    answer = plain(client("backup").get_backup_selection(BackupPlanId=record.inputs["planId"], SelectionId=record.id))
    return fields(
        answer,
        planId="BackupPlanId",
        name="BackupSelection.SelectionName",
        iamRoleArn="BackupSelection.IamRoleArn",
        resources="BackupSelection.Resources",
    )


def _lock_read(client: Client, record: Record) -> Document:
    name = record.inputs["backupVaultName"]
    vault = plain(client("backup").describe_backup_vault(BackupVaultName=name))
    return fields(vault, backupVaultName="BackupVaultName", minRetentionDays="MinRetentionDays",
                  maxRetentionDays="MaxRetentionDays")  # fmt: skip


def _testing_shape(inputs: Inputs) -> Inputs:
    selection = inputs["recoveryPointSelection"]
    plan = {
        "restoreTestingPlanName": inputs["name"],
        "scheduleExpression": inputs["scheduleExpression"],
        "recoveryPointSelection": selection,
    }
    return {"restoreTestingPlan": plan, "tags": inputs.get("tags")}


def _testing_selection_shape(inputs: Inputs) -> Inputs:
    plan = inputs["restoreTestingPlanName"]
    selection = {key: value for key, value in inputs.items() if key not in ("restoreTestingPlanName", "name")}
    return {
        "restoreTestingPlanName": plan,
        "restoreTestingSelection": {**selection, "restoreTestingSelectionName": inputs["name"]},
    }


def _testing_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    """Of a plan, the schedule and which points it takes; its tags are nowhere to be read."""
    selection = new["recoveryPointSelection"]
    points = {
        "Algorithm": selection["algorithm"],
        "IncludeVaults": selection["includeVaults"],
        "RecoveryPointTypes": selection["recoveryPointTypes"],
        "SelectionWindowDays": int(selection["selectionWindowDays"]),
    }
    plan = {"ScheduleExpression": new["scheduleExpression"], "RecoveryPointSelection": points}
    client("backup").update_restore_testing_plan(RestoreTestingPlanName=new["name"], RestoreTestingPlan=plan)


def _testing_selection_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    selection = {
        "IamRoleArn": new["iamRoleArn"],
        "ProtectedResourceArns": new["protectedResourceArns"],
        "ValidationWindowHours": int(new["validationWindowHours"]),
    }
    client("backup").update_restore_testing_selection(
        RestoreTestingPlanName=new["restoreTestingPlanName"],
        RestoreTestingSelectionName=new["name"],
        RestoreTestingSelection=selection,
    )


def _testing_read(client: Client, record: Record) -> Document:
    answer = client("backup").get_restore_testing_plan(RestoreTestingPlanName=record.inputs["name"])
    return fields(
        plain(answer)["RestoreTestingPlan"],
        name="RestoreTestingPlanName",
        scheduleExpression="ScheduleExpression",
        recoveryPointSelection="RecoveryPointSelection.{algorithm: Algorithm, includeVaults: IncludeVaults,"
        " recoveryPointTypes: RecoveryPointTypes, selectionWindowDays: SelectionWindowDays}",
    )


def _testing_selection_read(client: Client, record: Record) -> Document:
    answer = client("backup").get_restore_testing_selection(
        RestoreTestingPlanName=record.inputs["restoreTestingPlanName"],
        RestoreTestingSelectionName=record.inputs["name"],
    )
    return fields(
        plain(answer)["RestoreTestingSelection"],
        name="RestoreTestingSelectionName",
        restoreTestingPlanName="RestoreTestingPlanName",
        protectedResourceType="ProtectedResourceType",
        protectedResourceArns="ProtectedResourceArns",
        iamRoleArn="IamRoleArn",
        validationWindowHours="ValidationWindowHours",
    )


SPECS = {
    "aws:backup/vaultLockConfiguration:VaultLockConfiguration": Spec(
        "backup",
        "put_backup_vault_lock_configuration",
        id="i.backupVaultName",
        upsert=True,
        identity=("backupVaultName",),
        delete=("delete_backup_vault_lock_configuration", {"BackupVaultName": "i.backupVaultName"}),
        read=_lock_read,
        unread={"changeableForDays": "AWS answers with the day of the lock instead of the grace"},
    ),
    "aws:backup/restoreTestingPlan:RestoreTestingPlan": Spec(
        "backup",
        "create_restore_testing_plan",
        shape=_testing_shape,
        outputs={"arn": "o.RestoreTestingPlanArn"},
        update=_testing_update,
        delete=("delete_restore_testing_plan", {"RestoreTestingPlanName": "i.name"}),
        read=_testing_read,
        unread={"tags": "the sandbox keeps no tags of restore testing"},
    ),
    "aws:backup/restoreTestingSelection:RestoreTestingSelection": Spec(
        "backup",
        "create_restore_testing_selection",
        id="join(':', [i.restoreTestingPlanName, i.name])",
        shape=_testing_selection_shape,
        identity=("restoreTestingPlanName", "name", "protectedResourceType"),
        update=_testing_selection_update,
        delete=(
            "delete_restore_testing_selection",
            {"RestoreTestingPlanName": "i.restoreTestingPlanName", "RestoreTestingSelectionName": "i.name"},
        ),
        read=_testing_selection_read,
    ),
    "aws:backup/vault:Vault": Spec(
        "backup",
        "create_backup_vault",
        rename={"name": "BackupVaultName", "kmsKeyArn": "EncryptionKeyArn", "tags": "BackupVaultTags"},
        outputs={"arn": "o.BackupVaultArn"},
        identity=("name", "kmsKeyArn"),
        update=_vault_update,
        delete=("delete_backup_vault", {"BackupVaultName": "i.name"}),
        read=_vault_read,
    ),
    "aws:backup/plan:Plan": Spec(
        "backup",
        "create_backup_plan",
        id="o.BackupPlanId",
        rename={"name": "BackupPlan.BackupPlanName", "rules": "BackupPlan.Rules", "tags": "BackupPlanTags"},
        shape=_plan_shape,
        outputs={"arn": "o.BackupPlanArn", "version": "o.VersionId"},
        update=_plan_update,
        delete=("delete_backup_plan", {"BackupPlanId": "id"}),
        read=_plan_read,
    ),
    "aws:backup/selection:Selection": Spec(
        "backup",
        "create_backup_selection",
        id="o.SelectionId",
        rename={
            "planId": "BackupPlanId",
            "name": "BackupSelection.SelectionName",
            "iamRoleArn": "BackupSelection.IamRoleArn",
            "resources": "BackupSelection.Resources",
        },
        delete=("delete_backup_selection", {"BackupPlanId": "i.planId", "SelectionId": "id"}),
        read=_selection_read,
    ),
}
