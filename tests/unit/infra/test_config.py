"""A stack's configuration: what is valid is read whole, what is not is refused by name before any resource."""

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from infra.config import StackConfig
from infra.contract import scaling_rules
from infra.keys import KEYS, ConfigError
from infra.tables import MEMBERS

ROOT = Path(__file__).parents[3]
REGIONS = ("us-west-2", "eu-west-1", "ap-southeast-2")


def read(**values: str) -> StackConfig:
    return StackConfig.from_values("dynamo-ops", "test", "us-east-1", values)


@st.composite
def valid(draw: st.DrawFn) -> dict[str, str]:
    """Configurations inside every range and combination that is allowed."""
    values: dict[str, str] = {}
    for name, key in KEYS.items():
        if key.type == "integer" and name not in _RELATED and draw(st.booleans()):
            low = key.low or 0
            values[name] = str(draw(st.integers(low, key.high or low + 10_000)))
        if key.choices:
            values[name] = draw(st.sampled_from(key.choices))
    for dimension in ("Read", "Write"):
        floor = draw(st.integers(1, 40_000))
        values[f"{dimension.lower()}Capacity"] = str(floor)
        values[f"maximum{dimension}Capacity"] = str(draw(st.integers(floor, 80_000)))
    values["pitrDays"] = str(days := draw(st.integers(1, 35)))
    values["exportRetentionDays"] = str(draw(st.integers(max(days + 1, 2), 4000)))
    values["replicaRegions"] = json.dumps(draw(st.lists(st.sampled_from(REGIONS), unique=True)))
    values["cacheEnabled"] = str(draw(st.booleans())).lower()
    return values


_RELATED = {
    "readCapacity", "writeCapacity", "maximumReadCapacity", "maximumWriteCapacity",
    "pitrDays", "exportRetentionDays", "backupColdStorageDays",
    "backupRetentionDays", "backupLockDays", "backupLockGraceDays",
    "onDemandMaximumReadUnits", "onDemandMaximumWriteUnits",
}  # fmt: skip


@given(valid())
def test_every_valid_configuration_is_read(values: dict[str, str]) -> None:
    config = StackConfig.from_values("dynamo-ops", "test", "us-east-1", values)
    (table,) = config.tables
    assert table.read.minimum <= table.read.maximum
    assert config.export_retention_days > table.pitr_days
    assert config.region not in config.replica_regions
    rules = list(scaling_rules(table))
    assert len(rules) == (4 if table.provisioned else 0)
    assert {rule.target_percent for rule in rules} <= {70}


@given(valid(), st.sampled_from(sorted(name for name, key in KEYS.items() if key.high is not None)))
def test_a_number_above_its_range_is_refused_by_name(values: dict[str, str], name: str) -> None:
    too_much = {**values, name: str((KEYS[name].high or 0) + 1)}
    with pytest.raises(ConfigError, match=name):
        StackConfig.from_values("dynamo-ops", "test", "us-east-1", too_much)


KEY = "arn:aws:kms:us-east-1:123456789012:key/1234"


STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/changes"


def include(names: Any) -> dict[str, Any]:
    return {"name": "abc", "partitionKey": "C", "projection": "INCLUDE", "include": names}


