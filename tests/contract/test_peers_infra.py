"""What other programs got wrong in declaring tables and databases, by name; see `test_peers.py`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml  # type: ignore[import-untyped]

from infra.config import StackConfig
from infra.policies import violations
from infra.rules import CLUSTER, DATABASE, POLICY, REPLICA, TABLE, Resource
from infra.stack import Stack
from ops.errors import SandboxBroken
from ops.sandbox.deploy import Deployment, apply

Recording = Any  # of tests.unit.infra.conftest, which pytest loads under a name of its own
Record = Callable[[Callable[[], Any]], Recording]
Apply = Callable[..., Deployment]
ROOT = Path(__file__).resolve().parents[2]
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
SHARED = {"tables": json.dumps({"top_tracks": {}, "books": {"partitionKey": "Author", "sortKey": "Title"}})}


def key(region: str) -> str:
    return f"arn:aws:kms:{region}:123456789012:key/1234"


KEYED = {
    "replicaRegions": "us-west-2,eu-west-1",
    "tableKmsKeyArn": key("us-east-1"),
    "replicaKmsKeyArns": json.dumps({region: key(region) for region in ("us-west-2", "eu-west-1")}),
}


def declared(record: Record, **values: str) -> Recording:
    config = StackConfig.from_values("dynamo-ops", "test", "us-east-1", values)
    return record(lambda: Stack(config))


def resources(recording: Recording) -> list[Resource]:
    return [
        Resource(found.type, found.name, found.inputs, found.protect, found.retain) for found in recording.resources
    ]


def broken(recording: Recording, type_: str, **planted: Any) -> set[str]:
    """Rules that notice a member of the first resource of a type being changed."""
    found = resources(recording)
    at = next(at for at, one in enumerate(found) if one.type == type_)
    found[at] = replace(found[at], properties={**found[at].properties, **planted})
    return {one.rule for one in violations(found)}


def test_replica_first_apply(record: Record) -> None:
    """Provisioned, scaled and replicated in one apply fails (hashicorp/terraform-provider-aws issue 13097).

    Here a replica waits for every write policy of its table, so that AWS accepts them in the first apply.
    """
    full = declared(record, replicaRegions="us-west-2", **SHARED)
    assert len(full.of(REPLICA)) == 2
    for found in full.of(REPLICA):
        logical = found.name.removesuffix("-us-west-2")
        home = [policy for policy in full.of(POLICY) if policy.inputs.get("region") is None]
        needed = {policy.urn for policy in home if policy.name.startswith(logical) and "write" in policy.name}
        assert len(needed) == (2 if logical == "top_tracks" else 1), "one for the table, one for each index"
        assert needed <= found.dependencies


def test_replica_pitr_false(record: Record) -> None:
    """cloudposse's module fixes a replica's PITR to false and its key to null, and gives it no tags (its PR 147).

    Here each Region's replica has what the table has, and a rule notices when one has not.
    """
    found = declared(record, **KEYED)
    table = found.one(TABLE).inputs
    for replica in found.of(REPLICA):
        held = replica.inputs
        assert held["pointInTimeRecovery"] is True
        assert held["kmsKeyArn"] == key(held["region"])
        assert held["tags"] == table["tags"]
        assert held["deletionProtectionEnabled"] is True
    assert violations(resources(found)) == []
    assert broken(found, REPLICA, pointInTimeRecovery=False) == {"time-travel"}
    assert broken(found, REPLICA, deletionProtectionEnabled=False) == {"guarded"}
    assert broken(found, REPLICA, kmsKeyArn=None) == {"parity"}
    assert broken(found, REPLICA, kmsKeyArn=key("us-east-1")) == {"parity"}
    assert broken(found, REPLICA, tags={}) == {"parity"}


RESTORED = (
    "restoreSourceName", "restoreSourceTableArn", "restoreDateTime", "restoreToLatestTime", "importTable",
    "restoreToPointInTime", "snapshotIdentifier", "s3Import", "replicateSourceDb", "replicationSourceIdentifier",
)  # fmt: skip
VARIANTS: list[dict[str, str]] = [
    {}, KEYED, {"billingMode": "PAY_PER_REQUEST"}, {"databaseEngine": "aurora-mysql"}, {"databaseEngine": "mysql"},
    {"adoptTables": "top_tracks", "adoptDatabase": "true"},
]  # fmt: skip


def test_restore_args_replace(record: Record) -> None:
    """Restore and import arguments of a table replace it later (hashicorp/terraform-provider-aws issue 25214).

    Here the program has none: ops restores, and what it restored is taken over as it is, by its name.
    """
    for values in VARIANTS:
        for found in declared(record, **values).resources:
            assert not set(RESTORED) & set(found.inputs), (found.type, found.name)
    before = declared(record).one(TABLE)
    adopted = declared(record, tableName="top_tracks-r1", adoptTables="top_tracks").one(TABLE)
    assert (adopted.import_id, adopted.urn, before.import_id) == ("top_tracks-r1", before.urn, "")
    assert {name for name in adopted.inputs if adopted.inputs[name] != before.inputs.get(name)} == {"name", "arn"}
    assert (adopted.inputs["streamEnabled"], adopted.inputs["streamViewType"]) == (True, "NEW_AND_OLD_IMAGES")
    assert adopted.protect and adopted.retain


@pytest.mark.parametrize(("engine", "type_"), [("postgres", DATABASE), ("aurora-postgresql", CLUSTER)])
def test_rds_destroyed_next_apply(record: Record, engine: str, type_: str) -> None:
    """A restored instance goes at the next apply, or the old one without a snapshot: terraform-provider-aws 34522, 588.

    Here every argument that a restore leaves out is stated, nothing goes without its final snapshot, and a restored
    database takes the place of the old one under the same entry.
    """
    before = declared(record, databaseEngine=engine).one(type_)
    group = before.inputs.get("parameterGroupName") or before.inputs.get("dbClusterParameterGroupName")
    assert group and before.inputs["kmsKeyId"]
    assert (before.inputs["skipFinalSnapshot"], before.inputs["deleteAutomatedBackups"]) == (False, False)
    assert before.inputs["finalSnapshotIdentifier"] == "artists-final"
    assert before.inputs["deletionProtection"] is True
    restored = {"adoptDatabase": "true", "databaseIdentifier": "artists-r1"}
    adopted = declared(record, databaseEngine=engine, **restored).one(type_)
    assert (adopted.import_id, adopted.urn) == ("artists-r1", before.urn)
    assert {before.protect, before.retain, adopted.protect, adopted.retain} == {True}
    named = {"identifier", "clusterIdentifier", "finalSnapshotIdentifier"}
    assert {name for name in adopted.inputs if adopted.inputs[name] != before.inputs.get(name)} <= named
    replicated = declared(record, databaseBackupRegion="us-west-2") if type_ == DATABASE else None
    if replicated is not None:  # the copy has a key of its own Region (awslabs/rds-snapshot-tool issue 60)
        kind = "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication"
        copied = replicated.one(kind).inputs
        assert copied["region"] == "us-west-2"
        assert copied["kmsKeyId"] != replicated.one(DATABASE).inputs["kmsKeyId"]


def statements(recording: Recording) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of every policy document of the stack, wherever it stands."""
    for found in recording.resources:
        for value in found.inputs.values():
            if isinstance(value, str) and '"Statement"' in value:
                yield from ((found.name, one) for one in json.loads(value)["Statement"])


