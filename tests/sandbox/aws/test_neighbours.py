"""DAX groups, AWS Backup selections, RDS instances bound to a database."""

from __future__ import annotations

import json
from typing import Any

import pytest

ROLE = "arn:aws:iam::123456789012:role/any"


@pytest.fixture
def subnets(lab: Any) -> list[str]:
    ec2 = lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    return [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.7.{number}.0/24")["Subnet"]["SubnetId"] for number in range(2)]


def test_dax_subnet_groups_live_and_die(lab: Any, subnets: list[str]) -> None:
    dax, name = lab.client("dax"), lab.name("subnets")
    made = dax.create_subnet_group(SubnetGroupName=name, SubnetIds=subnets)["SubnetGroup"]
    assert {one["SubnetIdentifier"] for one in made["Subnets"]} == set(subnets)
    assert dax.describe_subnet_groups(SubnetGroupNames=[name])["SubnetGroups"] == [made]
    again = {"SubnetGroupName": name, "SubnetIds": subnets}
    assert lab.refusal(dax.create_subnet_group, **again) == "SubnetGroupAlreadyExistsFault"
    updated = dax.update_subnet_group(SubnetGroupName=name, SubnetIds=subnets[:1])["SubnetGroup"]
    assert len(updated["Subnets"]) == 1
    dax.delete_subnet_group(SubnetGroupName=name)
    assert lab.refusal(dax.describe_subnet_groups, SubnetGroupNames=[name]) == "SubnetGroupNotFoundFault"


def test_dax_parameter_groups_start_at_300000_ms_and_take_known_names_only(lab: Any) -> None:
    dax, name = lab.client("dax"), lab.name("parameters")
    dax.create_parameter_group(ParameterGroupName=name)

    def values() -> dict[str, str]:
        listed = dax.describe_parameters(ParameterGroupName=name)["Parameters"]
        return {one["ParameterName"]: one["ParameterValue"] for one in listed}

    assert values() == {"query-ttl-millis": "300000", "record-ttl-millis": "300000"}
    change = [{"ParameterName": "query-ttl-millis", "ParameterValue": "0"}]
    dax.update_parameter_group(ParameterGroupName=name, ParameterNameValues=change)
    assert values()["query-ttl-millis"] == "0"
    wrong = [{"ParameterName": "nonsense", "ParameterValue": "0"}]
    call = {"ParameterGroupName": name, "ParameterNameValues": wrong}
    assert lab.refusal(dax.update_parameter_group, **call) == "InvalidParameterValueException"
    dax.delete_parameter_group(ParameterGroupName=name)
    assert lab.refusal(dax.describe_parameters, ParameterGroupName=name) == "ParameterGroupNotFoundFault"


@pytest.mark.parametrize(("encryption", "port", "scheme"), [("NONE", 8111, "dax://"), ("TLS", 9111, "daxs://")])
def test_a_dax_cluster_remembers_its_groups_and_has_an_endpoint(
    lab: Any, subnets: list[str], encryption: str, port: int, scheme: str
) -> None:
    dax, name = lab.client("dax"), lab.name("cache")
    subnet_group, parameters = lab.name("subnets"), lab.name("parameters")
    dax.create_subnet_group(SubnetGroupName=subnet_group, SubnetIds=subnets)
    dax.create_parameter_group(ParameterGroupName=parameters)
    call = {
        "ClusterName": name, "NodeType": "dax.t3.small", "ReplicationFactor": 2, "IamRoleArn": ROLE,
        "SubnetGroupName": subnet_group, "ParameterGroupName": parameters, "SecurityGroupIds": ["sg-1"],
        "ClusterEndpointEncryptionType": encryption,
    }  # fmt: skip
    dax.create_cluster(**call)
    for _ in range(3):
        (found,) = dax.describe_clusters(ClusterNames=[name])["Clusters"]
    assert found["Status"] == "available" and found["ActiveNodes"] == 2
    assert found["SubnetGroup"] == subnet_group
    assert found["ParameterGroup"]["ParameterGroupName"] == parameters
    assert [one["SecurityGroupIdentifier"] for one in found["SecurityGroups"]] == ["sg-1"]
    endpoint = found["ClusterDiscoveryEndpoint"]
    assert endpoint["Port"] == port and endpoint["URL"].startswith(scheme) and endpoint["Address"]
    assert lab.refusal(dax.delete_subnet_group, SubnetGroupName=subnet_group) == "SubnetGroupInUseFault"
    assert lab.refusal(dax.create_cluster, **call) == "ClusterAlreadyExistsFault"


def test_a_dax_cluster_refuses_groups_that_do_not_exist(lab: Any) -> None:
    call = {
        "ClusterName": lab.name("cache"), "NodeType": "dax.t3.small", "ReplicationFactor": 1, "IamRoleArn": ROLE,
        "SubnetGroupName": "none",
    }  # fmt: skip
    assert lab.refusal(lab.client("dax").create_cluster, **call) == "SubnetGroupNotFoundFault"


@pytest.fixture
def plan(lab: Any) -> str:
    vault, backup = lab.name("vault"), lab.client("backup")
    backup.create_backup_vault(BackupVaultName=vault)
    document = {
        "BackupPlanName": lab.name("plan"), "Rules": [{"RuleName": "daily", "TargetBackupVaultName": vault}],
    }  # fmt: skip
    return str(backup.create_backup_plan(BackupPlan=document)["BackupPlanId"])


def test_backup_selections_are_created_read_listed_and_deleted(lab: Any, plan: str) -> None:
    backup = lab.client("backup")
    content = {"SelectionName": "tables", "IamRoleArn": ROLE, "Resources": ["arn:aws:dynamodb:*:*:table/x"]}
    made = backup.create_backup_selection(BackupPlanId=plan, BackupSelection=content)
    ask = {"BackupPlanId": plan, "SelectionId": made["SelectionId"]}
    assert backup.get_backup_selection(**ask)["BackupSelection"] == content
    listed = backup.list_backup_selections(BackupPlanId=plan)["BackupSelectionsList"]
    assert [(one["SelectionId"], one["SelectionName"]) for one in listed] == [(made["SelectionId"], "tables")]
    twice = {"BackupPlanId": plan, "BackupSelection": content}
    assert lab.refusal(backup.create_backup_selection, **twice) == "AlreadyExistsException"
    backup.delete_backup_selection(**ask)
    assert lab.refusal(backup.get_backup_selection, **ask) == "ResourceNotFoundException"


def test_a_changed_backup_plan_is_another_version_and_keeps_its_selections(lab: Any, plan: str) -> None:
    backup = lab.client("backup")
    backup.create_backup_selection(BackupPlanId=plan, BackupSelection={"SelectionName": "kept", "IamRoleArn": ROLE})
    before = backup.get_backup_plan(BackupPlanId=plan)
    (rule,) = before["BackupPlan"]["Rules"]
    changed = {"RuleName": rule["RuleName"], "TargetBackupVaultName": rule["TargetBackupVaultName"]}
    document = {
        "BackupPlanName": before["BackupPlan"]["BackupPlanName"],
        "Rules": [{**changed, "Lifecycle": {"DeleteAfterDays": 8}}],
    }
    answer = backup.update_backup_plan(BackupPlanId=plan, BackupPlan=document)
    after = backup.get_backup_plan(BackupPlanId=plan)
    assert after["BackupPlan"]["Rules"][0]["Lifecycle"] == {"DeleteAfterDays": 8}
    assert answer["VersionId"] == after["VersionId"] != before["VersionId"]
    assert len(backup.list_backup_selections(BackupPlanId=plan)["BackupSelectionsList"]) == 1


def test_a_backup_plan_with_selections_is_not_deleted(lab: Any, plan: str) -> None:
    backup = lab.client("backup")
    content = {"SelectionName": "tables", "IamRoleArn": ROLE}
    made = backup.create_backup_selection(BackupPlanId=plan, BackupSelection=content)
    assert lab.refusal(backup.delete_backup_plan, BackupPlanId=plan) == "InvalidRequestException"
    backup.delete_backup_selection(BackupPlanId=plan, SelectionId=made["SelectionId"])
    backup.delete_backup_plan(BackupPlanId=plan)


def test_a_selection_needs_an_existing_plan(lab: Any) -> None:
    content = {"SelectionName": "tables", "IamRoleArn": ROLE}
    call = {"BackupPlanId": "none", "BackupSelection": content}
    assert lab.refusal(lab.client("backup").create_backup_selection, **call) == "ResourceNotFoundException"


def test_a_bucket_policy_is_returned_and_not_enforced(lab: Any) -> None:
    s3, bucket = lab.client("s3"), lab.name("guarded")
    s3.create_bucket(Bucket=bucket)
    statement = {
        "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    s3.put_object(Bucket=bucket, Key="object", Body=b"x")
    assert s3.get_object(Bucket=bucket, Key="object")["Body"].read() == b"x"
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]) == json.loads(policy)


