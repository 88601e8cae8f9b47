"""AWS Backup for DynamoDB: jobs, recovery points, restores, copies, restore testing."""

from __future__ import annotations

from typing import Any

import pytest

ROLE = "arn:aws:iam::123456789012:role/backup"
DAY_S = 86_400


class Vault:
    """A vault of its own and the calls the tests repeat."""

    def __init__(self, lab: Any, region: str = "us-east-1") -> None:
        self.lab, self.api, self.name = lab, lab.client("backup", region), lab.name("vault")
        self.arn = self.api.create_backup_vault(BackupVaultName=self.name)["BackupVaultArn"]

    def start(self, table: str, **more: Any) -> Any:
        arn = self.lab.dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
        return self.api.start_backup_job(BackupVaultName=self.name, ResourceArn=arn, IamRoleArn=ROLE, **more)

    def point(self, table: str, **more: Any) -> str:
        """A completed recovery point."""
        made = self.start(table, **more)["RecoveryPointArn"]
        self.lab.control.advance(11)
        return str(made)

    def restore(self, point: str, target: str, **more: Any) -> Any:
        """The restore job after it has ended."""
        metadata = {"targetTableName": target}
        job = self.api.start_restore_job(RecoveryPointArn=point, Metadata=metadata, IamRoleArn=ROLE, **more)
        self.lab.control.advance(21)
        return self.api.describe_restore_job(RestoreJobId=job["RestoreJobId"])


@pytest.fixture
def vault(lab: Any) -> Vault:
    return Vault(lab)


def test_a_backup_job_is_created_runs_and_completes_with_a_recovery_point(lab: Any, vault: Vault) -> None:
    table = lab.table()
    job = vault.start(table)
    seen = []
    for step_s in (0, 2, 11):
        lab.control.advance(step_s)
        found = vault.api.describe_backup_job(BackupJobId=job["BackupJobId"])
        seen.append(found["State"])
    assert seen == ["CREATED", "RUNNING", "COMPLETED"]
    assert found["RecoveryPointArn"] == job["RecoveryPointArn"]
    assert found["CompletionDate"] > found["CreationDate"] and found["PercentDone"] == "100.00%"
    listed = vault.api.list_backup_jobs(ByBackupVaultName=vault.name, ByState="COMPLETED")["BackupJobs"]
    assert [one["BackupJobId"] for one in listed] == [job["BackupJobId"]]
    assert vault.api.list_backup_jobs(ByBackupVaultName=vault.name, ByState="FAILED")["BackupJobs"] == []


def test_a_recovery_point_restores_the_items_of_its_start(lab: Any, vault: Vault) -> None:
    table, target = lab.table(sort="S"), lab.name("restored")
    for number in range(30):
        lab.dynamodb.put_item(TableName=table, Item={"pk": {"S": f"k{number}"}, "sk": {"S": "a"}, "n": {"N": "1"}})
    expected = lab.scan(table)
    point = vault.point(table)
    lab.dynamodb.delete_item(TableName=table, Key={"pk": {"S": "k1"}, "sk": {"S": "a"}})
    lab.dynamodb.put_item(TableName=table, Item={"pk": {"S": "later"}, "sk": {"S": "a"}})
    job = vault.restore(point, target)
    assert job["Status"] == "COMPLETED" and job["CreatedResourceArn"].endswith(f"table/{target}")
    assert lab.scan(target) == expected != lab.scan(table)


def test_a_restore_job_runs_while_its_table_is_creating(lab: Any, vault: Vault) -> None:
    point, target = vault.point(lab.table()), lab.name("restored")
    job = vault.api.start_restore_job(RecoveryPointArn=point, Metadata={"targetTableName": target})["RestoreJobId"]
    seen = []
    for step_s in (0, 2, 20):
        lab.control.advance(step_s)
        table = lab.dynamodb.describe_table(TableName=target)["Table"]["TableStatus"]
        seen.append((vault.api.describe_restore_job(RestoreJobId=job)["Status"], table))
    assert seen == [("PENDING", "CREATING"), ("RUNNING", "CREATING"), ("COMPLETED", "ACTIVE")]
    ask = {"ByStatus": "COMPLETED", "ByResourceType": "DynamoDB"}
    assert job in [one["RestoreJobId"] for one in vault.api.list_restore_jobs(**ask)["RestoreJobs"]]
    assert vault.api.get_restore_job_metadata(RestoreJobId=job)["Metadata"] == {"targetTableName": target}