def test_wide_example(record: Record) -> None:
    """pulumi/examples aws-py-serverless-raw grants `logs:*` and `cloudwatch:*` on everything.

    Here no statement of any policy allows a wildcard action, and that example's own does not pass the rules.
    """
    full = declared(record, cacheEnabled="true", evidenceLockDays="30", bastionEnabled="true", **KEYED)
    found = list(statements(full))
    assert len(found) > 60
    for name, one in found:
        actions = [one["Action"]] if isinstance(one.get("Action"), str) else one.get("Action", ["(NotAction)"])
        assert one["Effect"] == "Deny" or not [action for action in actions if "*" in action], name
        assert one["Effect"] == "Deny" or "NotAction" not in one, name
    theirs = {"Effect": "Allow", "Action": ["logs:*", "cloudwatch:*"], "Resource": "*"}
    assert broken(full, ROLE_POLICY, policy=json.dumps({"Statement": [theirs]})) == {"actions"}


def test_silent_dump_failure(record: Record) -> None:
    """GitLab's dumps failed silently (about.gitlab.com, postmortem of 10 February 2017).

    Here the absence of a success is the alarm: of a backup, and of a proof that one can be restored.
    """
    found = declared(record, backupAgeDays="3", restoreProofDays="7")
    age = found.one(ALARM, "backup-age").inputs
    assert (age["metricName"], age["evaluationPeriods"], age["period"]) == ("NumberOfBackupJobsCompleted", 3, 86400)
    proof = found.one(ALARM, "top_tracks-restore-proof-age").inputs
    assert proof["dimensions"] == {"Stack": "test", "Table": "top_tracks"}
    assert {age["treatMissingData"], proof["treatMissingData"]} == {"breaching"}
    assert {age["comparisonOperator"], proof["comparisonOperator"]} == {"LessThanThreshold"}
    assert age["alarmActions"] and proof["alarmActions"]


