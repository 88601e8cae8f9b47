"""What the components declare: inputs, options and the order in which AWS accepts them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from infra.config import StackConfig
from infra.stack import Stack

Recording = Any  # conftest's: fixtures cannot be imported, so their types are not either
Record = Callable[[Callable[[], Any]], Recording]

TABLE = "aws:dynamodb/table:Table"
REPLICA = "aws:dynamodb/tableReplica:TableReplica"
TARGET = "aws:appautoscaling/target:Target"
POLICY = "aws:appautoscaling/policy:Policy"
INSTANCE = "aws:rds/instance:Instance"
BOOKS = {
    "partitionKey": "Author",
    "sortKey": "Title",
    "indexes": [{"name": "CategoryIndex", "partitionKey": "Category"}],
}


def declared(record: Record, **values: str) -> Recording:
    config = StackConfig.from_values("dynamo-ops", "test", "us-east-1", values)
    return record(lambda: Stack(config))


@pytest.fixture(scope="module")
def full(record: Record) -> Recording:
    tables = json.dumps({"top_tracks": {}, "books": BOOKS})
    return declared(record, replicaRegions="us-west-2", cacheEnabled="true", tables=tables)


def test_the_default_table_is_declared_as_the_loader_writes_it(record: Record) -> None:
    table = declared(record).one(TABLE).inputs
    assert (table["name"], table["hashKey"], table["rangeKey"]) == ("top_tracks", "artist_id", "id")
    (index,) = table["globalSecondaryIndexes"]
    assert (index["name"], index["projectionType"]) == ("genre_index", "ALL")
    assert index["keySchemas"] == [{"attributeName": "genre", "keyType": "HASH"}]
    assert {entry["name"] for entry in table["attributes"]} == {"artist_id", "id", "genre"}


def test_the_table_can_be_recovered_from_the_first_apply(record: Record) -> None:
    table = declared(record).one(TABLE).inputs
    assert table["pointInTimeRecovery"] == {"enabled": True, "recoveryPeriodInDays": 35}
    assert (table["streamEnabled"], table["streamViewType"]) == (True, "NEW_AND_OLD_IMAGES")
    assert table["ttl"] == {"attributeName": "expires_at", "enabled": True}
    assert table["serverSideEncryption"]["enabled"] is True
    assert table["deletionProtectionEnabled"] is True


def test_what_holds_data_is_protected_and_retained(full: Recording) -> None:
    held = (
        TABLE,
        REPLICA,
        INSTANCE,
        "aws:s3/bucket:Bucket",
        "aws:kms/key:Key",
        "aws:secretsmanager/secret:Secret",
    )
    found = [entry for type_ in held for entry in full.of(type_)]
    assert len(found) >= len(held)
    assert all(entry.protect and entry.retain for entry in found)


def test_scaled_capacity_and_replicas_are_left_to_those_who_change_them(record: Record) -> None:
    assert declared(record).one(TABLE).ignore_changes == [
        "readCapacity",
        "writeCapacity",
        "globalSecondaryIndexes[*].readCapacity",
        "globalSecondaryIndexes[*].writeCapacity",
        "replicas",
    ]


def test_a_second_replica_waits_for_the_first(record: Record) -> None:
    """UpdateTable takes one replica at a time."""
    found = declared(record, replicaRegions="us-west-2,eu-west-1")
    second = found.one(REPLICA, "top_tracks-eu-west-1")
    assert found.one(REPLICA, "top_tracks-us-west-2").urn in second.dependencies


def test_scaling_in_the_replica_region_waits_for_the_replica(full: Recording) -> None:
    targets = [entry for entry in full.of(TARGET) if entry.inputs.get("region") == "us-west-2"]
    assert len(targets) == 8
    for target in targets:
        logical = target.name.split("-us-west-2")[0]
        assert full.one(REPLICA, f"{logical}-us-west-2").urn in target.dependencies


def test_every_dimension_of_table_and_index_scales_at_70_percent(full: Recording) -> None:
    policies = full.of(POLICY)
    assert len(policies) == 16, "2 tables x (table, index) x (read, write) x 2 Regions"
    values = {entry.inputs["targetTrackingScalingPolicyConfiguration"]["targetValue"] for entry in policies}
    assert values == {70.0}
    names = [entry.inputs["name"] for entry in policies]
    assert len(set(names)) == len(names)


def test_on_demand_tables_have_neither_capacity_nor_scaling(record: Record) -> None:
    found = declared(record, billingMode="PAY_PER_REQUEST", replicaRegions="us-west-2")
    table = found.one(TABLE).inputs
    assert "readCapacity" not in table
    assert "readCapacity" not in table["globalSecondaryIndexes"][0]
    assert not found.of(TARGET) and len(found.of(REPLICA)) == 1
    assert found.one(TABLE).ignore_changes == ["replicas"], "a capacity kept from before would be refused"


def test_a_second_table_is_data_not_code(full: Recording) -> None:
    books = full.one(TABLE, "books").inputs
    assert (books["hashKey"], books["rangeKey"]) == ("Author", "Title")
    assert books["globalSecondaryIndexes"][0]["name"] == "CategoryIndex"
    assert {entry["name"] for entry in books["attributes"]} == {"Author", "Title", "Category"}


@pytest.mark.parametrize(
    ("engine", "family", "parameter", "port"),
    [
        ("postgres", "postgres16", "rds.force_ssl", 5432),
        ("mysql", "mysql8.4", "require_secure_transport", 3306),
    ],
)
def test_the_database_refuses_plain_connections(
    record: Record, engine: str, family: str, parameter: str, port: int
) -> None:
    found = declared(record, databaseEngine=engine)
    group = found.one("aws:rds/parameterGroup:ParameterGroup").inputs
    assert (group["family"], group["parameters"][0]["name"]) == (family, parameter)
    assert found.one(INSTANCE).inputs["port"] == port


def test_the_database_is_private_backed_up_and_holds_no_password_of_ours(record: Record) -> None:
    database = declared(record).one(INSTANCE).inputs
    assert database["manageMasterUserPassword"] is True and "password" not in database
    assert database["publiclyAccessible"] is False and database["storageEncrypted"] is True
    assert database["backupRetentionPeriod"] >= 7 and database["skipFinalSnapshot"] is False
    assert database["deletionProtection"] is True and database["iamDatabaseAuthenticationEnabled"] is True


def test_the_cache_is_encrypted_and_limited_to_the_tables(full: Recording) -> None:
    cluster = full.one("aws:dax/cluster:Cluster").inputs
    assert cluster["clusterEndpointEncryptionType"] == "TLS"
    assert cluster["serverSideEncryption"] == {"enabled": True}
    (statement,) = json.loads(full.one("aws:iam/rolePolicy:RolePolicy", "cache").inputs["policy"])["Statement"]
    assert statement["Resource"] == [
        "arn:aws:dynamodb:us-east-1:123456789012:table/top_tracks",
        "arn:aws:dynamodb:us-east-1:123456789012:table/top_tracks/index/*",
        "arn:aws:dynamodb:us-east-1:123456789012:table/books",
        "arn:aws:dynamodb:us-east-1:123456789012:table/books/index/*",
    ]


def test_no_subnet_leads_out_and_no_port_is_open_to_the_world(full: Recording) -> None:
    types = {entry.type for entry in full.resources}
    assert not types & {"aws:ec2/natGateway:NatGateway", "aws:ec2/internetGateway:InternetGateway"}
    assert all("routes" not in table.inputs for table in full.of("aws:ec2/routeTable:RouteTable"))
    rules = full.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    assert {rule.inputs["cidrIpv4"] for rule in rules} == {"10.20.0.0/16"}


def test_aws_backup_covers_every_table_and_the_database(full: Recording) -> None:
    selected = full.one("aws:backup/selection:Selection").inputs["resources"]
    assert len(selected) == len(full.of(TABLE)) + len(full.of(INSTANCE))


def test_the_document_is_written_in_every_region(full: Recording) -> None:
    parameters = full.of("aws:ssm/parameter:Parameter")
    assert {entry.inputs.get("region") for entry in parameters} == {None, "us-west-2"}
    assert {entry.inputs["name"] for entry in parameters} == {"/dynamo-ops/test/environment"}
    first, second = (entry.inputs["value"] for entry in parameters)
    assert first == second


def test_the_pointer_of_a_table_is_no_resource(full: Recording) -> None:
    names = [str(entry.inputs.get("name")) for entry in full.of("aws:ssm/parameter:Parameter")]
    assert not [name for name in names if "/tables/" in name]


def test_no_two_resources_of_a_type_share_a_name(full: Recording) -> None:
    named = [(entry.type, entry.name) for entry in full.resources]
    assert len(set(named)) == len(named)