def _instance(lab: Any, engine: str) -> dict[str, Any]:
    name = lab.name("db")
    lab.client("rds").create_db_instance(
        DBInstanceIdentifier=name, Engine=engine, DBInstanceClass="db.t4g.micro", AllocatedStorage=20,
        MasterUsername="owner", ManageMasterUserPassword=True, DBName="music",
    )  # fmt: skip
    (found,) = lab.client("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    return dict(found)


def test_an_rds_instance_of_a_bound_engine_reports_the_database_and_its_credentials(lab: Any) -> None:
    lab.control.bind_database(
        engine="mysql", address="127.0.0.1", port=33_999, username="loader", password="s3cret", database="music"
    )
    found = _instance(lab, "mysql")
    assert found["Endpoint"] == {"Address": "127.0.0.1", "Port": 33_999}
    arn = found["MasterUserSecret"]["SecretArn"]
    secret = json.loads(lab.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])
    assert secret == {"username": "loader", "password": "s3cret"}


def test_an_rds_instance_of_another_engine_keeps_its_own_address(lab: Any) -> None:
    found = _instance(lab, "postgres")
    assert found["Endpoint"]["Address"].endswith("rds.amazonaws.com")


def test_a_restored_rds_instance_does_not_pretend_to_be_its_source(lab: Any) -> None:
    lab.control.bind_database(
        engine="mysql", address="127.0.0.1", port=33_999, username="loader", password="s3cret", database="music"
    )
    source, target = _instance(lab, "mysql")["DBInstanceIdentifier"], lab.name("db")
    rds = lab.client("rds")
    rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier=source, TargetDBInstanceIdentifier=target, UseLatestRestorableTime=True
    )
    lab.control.advance(21)
    (found,) = rds.describe_db_instances(DBInstanceIdentifier=target)["DBInstances"]
    assert found["Endpoint"]["Address"].endswith("rds.amazonaws.com")


def test_a_binding_never_shows_its_password(lab: Any) -> None:
    shown = lab.control.bind_database(
        engine="mysql", address="127.0.0.1", port=33_999, username="loader", password="s3cret", database="music"
    )
    assert "s3cret" not in json.dumps([shown, lab.control.status()])


def test_a_subnet_group_that_got_other_subnets_is_still_there(lab: Any) -> None:
    ec2, rds, name = lab.client("ec2"), lab.client("rds"), lab.name("subnets")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    made = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{at}.0/24")["Subnet"]["SubnetId"] for at in range(3)]
    rds.create_db_subnet_group(DBSubnetGroupName=name, DBSubnetGroupDescription="d", SubnetIds=made[:2])
    rds.modify_db_subnet_group(DBSubnetGroupName=name, SubnetIds=made)
    (group,) = rds.describe_db_subnet_groups(DBSubnetGroupName=name)["DBSubnetGroups"]
    assert {subnet["SubnetIdentifier"] for subnet in group["Subnets"]} == set(made)
    other = {"DBSubnetGroupName": lab.name("none"), "SubnetIds": made}
    assert lab.refusal(rds.modify_db_subnet_group, **other) == "DBSubnetGroupNotFoundFault"