def dev(**more: str) -> dict[str, str]:
    found = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())["config"]
    return {**found, "environmentClass": "development", **more}


def touched(deployment: Deployment) -> dict[str, str]:
    """What was done to each table and replica, by name."""
    return {
        urn.rsplit("::", 1)[1]: operation
        for operation, urn in deployment.operations
        if f"{TABLE}::" in urn or f"{REPLICA}::" in urn
    }


TOGGLES: list[dict[str, str]] = [
    {"billingMode": "PAY_PER_REQUEST"}, {"maximumReadCapacity": "40"}, {"readCapacity": "7"},
    {"tableClass": "STANDARD_INFREQUENT_ACCESS"}, {"pitrDays": "20"}, {"tableKmsKeyArn": key("us-east-1")},
    {"replicaRegions": "us-west-2"},
]  # fmt: skip


def test_toggle_recreates(stack: Apply, endpoint: str) -> None:
    """terraform-aws-modules has two resources for a table; switching autoscaling moves it, and it is made anew.

    Here every switch, there and back, leaves the one resource that there is: the table keeps its id.
    """
    stack(**dev())
    dynamodb = boto3.client("dynamodb", endpoint_url=endpoint, region_name="us-east-1")
    ident = dynamodb.describe_table(TableName="top_tracks")["Table"]["TableId"]
    for number, toggle in enumerate(TOGGLES):
        for values in (TOGGLES[number - 1] if number else {}, {}, toggle):
            done = touched(stack(**dev(**values)))
            assert done.pop("top_tracks") in ("update", "same"), values
            assert set(done.values()) <= {"create"}, values
    assert dynamodb.describe_table(TableName="top_tracks")["Table"]["TableId"] == ident


def keys_of_indexes(dynamodb: Any) -> dict[str, Any]:
    found = dynamodb.describe_table(TableName="top_tracks")["Table"]
    return {found["TableId"]: {one["IndexName"]: one["KeySchema"] for one in found["GlobalSecondaryIndexes"]}}


def test_old_table_removed(stack: Apply, endpoint: str, tmp_path: Path) -> None:
    """A table whose name clashed was removed (pulumi-aws-native issue 1263), GSI names were swapped (pulumi 4745).

    Here a table is protected and retained, it and its indexes keep their names, and another's table is not taken.
    """
    dynamodb = boto3.client("dynamodb", endpoint_url=endpoint, region_name="us-east-1")
    indexes = [{"name": f"{name}_index", "partitionKey": name} for name in ("genre", "year")]
    texts = [json.dumps({"top_tracks": {"indexes": one}}) for one in (indexes, indexes[::-1])]
    stack(**dev(replicaRegions="us-west-2", tables=texts[0]))
    before = keys_of_indexes(dynamodb)
    assert touched(stack(**dev(replicaRegions="us-west-2", tables=texts[1])))["top_tracks"] in ("same", "update")
    assert keys_of_indexes(dynamodb) == before
    with pytest.raises(SandboxBroken, match="protected and would have to be replaced"):
        stack(**dev(replicaRegions="us-west-2", tables=texts[1], tableName="other_tracks"))
    with pytest.raises(SandboxBroken, match="Table could not be applied"):
        apply(
            endpoint=endpoint, state_file=tmp_path / "state.json", project="dynamo-ops", stack="second", config=dev(),
            program=ROOT / "infra",
        )  # fmt: skip
    assert dynamodb.list_tables()["TableNames"] == ["top_tracks"]
    assert keys_of_indexes(dynamodb) == before


def test_drift_blind(stack: Apply, endpoint: str) -> None:
    """Ignoring indexes to hide scaled capacity hides their loss too; PITR switched off by hand is no drift
    (hashicorp/terraform-provider-aws issue 38112).

    Here only capacity is ignored: what scaling changed is no difference, what somebody changed is.
    """
    stack(**dev(replicaRegions="us-west-2"))
    dynamodb = boto3.client("dynamodb", endpoint_url=endpoint, region_name="us-east-1")
    dynamodb.update_table(
        TableName="top_tracks", ProvisionedThroughput={"ReadCapacityUnits": 9, "WriteCapacityUnits": 9}
    )
    assert stack(read_all=True, **dev(replicaRegions="us-west-2")).differences == []
    dynamodb.update_continuous_backups(
        TableName="top_tracks", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )
    dynamodb.update_table(
        TableName="top_tracks", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "genre_index"}}]
    )
    found = stack(read_all=True, **dev(replicaRegions="us-west-2")).differences
    assert {"pointInTimeRecovery", "globalSecondaryIndexes"} <= {one.setting for one in found}