def books(**members: Any) -> str:
    return json.dumps({"books": {"partitionKey": "Author", **members}})


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"replicaRegion": "us-west-2"}, "replicaRegion: unknown"),
        ({"replicaRegions": "us-east-1"}, "replicaRegions: us-east-1 is the home"),
        ({"replicaRegions": "us-west-2,us-west-2"}, "replicaRegions: a Region is named twice"),
        ({"replicaRegions": "mars"}, "replicaRegions: 'mars'"),
        ({"replicaRegions": "[1]"}, "replicaRegions: every entry"),
        ({"replicaRegions": "[half"}, "replicaRegions: not a JSON list"),
        ({"pitrDays": "0"}, "pitrDays"),
        ({"pitrDays": "36"}, "pitrDays"),
        ({"pitrDays": "many"}, "pitrDays: 'many' is not a whole number"),
        ({"readCapacity": "200"}, "maximumReadCapacity: 100 is below readCapacity"),
        ({"maximumWriteCapacity": "1"}, "maximumWriteCapacity: 1 is below writeCapacity"),
        ({"billingMode": "FREE"}, "billingMode"),
        ({"cacheEnabled": "yes"}, "cacheEnabled"),
        ({"exportRetentionDays": "35"}, "exportRetentionDays: 35 is not above pitrDays"),
        ({"exportPrefix": "/"}, "exportPrefix"),
        ({"backupColdStorageDays": "30"}, "backupColdStorageDays"),
        ({"backupSchedule": "daily"}, "backupSchedule"),
        ({"backupCopyRegion": "us-east-1"}, "backupCopyRegion"),
        ({"databaseBackupDays": "1"}, "databaseBackupDays"),
        ({"databaseEngine": "oracle"}, "databaseEngine"),
        ({"databaseIdentifier": "Art--ists"}, "databaseIdentifier"),
        ({"deletionProtection": "false"}, "deletionProtection"),
        ({"networkCidr": "8.8.0.0/16"}, "networkCidr"),
        ({"networkCidr": "10.0.0.0/24"}, "networkCidr"),
        ({"networkCidr": "here"}, "networkCidr"),
        ({"interfaceEndpoints": "s s m"}, "interfaceEndpoints"),
        ({"tableKmsKeyArn": "arn:k"}, "tableKmsKeyArn: 'arn:k'"),
        ({"tableKmsKeyArn": KEY, "replicaRegions": "us-west-2"}, "replicaKmsKeyArns: .* no key there"),
        ({"tableKmsKeyArn": KEY, "replicaKmsKeyArns": json.dumps({"us-west-2": KEY})}, "a KMS key in us-west-2"),
        ({"tableKmsKeyArn": KEY, "replicaKmsKeyArns": "{"}, "replicaKmsKeyArns: not JSON"),
        ({"tableKmsKeyArn": KEY, "replicaKmsKeyArns": "[]"}, "replicaKmsKeyArns: expected"),
        ({"replicaKmsKeyArns": json.dumps({"us-west-2": KEY})}, "set tableKmsKeyArn as well"),
        ({"kinesisStreamArn": "stream"}, "kinesisStreamArn"),
        ({"onDemandMaximumReadUnits": "5"}, "onDemandMaximumReadUnits: table top_tracks is PROVISIONED"),
        ({"adoptTables": "ghost"}, "adoptTables: ghost"),
        ({"adoptTables": "top_tracks", "replicaRegions": "us-west-2"}, "adoptTables: top_tracks has replicas"),
        ({"databaseEngine": "aurora-mysql", "databaseInstanceClass": "db.t4g.micro"}, "databaseInstanceClass"),
        ({"databaseEngine": "aurora-mysql", "databaseBackupRegion": "us-west-2"}, "databaseBackupRegion"),
        ({"databaseBackupRegion": "us-east-1"}, "databaseBackupRegion: us-east-1 is the home"),
        ({"bastionEnabled": "true", "databaseEnabled": "false"}, "bastionEnabled"),
        ({"interfaceEndpoints": "ssm,ssm"}, "interfaceEndpoints: a service is named twice"),
        ({"exportBucketName": "Upper"}, "exportBucketName"),
        (
            {"exportBucketName": "same", "evidenceBucketName": "same", "evidenceLockDays": "1"},
            "evidenceBucketName: the evidence needs",
        ),
        ({"backupLockDays": "36"}, "backupLockDays: 36 is above"),
        ({"backupLockGraceDays": "3"}, "backupLockGraceDays: there is no lock"),
        ({"backupLockDays": "7", "backupLockGraceDays": "2"}, "backupLockGraceDays: AWS Backup takes 3"),
        ({"restoreTestingSchedule": "rate(1 day)"}, "restoreTestingSchedule"),
        ({"tables": books(localIndexes=[{"name": "by_year", "sortKey": "Year"}])}, "localIndexes: a table without"),
        ({"tables": books(sortKey="T", localIndexes=[{"name": "by_year"}])}, r"localIndexes\[0\]\.sortKey: missing"),
        ({"tables": books(sortKey="T", localIndexes=[{}] * 6)}, "localIndexes: expected a list of at most 5"),
        (
            {
                "tables": books(
                    sortKey="T",
                    localIndexes=[{"name": "abc", "sortKey": "Y"}],
                    indexes=[{"name": "abc", "partitionKey": "Y"}],
                )
            },
            "two indexes share a name",
        ),
        ({"tables": books(replicaRegions=["us-east-1"])}, r"tables\.books\.replicaRegions: us-east-1 is the home"),
        ({"tableName": "no spaces"}, r"tables\.top_tracks\.physical"),
        ({"tables": "{"}, "tables: not JSON"),
        ({"tables": "{}"}, "tables: expected"),
        ({"tables": books(sortkey="Title")}, r"tables\.books\.sortkey: unknown"),
        ({"tables": '{"books": {}}'}, r"tables\.books\.partitionKey: missing"),
        ({"tables": '{"top_tracks": {"partitionKey": "x"}}'}, r"tables\.top_tracks\.partitionKey"),
        ({"tables": books(pitrDays=99)}, r"tables\.books\.pitrDays"),
        ({"tables": books(readCapacity=500)}, r"maximumReadCapacity: .* table books"),
        ({"tables": books(indexes=[{"name": "i__"}])}, r"tables\.books\.indexes\[0\]\.partitionKey: missing"),
        ({"tables": books(indexes=[{"name": "abc", "partitionKey": "C", "include": ["x"]}])}, r"\.include"),
        ({"tables": books(indexes=[{"name": "abc", "partitionKey": {"name": "C", "type": "Z"}}])}, "S, N or B"),
        (
            {"tables": books(indexes=[{"name": "abc", "partitionKey": {"name": "Author", "type": "N"}}])},
            r"tables\.books: .*Author is S in one key",
        ),
        ({"tables": '{"books": {"partitionKey": "A", "physical": "top_tracks"}, "top_tracks": {}}'}, "share"),
        ({"tableName": "drill-tracks"}, r"tables\.top_tracks\.physical: 'drill-tracks' .* drills"),
        ({"databaseIdentifier": "drill-artists"}, "databaseIdentifier: .* drills"),
        ({"readCapacity": "0"}, "readCapacity: 0 is not at least 1"),
        ({"tableKmsKeyArn": KEY.replace("us-east-1", "us-west-2")}, "tableKmsKeyArn: .* us-east-1"),
        ({"kinesisStreamArn": STREAM.replace("us-east-1", "us-west-2")}, "kinesisStreamArn: .* us-east-1"),
        ({"ttlAttribute": "genre"}, r"tables\.top_tracks\.ttlAttribute: genre is a key of type S"),
        ({"tables": books(sortKey="Author")}, r"tables\.books\.sortKey: Author is the partition key"),
        (
            {"tables": books(indexes=[{"name": "abc", "partitionKey": "C", "sortKey": "C"}])},
            r"tables\.books\.indexes\[0\]\.sortKey: C is the partition key",
        ),
        (
            {"tables": books(sortKey="T", localIndexes=[{"name": "abc", "sortKey": "Author"}])},
            r"tables\.books\.localIndexes\[0\]\.sortKey: Author is the partition key",
        ),
        ({"tables": books(indexes=[include("abc")])}, r"indexes\[0\]\.include: expected a list"),
        ({"tables": books(indexes=[include([1])])}, r"indexes\[0\]\.include: expected a list"),
        ({"tables": books(indexes=[include([f"a{at}" for at in range(21)])])}, r"include: .* 20"),
        (
            {
                "tables": books(
                    indexes=[{**include([f"a{at}{n}" for n in range(20)]), "name": f"i-{at}"} for at in range(6)]
                )
            },
            r"tables\.books\.indexes: .* 100",
        ),
        ({"tables": books(physical=12345)}, r"tables\.books\.physical"),
        ({"tables": books(ttlAttribute=["x"])}, r"tables\.books\.ttlAttribute"),
        ({"tables": '{"books": {"partitionKey": "A"}, "books": {"partitionKey": "B"}}'}, "tables: .*books.* twice"),
        ({"tables": '{"books": {"partitionKey": "A", "partitionKey": "B"}}'}, "tables: .*partitionKey.* twice"),
        ({"operatorPrincipals": "*"}, r"operatorPrincipals: '\*'"),
        ({"operatorPrincipals": "arn:aws:iam::123456789012:role/*"}, "operatorPrincipals"),
        ({"owner": "a;b"}, "owner: 'a;b'"),
        ({"alarmEmail": "oncall"}, "alarmEmail: 'oncall'"),
        ({"exportPrefix": "exports/*"}, r"exportPrefix: 'exports/\*'"),
        ({"exportPrefix": "a//b"}, "exportPrefix"),
        ({"evidenceBucketName": "proofs"}, "evidenceBucketName: .*evidenceLockDays is 0"),
        ({"adoptDatabase": "true", "databaseEnabled": "false"}, "adoptDatabase: .*databaseEnabled is false"),
        ({"databaseName": "9lives"}, "databaseName: '9lives'"),
        ({"databaseUsername": "rdsadmin"}, "databaseUsername: 'rdsadmin'"),
        ({"databaseUsername": "a-b"}, "databaseUsername: 'a-b'"),
        ({"databaseEngine": "mysql", "databaseUsername": "u" * 17}, "databaseUsername"),
        ({"databaseEngine": "postgres", "databaseEngineVersion": "8.4"}, "databaseEngineVersion: '8.4' .* postgres"),
        ({"databaseEngine": "aurora-mysql", "databaseEngineVersion": "8.0"}, "databaseEngineVersion"),
        ({"databaseInstanceClass": "t4g.micro"}, "databaseInstanceClass: 't4g.micro'"),
        ({"cacheEnabled": "true", "cacheNodeType": "t3.small"}, "cacheNodeType: 't3.small'"),
        ({"bastionEnabled": "true", "bastionInstanceType": "t3.nano"}, "bastionInstanceType: 't3.nano' .* arm64"),
        ({"sourceApiUrl": "api.example.org"}, "sourceApiUrl"),
        ({"sourceAccountsUrl": "http://accounts.example.org"}, "sourceAccountsUrl: .* https"),
    ],
)
def test_an_impossible_value_is_refused_by_name(values: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        read(**values)


@pytest.mark.parametrize("stack", ["Prod", "prod.eu", "prod_eu", "x" * 31, "-", ""])
def test_a_stack_whose_name_makes_impossible_resource_names_is_refused(stack: str) -> None:
    """Buckets, vaults and roles are named after it."""
    with pytest.raises(ConfigError, match="the stack's name"):
        StackConfig.from_values("dynamo-ops", stack, "us-east-1", {})


def test_restore_testing_leaves_less_room_for_the_name_of_a_stack() -> None:
    """AWS Backup takes 50 characters for the name of a plan."""
    testing = {"restoreTestingSchedule": "cron(0 6 ? * 1 *)"}
    assert StackConfig.from_values("dynamo-ops", "x" * 23, "us-east-1", testing).stack == "x" * 23
    with pytest.raises(ConfigError, match="the stack's name"):
        StackConfig.from_values("dynamo-ops", "x" * 24, "us-east-1", testing)


def test_a_source_on_this_machine_needs_no_tls() -> None:
    assert read(sourceApiUrl="http://127.0.0.1:5000/v1").source_api_url.startswith("http:")


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*sorted(MEMBERS), "else"]), anything, max_size=4))
def test_whatever_a_table_is_given_is_read_or_refused_by_name(members: dict[str, Any]) -> None:
    """Nothing but ConfigError leaves the reading: the CLI would show a stack trace instead of the key."""
    values = {"tables": json.dumps({"books": {"partitionKey": "Author", **members}})}
    with contextlib.suppress(ConfigError):
        assert read(**values).tables[0].logical == "books"