def test_a_restore_job_loses_the_settings_that_every_restore_loses(lab: Any, vault: Vault) -> None:
    table, target = lab.table(indexes=(("genre", "S"),)), lab.name("restored")
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    lab.dynamodb.update_table(TableName=table, StreamSpecification=stream, DeletionProtectionEnabled=True)
    ttl = {"Enabled": True, "AttributeName": "until"}
    lab.dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=ttl)
    vault.restore(vault.point(table), target)
    found = lab.dynamodb.describe_table(TableName=target)["Table"]
    assert [one["IndexName"] for one in found["GlobalSecondaryIndexes"]] == ["genre_index"]
    assert not found.get("StreamSpecification", {}).get("StreamEnabled")
    assert not found["DeletionProtectionEnabled"]
    continuous = lab.dynamodb.describe_continuous_backups(TableName=target)["ContinuousBackupsDescription"]
    assert continuous["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "DISABLED"
    state = lab.dynamodb.describe_time_to_live(TableName=target)["TimeToLiveDescription"]["TimeToLiveStatus"]
    assert state == "DISABLED"


def test_tags_come_along_only_when_a_restore_job_asks_for_them(lab: Any, vault: Vault) -> None:
    table = lab.table(Tags=[{"Key": "team", "Value": "music"}])
    point = vault.point(table, RecoveryPointTags={"run": "7"})

    def tags(**more: Any) -> list[dict[str, str]]:
        arn = vault.restore(point, lab.name("restored"), **more)["CreatedResourceArn"]
        return list(lab.dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"])

    assert tags() == []
    copied = tags(CopySourceTagsToRestoredResource=True)
    assert {one["Key"]: one["Value"] for one in copied} == {"team": "music", "run": "7"}


def test_a_restore_job_to_a_name_in_use_fails_and_says_why(lab: Any, vault: Vault) -> None:
    table = lab.table()
    job = vault.restore(vault.point(table), table)
    assert job["Status"] == "FAILED" and table in job["StatusMessage"]
    assert "CreatedResourceArn" not in job


def test_a_recovery_point_that_is_not_completed_cannot_be_restored(lab: Any, vault: Vault) -> None:
    point = vault.start(lab.table())["RecoveryPointArn"]
    call = {"RecoveryPointArn": point, "Metadata": {"targetTableName": lab.name()}}
    assert lab.refusal(vault.api.start_restore_job, **call) == "InvalidRequestException"
    shown = vault.api.describe_recovery_point(BackupVaultName=vault.name, RecoveryPointArn=point)
    assert shown["Status"] == "CREATING"


def test_recovery_points_are_listed_by_vault_and_by_resource(lab: Any, vault: Vault) -> None:
    table, other = lab.table(), lab.table()
    points = [vault.point(table), vault.point(table)]
    vault.point(other)
    arn = lab.dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    listed = vault.api.list_recovery_points_by_resource(ResourceArn=arn)["RecoveryPoints"]
    assert [one["RecoveryPointArn"] for one in listed] == points
    assert {one["Status"] for one in listed} == {"COMPLETED"}
    pages = vault.api.get_paginator("list_recovery_points_by_backup_vault").paginate(
        BackupVaultName=vault.name, PaginationConfig={"PageSize": 2}
    )
    assert [len(one["RecoveryPoints"]) for one in pages] == [2, 1]
    ask = {"BackupVaultName": vault.name, "ByResourceArn": arn}
    assert len(vault.api.list_recovery_points_by_backup_vault(**ask)["RecoveryPoints"]) == 2
    shown = vault.api.describe_backup_vault(BackupVaultName=vault.name)
    assert shown["NumberOfRecoveryPoints"] == 3
    newest = vault.api.describe_protected_resource(ResourceArn=arn)
    assert newest["LastRecoveryPointArn"] == points[-1] and newest["ResourceType"] == "DynamoDB"
    assert arn in [one["ResourceArn"] for one in vault.api.list_protected_resources()["Results"]]


def test_cold_storage_lasts_90_days_and_a_point_goes_when_its_lifecycle_ends(lab: Any, vault: Vault) -> None:
    table = lab.table(pitr=False)
    short = {"MoveToColdStorageAfterDays": 10, "DeleteAfterDays": 99}
    assert lab.refusal(vault.start, table=table, Lifecycle=short) == "InvalidParameterValueException"
    point = vault.point(table, Lifecycle={"MoveToColdStorageAfterDays": 10, "DeleteAfterDays": 100})
    ask = {"BackupVaultName": vault.name, "RecoveryPointArn": point}
    found = vault.api.describe_recovery_point(**ask)
    dates = found["CalculatedLifecycle"]
    assert (dates["DeleteAt"] - found["CreationDate"]).days == 100 and found["StorageClass"] == "WARM"
    lab.control.advance(11 * DAY_S)
    assert vault.api.describe_recovery_point(**ask)["StorageClass"] == "COLD"
    vault.api.update_recovery_point_lifecycle(**ask, Lifecycle={"DeleteAfterDays": 12})
    lab.control.advance(2 * DAY_S)
    assert lab.refusal(vault.api.describe_recovery_point, **ask) == "ResourceNotFoundException"


def test_a_deleted_recovery_point_is_gone_and_a_vault_with_points_stays(lab: Any, vault: Vault) -> None:
    point = vault.point(lab.table())
    assert lab.refusal(vault.api.delete_backup_vault, BackupVaultName=vault.name) == "InvalidRequestException"
    ask = {"BackupVaultName": vault.name, "RecoveryPointArn": point}
    vault.api.delete_recovery_point(**ask)
    assert lab.refusal(vault.api.describe_recovery_point, **ask) == "ResourceNotFoundException"
    vault.api.delete_backup_vault(BackupVaultName=vault.name)


def test_a_locked_vault_fails_jobs_outside_its_retention_and_keeps_its_points(lab: Any, vault: Vault) -> None:
    table = lab.table()
    lock = {"MinRetentionDays": 7, "MaxRetentionDays": 30, "ChangeableForDays": 3}
    vault.api.put_backup_vault_lock_configuration(BackupVaultName=vault.name, **lock)
    states = []
    for days in (1, 10, 40):
        job = vault.start(table, Lifecycle={"DeleteAfterDays": days})
        lab.control.advance(11)
        states.append(vault.api.describe_backup_job(BackupJobId=job["BackupJobId"])["State"])
    assert states == ["FAILED", "COMPLETED", "FAILED"]
    (kept,) = vault.api.list_recovery_points_by_backup_vault(BackupVaultName=vault.name)["RecoveryPoints"]
    lab.control.advance(4 * DAY_S)
    ask = {"BackupVaultName": vault.name, "RecoveryPointArn": kept["RecoveryPointArn"]}
    assert lab.refusal(vault.api.delete_recovery_point, **ask) == "InvalidRequestException"


def test_dynamodb_cannot_delete_a_recovery_point_with_advanced_features(lab: Any, vault: Vault) -> None:
    point = vault.point(lab.table())
    assert point.startswith("arn:aws:backup:us-east-1:123456789012:recovery-point:")
    assert lab.refusal(lab.dynamodb.delete_backup, BackupArn=point) == "BackupNotFoundException"


def test_without_advanced_features_the_point_is_a_dynamodb_backup_that_dynamodb_may_delete(lab: Any) -> None:
    vault = Vault(lab, "us-east-1")
    preference = "ResourceTypeManagementPreference"
    vault.api.update_region_settings(**{preference: {"DynamoDB": False}})
    try:
        table = lab.table()
        point = vault.point(table)
        assert ":dynamodb:" in point
        kinds = lab.dynamodb.list_backups(TableName=table, BackupType="AWS_BACKUP")["BackupSummaries"]
        assert [one["BackupArn"] for one in kinds] == [point]
        assert lab.dynamodb.list_backups(TableName=table)["BackupSummaries"] == []
        assert vault.restore(point, lab.name("restored"))["Status"] == "COMPLETED"
        lab.dynamodb.delete_backup(BackupArn=point)
        assert vault.api.list_recovery_points_by_backup_vault(BackupVaultName=vault.name)["RecoveryPoints"] == []
    finally:
        vault.api.update_region_settings(**{preference: {"DynamoDB": True}})


def test_a_copy_in_another_region_restores_there(lab: Any, vault: Vault) -> None:
    table, target = lab.table(), lab.name("restored")
    lab.fill(table, 10)
    far = Vault(lab, "us-west-2")
    point = vault.point(table)
    call = {
        "RecoveryPointArn": point, "SourceBackupVaultName": vault.name, "DestinationBackupVaultArn": far.arn,
        "IamRoleArn": ROLE,
    }  # fmt: skip
    job = vault.api.start_copy_job(**call)["CopyJobId"]
    assert vault.api.describe_copy_job(CopyJobId=job)["CopyJob"]["State"] == "CREATED"
    lab.control.advance(11)
    done = vault.api.describe_copy_job(CopyJobId=job)["CopyJob"]
    assert done["State"] == "COMPLETED"
    copy = far.api.describe_recovery_point(
        BackupVaultName=far.name, RecoveryPointArn=done["DestinationRecoveryPointArn"]
    )
    assert copy["SourceBackupVaultArn"] == vault.arn
    made = far.restore(done["DestinationRecoveryPointArn"], target)
    assert made["Status"] == "COMPLETED"
    assert lab.scan(target, "us-west-2") == lab.scan(table)


def test_an_idempotency_token_returns_the_job_that_it_started(lab: Any, vault: Vault) -> None:
    table = lab.table()
    first, second = (vault.start(table, IdempotencyToken="once")["BackupJobId"] for _ in range(2))
    assert first == second != vault.start(table, IdempotencyToken="twice")["BackupJobId"]


def test_a_stopped_backup_job_leaves_no_recovery_point(lab: Any, vault: Vault) -> None:
    job = vault.start(lab.table())
    vault.api.stop_backup_job(BackupJobId=job["BackupJobId"])
    assert vault.api.describe_backup_job(BackupJobId=job["BackupJobId"])["State"] == "ABORTED"
    assert vault.api.list_recovery_points_by_backup_vault(BackupVaultName=vault.name)["RecoveryPoints"] == []
    assert lab.refusal(vault.api.stop_backup_job, BackupJobId=job["BackupJobId"]) == "InvalidRequestException"


def test_a_verdict_is_kept_with_a_completed_restore_job_only(lab: Any, vault: Vault) -> None:
    point = vault.point(lab.table())
    running = vault.api.start_restore_job(RecoveryPointArn=point, Metadata={"targetTableName": lab.name()})
    call = {"RestoreJobId": running["RestoreJobId"], "ValidationStatus": "SUCCESSFUL"}
    assert lab.refusal(vault.api.put_restore_validation_result, **call) == "InvalidRequestException"
    lab.control.advance(21)
    vault.api.put_restore_validation_result(**call, ValidationStatusMessage="30 of 30 items equal")
    found = vault.api.describe_restore_job(RestoreJobId=running["RestoreJobId"])
    assert (found["ValidationStatus"], found["ValidationStatusMessage"]) == ("SUCCESSFUL", "30 of 30 items equal")
    wrong = call | {"ValidationStatus": "FINE"}
    assert lab.refusal(vault.api.put_restore_validation_result, **wrong) == "InvalidParameterValueException"


@pytest.mark.parametrize(
    "operation", ["describe_backup_job", "describe_restore_job", "describe_copy_job", "get_restore_job_metadata"]
)
def test_an_unknown_job_is_not_found(lab: Any, operation: str) -> None:
    member = {"describe_backup_job": "BackupJobId", "describe_copy_job": "CopyJobId"}.get(operation, "RestoreJobId")
    assert lab.refusal(getattr(lab.client("backup"), operation), **{member: "none"}) == "ResourceNotFoundException"


@pytest.mark.parametrize("lacking", ["ResourceArn", "BackupVaultName", "IamRoleArn"])
def test_a_backup_job_needs_its_required_members(lab: Any, vault: Vault, lacking: str) -> None:
    arn = lab.dynamodb.describe_table(TableName=lab.table())["Table"]["TableArn"]
    call = {"BackupVaultName": vault.name, "ResourceArn": arn, "IamRoleArn": ROLE}
    call.pop(lacking)
    assert lab.refusal(vault.api.start_backup_job, **call) == "MissingParameterValueException"


def test_restore_testing_plans_and_selections_are_created_changed_and_deleted(lab: Any, vault: Vault) -> None:
    api, plan = vault.api, lab.name("plan").replace("-", "_")
    selection = {"Algorithm": "LATEST_WITHIN_WINDOW", "IncludeVaults": [vault.arn], "RecoveryPointTypes": ["SNAPSHOT"]}
    wanted = {
        "RestoreTestingPlanName": plan, "ScheduleExpression": "cron(0 5 ? * * *)", "RecoveryPointSelection": selection,
    }  # fmt: skip
    api.create_restore_testing_plan(RestoreTestingPlan=wanted)
    assert lab.refusal(api.create_restore_testing_plan, RestoreTestingPlan=wanted) == "AlreadyExistsException"
    found = api.get_restore_testing_plan(RestoreTestingPlanName=plan)["RestoreTestingPlan"]
    assert found["RecoveryPointSelection"]["SelectionWindowDays"] == 30
    change = {"RecoveryPointSelection": {"SelectionWindowDays": 366}}
    call = {"RestoreTestingPlanName": plan, "RestoreTestingPlan": change}
    assert lab.refusal(api.update_restore_testing_plan, **call) == "InvalidParameterValueException"
    change["RecoveryPointSelection"]["SelectionWindowDays"] = 7
    api.update_restore_testing_plan(**call)
    found = api.get_restore_testing_plan(RestoreTestingPlanName=plan)["RestoreTestingPlan"]
    assert found["RecoveryPointSelection"] == {**selection, "ExcludeVaults": [], "SelectionWindowDays": 7}
    assert plan in [one["RestoreTestingPlanName"] for one in api.list_restore_testing_plans()["RestoreTestingPlans"]]

    one = {
        "RestoreTestingSelectionName": "tables", "ProtectedResourceType": "DynamoDB", "IamRoleArn": ROLE,
        "ProtectedResourceArns": ["*"], "ValidationWindowHours": 4,
    }  # fmt: skip
    api.create_restore_testing_selection(RestoreTestingPlanName=plan, RestoreTestingSelection=one)
    ask = {"RestoreTestingPlanName": plan, "RestoreTestingSelectionName": "tables"}
    assert api.get_restore_testing_selection(**ask)["RestoreTestingSelection"]["ValidationWindowHours"] == 4
    update = {**ask, "RestoreTestingSelection": {"ValidationWindowHours": 169}}
    assert lab.refusal(api.update_restore_testing_selection, **update) == "InvalidParameterValueException"
    api.update_restore_testing_selection(**ask, RestoreTestingSelection={"ValidationWindowHours": 168})
    (listed,) = api.list_restore_testing_selections(RestoreTestingPlanName=plan)["RestoreTestingSelections"]
    assert listed["ValidationWindowHours"] == 168
    refused = lab.refusal(api.delete_restore_testing_plan, RestoreTestingPlanName=plan)
    assert refused == "InvalidRequestException"
    api.delete_restore_testing_selection(**ask)
    assert lab.refusal(api.get_restore_testing_selection, **ask) == "ResourceNotFoundException"
    api.delete_restore_testing_plan(RestoreTestingPlanName=plan)
    gone = lab.refusal(api.get_restore_testing_plan, RestoreTestingPlanName=plan)
    assert gone == "ResourceNotFoundException"
