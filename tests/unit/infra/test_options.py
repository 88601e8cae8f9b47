"""What is off unless asked for: each part as it is declared, with its options and the order of its edges."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from infra.cache import cluster_name
from infra.config import StackConfig
from infra.description import parameter_tier
from infra.environment import EnvironmentDocument, moved_contracts
from infra.keys import ConfigError
from infra.stack import Stack

Recording = Any  # conftest's: fixtures cannot be imported, so their types are not either
Record = Callable[..., Recording]

TABLE = "aws:dynamodb/table:Table"
REPLICA = "aws:dynamodb/tableReplica:TableReplica"
CLUSTER = "aws:rds/cluster:Cluster"
MEMBER = "aws:rds/clusterInstance:ClusterInstance"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
PARAMETER = "aws:ssm/parameter:Parameter"
PATH = "/dynamo-ops/test/environment"
BOOKS: dict[str, Any] = {
    "partitionKey": "Author",
    "sortKey": "Title",
    "localIndexes": [{"name": "by_year", "sortKey": {"name": "Year", "type": "N"}}],
}


def declared(record: Record, stored: dict[str, str] | None = None, **values: str) -> Recording:
    config = StackConfig.from_values("dynamo-ops", "test", "us-east-1", values)
    return record(lambda: Stack(config), stored)


def text(parameter: Any) -> str:
    """The value of a parameter, which the SDK marks as secret."""
    value: str = parameter.inputs["value"]["value"]
    return value


def key(region: str) -> str:
    return f"arn:aws:kms:{region}:123456789012:key/1234"


def test_a_local_index_is_declared_with_its_key_attribute(record: Record) -> None:
    table = declared(record, tables=json.dumps({"books": BOOKS})).one(TABLE).inputs
    assert table["localSecondaryIndexes"] == [{"name": "by_year", "rangeKey": "Year", "projectionType": "ALL"}]
    assert {"name": "Year", "type": "N"} in table["attributes"]


def test_on_demand_maxima_bind_table_and_index(record: Record) -> None:
    table = declared(record, billingMode="PAY_PER_REQUEST", onDemandMaximumReadUnits="500").one(TABLE).inputs
    assert table["onDemandThroughput"] == {"maxReadRequestUnits": 500}
    assert table["globalSecondaryIndexes"][0]["onDemandThroughput"] == {"maxReadRequestUnits": 500}


def test_each_replica_has_the_key_of_its_own_region(record: Record) -> None:
    keys = json.dumps({"us-west-2": key("us-west-2"), "eu-west-1": key("eu-west-1")})
    found = declared(
        record, replicaRegions="us-west-2,eu-west-1", tableKmsKeyArn=key("us-east-1"), replicaKmsKeyArns=keys
    )
    held = {entry.inputs["region"]: entry.inputs["kmsKeyArn"] for entry in found.of(REPLICA)}
    assert held == json.loads(keys)
    assert found.one(TABLE).inputs["serverSideEncryption"]["kmsKeyArn"] == key("us-east-1")


def test_a_kinesis_destination_hangs_on_its_table(record: Record) -> None:
    stream = "arn:aws:kinesis:us-east-1:123456789012:stream/changes"
    found = declared(record, kinesisStreamArn=stream)
    destination = found.one("aws:dynamodb/kinesisStreamingDestination:KinesisStreamingDestination")
    assert destination.inputs["streamArn"] == stream
    assert found.one(TABLE).urn in destination.dependencies


def test_nothing_is_imported_unless_asked_for(record: Record) -> None:
    assert {entry.import_id for entry in declared(record).resources} == {""}


@pytest.mark.parametrize(
    ("engine", "family", "port"),
    [("aurora-postgresql", "aurora-postgresql16", 5432), ("aurora-mysql", "aurora-mysql8.0", 3306)],
)
def test_aurora_is_a_cluster_with_a_writer(record: Record, engine: str, family: str, port: int) -> None:
    found = declared(record, databaseEngine=engine)
    cluster, member = found.one(CLUSTER), found.one(MEMBER)
    assert found.one("aws:rds/clusterParameterGroup:ClusterParameterGroup").inputs["family"] == family
    assert cluster.inputs["port"] == port and cluster.inputs["manageMasterUserPassword"] is True
    assert cluster.inputs["storageEncrypted"] is True and cluster.inputs["skipFinalSnapshot"] is False
    assert cluster.protect and cluster.retain and member.protect and member.retain
    assert member.inputs["publiclyAccessible"] is False
    assert cluster.urn in member.dependencies


def test_aurora_in_several_zones_has_a_reader(record: Record) -> None:
    found = declared(record, databaseEngine="aurora-mysql", databaseMultiAz="true")
    assert sorted(entry.inputs["promotionTier"] for entry in found.of(MEMBER)) == [0, 1]


def test_automated_backups_go_to_another_region_under_a_key_of_that_region(record: Record) -> None:
    found = declared(record, databaseBackupRegion="us-west-2")
    (copies,) = found.of("aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication")
    keys = {entry.inputs.get("region"): entry for entry in found.of("aws:kms/key:Key")}
    assert copies.inputs["region"] == "us-west-2"
    assert keys["us-west-2"].urn in copies.dependencies and keys["us-west-2"].protect


def test_the_bastion_lets_nobody_in_and_reaches_two_ports_of_the_vpc(record: Record) -> None:
    found = declared(record, bastionEnabled="true")
    bastion = found.one("aws:ec2/instance:Instance").inputs
    assert bastion["associatePublicIpAddress"] is False and "keyName" not in bastion
    assert bastion["metadataOptions"]["httpTokens"] == "required"
    (group,) = bastion["vpcSecurityGroupIds"]
    ways_in = found.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    assert group not in {rule.inputs["securityGroupId"] for rule in ways_in}
    out = found.of("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")
    assert {(rule.inputs["fromPort"], rule.inputs["cidrIpv4"]) for rule in out} == {
        (5432, "10.20.0.0/16"),
        (443, "10.20.0.0/16"),
    }
    services = {entry.inputs["serviceName"].rsplit(".", 1)[1] for entry in found.of("aws:ec2/vpcEndpoint:VpcEndpoint")}
    assert {"ssm", "ssmmessages", "ec2messages"} <= services


def test_evidence_is_locked_from_the_buckets_first_day(record: Record) -> None:
    found = declared(record, evidenceLockDays="30", evidenceLockMode="COMPLIANCE")
    bucket = found.one("aws:s3/bucket:Bucket", "evidence")
    lock = found.one("aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration")
    assert bucket.inputs["objectLockEnabled"] is True and bucket.protect and bucket.retain
    assert lock.inputs["rule"] == {"defaultRetention": {"mode": "COMPLIANCE", "days": 30}}
    assert found.one("aws:s3/bucketVersioning:BucketVersioning", "evidence").urn in lock.dependencies


def test_vaults_are_locked_at_home_and_where_copies_go(record: Record) -> None:
    found = declared(record, backupLockDays="7", backupLockGraceDays="3", backupCopyRegion="us-west-2")
    locks = found.of("aws:backup/vaultLockConfiguration:VaultLockConfiguration")
    assert {lock.inputs.get("region") for lock in locks} == {None, "us-west-2"}
    assert {(lock.inputs["minRetentionDays"], lock.inputs["changeableForDays"]) for lock in locks} == {(7, 3)}


def test_restore_testing_tries_every_kind_of_resource(record: Record) -> None:
    found = declared(record, restoreTestingSchedule="cron(0 6 ? * 1 *)", databaseEngine="aurora-mysql")
    selections = found.of("aws:backup/restoreTestingSelection:RestoreTestingSelection")
    assert {entry.inputs["protectedResourceType"] for entry in selections} == {"DynamoDB", "Aurora"}
    plan = found.one("aws:backup/restoreTestingPlan:RestoreTestingPlan").inputs
    assert plan["name"] == "dynamo_ops_test_restore_testing"


def test_rejected_rows_of_an_import_raise_an_alarm(record: Record) -> None:
    found = declared(record, importErrorAlarm="true")
    metric = found.one("aws:cloudwatch/logMetricFilter:LogMetricFilter").inputs
    assert metric["logGroupName"] == "/aws-dynamodb/imports"
    alarm = found.one(ALARM, "import-errors").inputs
    assert alarm["metricName"] == metric["metricTransformation"]["name"]


@pytest.mark.parametrize(
    ("books", "named"),
    [
        ({**BOOKS, "localIndexes": []}, r"tables\.books\.localIndexes: fixed"),
        ({**BOOKS, "localIndexes": [{"name": "by_year", "sortKey": "Year"}]}, r"tables\.books\.localIndexes: fixed"),
        (
            {**BOOKS, "localIndexes": [{**BOOKS["localIndexes"][0], "projection": "KEYS_ONLY"}]},
            r"tables\.books\.localIndexes: fixed",
        ),
        ({**BOOKS, "sortKey": {"name": "Title", "type": "N"}}, r"tables\.books\.sortKey: fixed"),
        ({**BOOKS, "partitionKey": "Writer"}, r"tables\.books\.partitionKey: fixed"),
    ],
)
def test_keys_and_local_indexes_cannot_change_after_creation(record: Record, books: Any, named: str) -> None:
    last = text(declared(record, tables=json.dumps({"books": BOOKS})).one(PARAMETER))
    assert declared(record, {PATH: last}, tables=json.dumps({"books": BOOKS})).of(TABLE)
    with pytest.raises(ConfigError, match=named):
        declared(record, {PATH: last}, tables=json.dumps({"books": books}))


def test_a_long_document_keeps_its_contracts_in_parameters_of_their_own(record: Record) -> None:
    tables = json.dumps({f"table_{at}": {"partitionKey": "a"} for at in range(12)})
    found = declared(record, tables=tables, replicaRegions="us-west-2")
    parameters = {entry.name: entry for entry in found.of(PARAMETER)}
    assert len(moved_contracts(text(parameters["environment"]))) == 12
    assert len(parameters) == 2 * (1 + 12)
    assert parameters["contract-table_3-us-west-2"].inputs["name"] == "/dynamo-ops/test/contract/table_3"
    assert all(len(text(entry)) <= 8192 for entry in parameters.values())


def test_a_document_that_no_parameter_holds_is_refused_before_any_resource(record: Record) -> None:
    tables = json.dumps({f"table_{at}": {"partitionKey": "a"} for at in range(40)})
    config = StackConfig.from_values("dynamo-ops", "test", "us-east-1", {"tables": tables})
    built: list[Any] = []

    def declare() -> None:
        with pytest.raises(ConfigError, match="tables: the environment document has"):
            built.append(Stack(config))

    assert [found.type for found in record(declare).resources] == ["pulumi:pulumi:Stack"]
    assert not built


def test_a_short_document_is_whole(record: Record) -> None:
    value = text(declared(record).one(PARAMETER))
    assert EnvironmentDocument.from_json(value).tables["top_tracks"].contract.pitr_days == 35


def test_stacks_with_long_names_share_no_cache() -> None:
    """DAX takes 20 characters; a name that is cut must stay the stack's own."""
    names = [cluster_name(f"dynamo-ops-production-{region}") for region in ("eu", "us")]
    assert len(set(names)) == 2 and all(len(name) <= 20 and name[0].isalpha() for name in names)
    assert cluster_name("dynamo-ops-prod") == "dynamo-ops-prod"


def test_more_than_a_parameter_holds_is_refused_by_name() -> None:
    assert (parameter_tier("x" * 4096), parameter_tier("x" * 4097)) == ("Standard", "Advanced")
    assert parameter_tier("é" * 4096) == "Advanced"
    with pytest.raises(ConfigError, match="tables: the environment document has 8193 bytes"):
        parameter_tier("x" * 8193)


def test_the_document_says_how_a_restored_database_must_end(record: Record) -> None:
    value = text(declared(record, databaseEngine="aurora-mysql", databaseMultiAz="true").one(PARAMETER))
    database = EnvironmentDocument.from_json(value).database
    assert database is not None and database.contract is not None
    assert database.contract.cluster and database.contract.multi_az
    assert database.contract.subnet_group and database.contract.parameter_group
    assert database.contract.log_exports == ("error", "slowquery")