@given(st.sampled_from(sorted(KEYS)), st.text(max_size=12) | anything.map(json.dumps))
def test_whatever_a_key_is_given_is_read_or_refused(name: str, text: str) -> None:
    with contextlib.suppress(ConfigError):
        assert read(**{name: text}).project == "dynamo-ops"


def test_a_missing_region_is_refused_with_the_command_that_sets_it() -> None:
    with pytest.raises(ConfigError, match="pulumi config set aws:region"):
        StackConfig.from_values("dynamo-ops", "test", None, {})


def test_a_list_of_regions_is_json_or_names_with_commas() -> None:
    assert read(replicaRegions="us-west-2, eu-west-1").replica_regions == ("us-west-2", "eu-west-1")
    assert read(replicaRegions='["us-west-2", "eu-west-1"]').replica_regions == ("us-west-2", "eu-west-1")


def test_table_settings_can_be_given_per_table() -> None:
    (table,) = read(tables=books(billingMode="PAY_PER_REQUEST", pitrDays=7, physical="b-1")).tables
    assert (table.billing_mode, table.pitr_days, table.physical) == ("PAY_PER_REQUEST", 7, "b-1")


def test_deletion_protection_may_be_off_in_a_sandbox_only() -> None:
    assert not read(deletionProtection="false", environmentClass="sandbox").deletion_protection


