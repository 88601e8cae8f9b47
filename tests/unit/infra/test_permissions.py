"""The operator roles: exact actions, exact resources, and what a drill may never touch."""

import fnmatch
import gc
import json
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import resources
from typing import Any

import pytest

from infra import bucket, cache
from infra.keys import ConfigError
from infra.permissions import INLINE_LIMIT, ROLES, document, fitting, policy_text, roles, trust
from infra.scope import Scope

ACCOUNT = "123456789012"

SCOPE = Scope(
    account=ACCOUNT,
    region="us-east-1",
    replica_regions=("us-west-2",),
    project="dynamo-ops",
    stack="prod",
    tables=("tracks.prod", "books"),
    logical_names=("top_tracks", "books"),
    bucket="dynamo-ops-prod-exports",
    export_prefix="exports",
    key_arn=f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    role_prefix="dynamo-ops-prod",
    database="artists",
    database_resource_id="db-ABCDEFGHIJKL",
    database_username="music_admin",
    secret_arns=(f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:source-AbCdEf",),
)

AURORA = replace(SCOPE, database_cluster=True, evidence_bucket="dynamo-ops-prod-evidence")
TABLE_KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/5678abcd-12ab-34cd-56ef-1234567890ab"
KEYED = replace(SCOPE, table_key_arns=(TABLE_KEY,))

# parliament 1.6.4 findings that were looked at, each with the reason why it stands.
REVIEWED = {
    ("RESOURCE_MISMATCH", "dynamodb:GetResourcePolicy"): "its data knows streams only; tables have policies too",
    **{
        (
            "UNKNOWN_CONDITION_FOR_ACTION",
            f"rds:{action}",
        ): "its data predates rds:PubliclyAccessible; used in a Deny only"
        for action in ("RestoreDBInstanceToPointInTime", "RestoreDBInstanceFromDBSnapshot", "CreateDBInstance")
    },
}


def _named(finding: Any) -> set[tuple[str, str]]:
    """Issue and action of each detail: a list of them, or one sentence that ends with the action."""
    if isinstance(finding.detail, str):
        return {(finding.issue, finding.detail.rsplit(" ", 1)[1])}
    return {(finding.issue, detail["action"]) for detail in finding.detail}


Analyze = Callable[[str], Any]


@pytest.fixture(scope="module")
def analyze() -> Iterator[Analyze]:
    """parliament 1.6.4 finds its data through pkg_resources, which setuptools 82 removed: one function of it."""
    stand_in: Any = types.ModuleType("pkg_resources")
    stand_in.resource_filename = lambda package, name: str(resources.files(package) / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pkg_resources", stand_in)
        with warnings.catch_warnings():
            # It leaves its two data files open; the collector says so here and not in another test.
            warnings.simplefilter("ignore", ResourceWarning)
            from parliament import analyze_policy_string

            gc.collect()
        yield analyze_policy_string


@pytest.mark.parametrize("scope", [SCOPE, AURORA, KEYED], ids=["instance", "aurora", "customer key"])
@pytest.mark.parametrize("role", sorted(ROLES))
def test_parliament_finds_nothing_that_was_not_reviewed(role: str, scope: Scope, analyze: Analyze) -> None:
    found = analyze(json.dumps(document(role, scope))).findings
    assert all(_named(finding) for finding in found)
    assert not set().union(*map(_named, found)) - set(REVIEWED)


def test_parliament_finds_a_planted_mistake(analyze: Analyze) -> None:
    planted = {"Effect": "Allow", "Action": "dynamodb:ReadEverything", "Resource": "*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [planted]})
    assert analyze(text).findings


@pytest.mark.parametrize("role", sorted(ROLES))
def test_no_role_is_given_a_wildcard_action(role: str) -> None:
    for statement in document(role, SCOPE)["Statement"]:
        assert isinstance(statement["Action"], list)
        assert not [action for action in statement["Action"] if "*" in action]


@pytest.mark.parametrize("role", sorted(ROLES))
def test_every_role_fits_into_an_inline_policy(role: str) -> None:
    assert len(policy_text(role, replace(AURORA, table_key_arns=(TABLE_KEY,)))) <= INLINE_LIMIT


def many(tables: int) -> Scope:
    names = tuple(f"table_number_{at}" for at in range(tables))
    return replace(SCOPE, tables=names, logical_names=names, replica_regions=("us-west-2", "eu-west-1"))


def test_many_tables_in_many_regions_leave_the_region_open_rather_than_not_fit() -> None:
    assert not fitting(SCOPE).any_region
    found = fitting(many(5))
    assert found.any_region
    assert max(len(policy_text(role, found)) for role in ROLES) <= INLINE_LIMIT
    assert all("table/table_number_" in text or "drill-" in text for text in found.table_arns() + found.target_arns())


def test_more_tables_than_a_policy_can_name_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="tables: the policy of a role would have"):
        fitting(many(30))


@pytest.mark.parametrize("role", sorted(ROLES))
def test_statement_ids_are_unique(role: str) -> None:
    sids = [statement["Sid"] for statement in document(role, SCOPE)["Statement"]]
    assert len(set(sids)) == len(sids)


def allowed(role: str, action: str, resource: str, scope: Scope = SCOPE) -> bool:
    """Allow and Deny of one request, conditions left aside."""
    statements = document(role, scope)["Statement"]
    denied = any(_applies(entry, action, resource) for entry in statements if entry["Effect"] == "Deny")
    granted = any(_applies(entry, action, resource) for entry in statements if entry["Effect"] == "Allow")
    return granted and not denied


def _applies(statement: dict[str, Any], action: str, resource: str) -> bool:
    if action not in statement["Action"]:
        return False
    if "NotResource" in statement:
        return not any(fnmatch.fnmatchcase(resource, pattern) for pattern in statement["NotResource"])
    patterns = statement["Resource"]
    return any(fnmatch.fnmatchcase(resource, pattern) for pattern in patterns)


def table(name: str, region: str = "us-east-1") -> str:
    return f"arn:aws:dynamodb:{region}:{ACCOUNT}:table/{name}"


@pytest.mark.parametrize(
    "action",
    ["PutItem", "DeleteItem", "BatchWriteItem", "UpdateItem", "UpdateTable", "DeleteTable", "UpdateContinuousBackups"],
)
def test_a_drill_changes_drill_tables_only(action: str) -> None:
    assert allowed("ops-drill", f"dynamodb:{action}", table("drill-1"))
    assert not allowed("ops-drill", f"dynamodb:{action}", table("tracks.prod"))
    assert not allowed("ops-drill", f"dynamodb:{action}", table("tracks.prod-drill-1"))


def test_a_drill_reads_its_source_and_restores_from_it() -> None:
    for action in ("DescribeTable", "RestoreTableToPointInTime", "ExportTableToPointInTime"):
        assert allowed("ops-drill", f"dynamodb:{action}", table("tracks.prod"))
    assert not allowed("ops-drill", "dynamodb:Scan", table("tracks.prod"))


def test_a_backup_role_cannot_destroy() -> None:
    assert allowed("ops-backup", "dynamodb:CreateBackup", table("tracks.prod"))
    for action in ("DeleteBackup", "DeleteTable", "UpdateContinuousBackups"):
        assert not allowed("ops-backup", f"dynamodb:{action}", table("tracks.prod"))


def test_a_restore_writes_to_its_target_and_never_to_the_source() -> None:
    assert allowed("ops-restore", "dynamodb:RestoreTableToPointInTime", table("tracks.prod"))
    assert allowed("ops-restore", "dynamodb:BatchWriteItem", table("top_tracks-r20261120T100216Z"))
    assert not allowed("ops-restore", "dynamodb:BatchWriteItem", table("tracks.prod"))


def test_a_restore_never_writes_to_a_declared_table_that_has_the_name_of_a_restored_one() -> None:
    """Adopted, a table is declared under the name it was restored to, which the names of targets include."""
    adopted = replace(SCOPE, tables=("top_tracks-r20261120", "books"))
    for action in ("BatchWriteItem", "UpdateTable", "UpdateContinuousBackups"):
        assert not allowed("ops-restore", f"dynamodb:{action}", table("top_tracks-r20261120"), adopted)
        assert allowed("ops-restore", f"dynamodb:{action}", table("top_tracks-r20261121"), adopted)
    assert not allowed("ops-settings", "dynamodb:UpdateTable", table("top_tracks-r20261120"), adopted)
    assert allowed("ops-restore", "dynamodb:RestoreTableToPointInTime", table("top_tracks-r20261120"), adopted)


@pytest.mark.parametrize(
    ("role", "action"),
    [
        ("ops-backup", "CreateBackup"),
        ("ops-export", "ExportTableToPointInTime"),
        ("ops-load", "BatchWriteItem"),
        ("ops-drill", "RestoreTableToPointInTime"),
        ("ops-restore", "RestoreTableToPointInTime"),
    ],
)
def test_after_a_cutover_the_table_in_use_is_protected_and_served_as_before(role: str, action: str) -> None:
    for name in ("tracks.prod", "top_tracks-r20261120"):
        assert allowed(role, f"dynamodb:{action}", table(name))


@pytest.mark.parametrize("role", ["ops-read", "ops-backup", "ops-export", "ops-import", "ops-restore", "ops-settings",
                                  "ops-load", "ops-repair", "ops-drill"])  # fmt: skip
def test_the_key_of_a_table_is_used_through_dynamodb_only(role: str) -> None:
    (found,) = (one for one in document(role, KEYED)["Statement"] if TABLE_KEY in one.get("Resource", ()))
    via = ["dynamodb.us-east-1.amazonaws.com", "dynamodb.us-west-2.amazonaws.com"]
    assert found["Condition"] == {"StringEquals": {"kms:ViaService": via}}
    assert {"kms:Decrypt", "kms:CreateGrant"} <= set(found["Action"])
    assert not [one for one in document(role, SCOPE)["Statement"] if one["Sid"] == "TableKeys"]


def test_a_cutover_writes_pointers_and_nothing_else() -> None:
    parameter = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/dynamo-ops/prod"
    assert allowed("ops-cutover", "ssm:PutParameter", f"{parameter}/tables/top_tracks")
    assert not allowed("ops-cutover", "ssm:PutParameter", f"{parameter}/environment")
    assert {a for entry in document("ops-cutover", SCOPE)["Statement"] for a in entry["Action"]} == {
        "ssm:GetParameter",
        "ssm:PutParameter",
    }


def test_a_repair_writes_only_with_the_name_of_an_approver() -> None:
    (write,) = (one for one in document("ops-repair", SCOPE)["Statement"] if one["Sid"] == "Write")
    assert write["Condition"] == {"StringLike": {"aws:PrincipalTag/approver": "?*"}}
    (trusted,) = trust("ops-repair", ACCOUNT, [])["Statement"]
    assert set(trusted["Action"]) == {"sts:AssumeRole", "sts:TagSession"}
    assert trusted["Condition"] == {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    assert not allowed("ops-repair", "dynamodb:DeleteTable", table("tracks.prod"))


@pytest.mark.parametrize(
    ("scope", "kind", "call"),
    [(SCOPE, "db", "DBInstance"), (AURORA, "cluster", "DBCluster")],
    ids=["instance", "aurora"],
)
def test_a_database_restore_changes_drill_databases_only(scope: Scope, kind: str, call: str) -> None:
    def may(action: str, name: str) -> bool:
        arn = f"arn:aws:rds:us-east-1:{ACCOUNT}:{kind}:{name}"
        return any(_applies(entry, action, arn) for entry in document("ops-rds-restore", scope)["Statement"])

    assert may(f"rds:Restore{call}ToPointInTime", "artists")
    assert may(f"rds:Delete{call}", "drill-artists-1") and may(f"rds:Modify{call}", "drill-artists-1")
    assert not may(f"rds:Delete{call}", "artists") and not may(f"rds:Modify{call}", "artists")


def test_evidence_is_written_and_never_deleted() -> None:
    actions = {
        action
        for entry in document("ops-drill", AURORA)["Statement"]
        if any("evidence" in str(resource) for resource in entry.get("Resource", []))
        for action in entry["Action"]
    }
    assert actions == {"s3:PutObject"}


def test_without_a_database_there_is_no_role_to_restore_one() -> None:
    assert set(roles(database=True)) - set(roles(database=False)) == {"ops-rds-restore"}


def test_reading_works_in_the_replica_region_too() -> None:
    assert allowed("ops-read", "dynamodb:Query", table("tracks.prod/index/genre_index", "us-west-2"))
    assert not allowed("ops-read", "dynamodb:PutItem", table("tracks.prod"))


def test_a_restore_needs_mfa_and_the_account() -> None:
    (statement,) = trust("ops-restore", ACCOUNT, [])["Statement"]
    assert statement["Condition"] == {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    assert statement["Principal"] == {"AWS": [f"arn:aws:iam::{ACCOUNT}:root"]}


def test_named_principals_replace_the_account() -> None:
    (statement,) = trust("ops-read", ACCOUNT, ["arn:aws:iam::1:role/a"])["Statement"]
    assert statement["Principal"] == {"AWS": ["arn:aws:iam::1:role/a"]}


def test_service_roles_are_bound_to_this_account() -> None:
    (statement,) = cache.trust_document(ACCOUNT, "us-east-1")["Statement"]
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}


def test_the_bucket_refuses_plain_connections_and_customer_keys() -> None:
    statements = bucket.bucket_policy("arn:aws:s3:::b")["Statement"]
    assert {entry["Effect"] for entry in statements} == {"Deny"}
    conditions = json.dumps([entry["Condition"] for entry in statements])
    for needed in ("aws:SecureTransport", "s3:TlsVersion", "s3:x-amz-server-side-encryption-customer-algorithm"):
        assert needed in conditions