def test_the_project_file_documents_every_key_with_its_type_and_default() -> None:
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    assert project["name"] == "dynamo-ops" and project["main"] == "infra/"
    documented = project["config"]
    assert list(documented) == list(KEYS)
    for name, key in KEYS.items():
        assert documented[name]["type"] == key.type
        assert documented[name]["default"] == (list(key.default) if isinstance(key.default, tuple) else key.default)
        assert documented[name]["description"].startswith(key.description)


@pytest.mark.parametrize("name", ["Pulumi.dev.yaml", "Pulumi.prod.yaml.example"])
def test_the_example_stacks_are_valid(name: str) -> None:
    found = yaml.safe_load((ROOT / name).read_text())["config"]
    values = {key: value if isinstance(value, str) else json.dumps(value) for key, value in found.items()}
    region = values.pop("aws:region")
    own = {key.removeprefix("dynamo-ops:"): value for key, value in values.items()}
    config = StackConfig.from_values("dynamo-ops", "x", region, own)
    assert config.environment_class in ("development", "production")


def cli_takes(kind: str, value: Any) -> bool:
    """The types that the Pulumi CLI accepts of a stack's file before it runs the program."""
    if kind == "integer":
        return str(value).lstrip("-").isdigit()
    if kind == "boolean":
        return value in ("true", "false", True, False)
    return isinstance(value, list if kind == "array" else str)


@pytest.mark.parametrize("name", ["Pulumi.dev.yaml", "Pulumi.prod.yaml.example"])
def test_the_cli_takes_the_example_stacks_as_they_are(name: str) -> None:
    for key, value in yaml.safe_load((ROOT / name).read_text())["config"].items():
        project, _, own = key.partition(":")
        assert project == "aws" or cli_takes(KEYS[own].type, value), key


def test_the_commands_in_the_guide_set_one_entry_of_an_array_by_its_path() -> None:
    commands = re.findall(
        r"pulumi config set (--path )?'?dynamo-ops:(\w+)(\[0\])?", (ROOT / "docs/provision.md").read_text()
    )
    assert {name for _, name, _ in commands} >= {"tableName", "adoptTables"}
    for path, name, index in commands:
        assert (KEYS[name].type == "array") == bool(path and index), name


def test_replicas_can_be_given_per_table() -> None:
    tables = json.dumps({"top_tracks": {"replicaRegions": []}, "books": {"partitionKey": "A"}})
    config = read(tables=tables, replicaRegions="us-west-2")
    assert [table.replica_regions for table in config.tables] == [(), ("us-west-2",)]
    assert config.all_replica_regions == ("us-west-2",)


def test_a_table_is_adopted_under_the_name_it_was_restored_to() -> None:
    (table,) = read(tableName="top_tracks-r20261120", adoptTables="top_tracks").tables
    assert table.adopt and table.physical == "top_tracks-r20261120"


def test_aurora_gets_the_smallest_class_it_has() -> None:
    database = read(databaseEngine="aurora-postgresql").database
    assert database is not None and database.aurora
    assert (database.instance_class, database.port) == ("db.t4g.medium", 5432)
