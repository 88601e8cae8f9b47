"""Each kind of work under its own role: what a command asks of AWS is what the applied role allows, and no more.

The requests are recorded at a door in front of the sandbox and held against the policies that the program applied.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from infra.environment import EnvironmentDocument
from ops.sandbox.control import SandboxControl
from tests.cli.gate import Gate
from tests.cli.rights import Need, Policy, granted, needs
from tests.whole_sandbox import WholeSandbox

TABLE, COPY, OTHER = "top_tracks", "top_tracks-copy", "top_tracks-other"
PAST_THE_WINDOW_S = 400.0

# What a role holds and no recorded command asked for, each with the reason why it stays.
ASKED_ELSEWHERE = {
    "ops-read": {
        "dynamodb:DescribeBackup": "ops restore --backup names one; a reader looks at it first",
        "dynamodb:DescribeImport": "an import that is still going on",
        "dynamodb:BatchGetItem": "the differing keys of a comparison are read again",
        "dynamodb:GetItem": "ops get of an item by its whole key",
        "s3:GetObjectVersion": "an object that was overwritten",
        "s3:ListBucket": "an export whose manifest is looked for",
        "kms:Decrypt": "S3 asks for it, the sandbox encrypts nothing",
        "kms:DescribeKey": "a key that is disabled or to be deleted ends every recovery",
        "iam:SimulatePrincipalPolicy": "whether a role still may, before it must",
        "rds:DescribeDBInstances": "the database, by hand",
        "rds:DescribeDBSnapshots": "the database, by hand",
        "rds:DescribeDBInstanceAutomatedBackups": "the database, by hand",
        "ssm:GetParametersByPath": "the stacks that there are, when the one asked for is not",
    },
    "ops-backup": {
        "dynamodb:ListBackups": "a run that is taken up again looks for the backup it may have made",
        "s3:AbortMultipartUpload": "a large upload that failed",
        "s3:GetObjectVersion": "an object that was overwritten",
        "kms:GenerateDataKey": "S3 asks for it, the sandbox encrypts nothing",
        "kms:Decrypt": "S3 asks for it, the sandbox encrypts nothing",
        "ssm:GetParametersByPath": "the stacks that there are, when the one asked for is not",
    },
    "ops-export": {
        "dynamodb:ListExports": "a run that is taken up again looks for the export it may have begun",
        "s3:PutObject": "DynamoDB writes the export with the rights of its caller",
        "s3:AbortMultipartUpload": "DynamoDB writes the export with the rights of its caller",
        "s3:GetObjectVersion": "an object that was overwritten",
        "kms:GenerateDataKey": "S3 asks for it, the sandbox encrypts nothing",
        "kms:Decrypt": "S3 asks for it, the sandbox encrypts nothing",
        "ssm:GetParametersByPath": "the stacks that there are, when the one asked for is not",
    },
    "ops-import": {
        "dynamodb:ListImports": "a run that is taken up again looks for the import it may have begun",
        "kms:Decrypt": "S3 asks for it, the sandbox encrypts nothing",
        "logs:CreateLogGroup": "DynamoDB logs rejected rows with the rights of its caller",
        "logs:CreateLogStream": "DynamoDB logs rejected rows with the rights of its caller",
        "logs:PutLogEvents": "DynamoDB logs rejected rows with the rights of its caller",
        "ssm:GetParametersByPath": "the stacks that there are, when the one asked for is not",
    },
    "ops-restore": {
        **{
            f"dynamodb:{name}": "DynamoDB writes the restored items with the rights of its caller"
            for name in ("BatchWriteItem", "PutItem", "UpdateItem", "DeleteItem", "GetItem", "Query", "Scan")
        },
        "dynamodb:RestoreTableFromBackup": "ops restore --backup",
        "dynamodb:DescribeBackup": "ops restore --backup",
        "dynamodb:ListBackups": "ops restore --backup, by name",
        "dynamodb:CreateTableReplica": "UpdateTable that adds a Region asks for it; it is no call of its own",
        "s3:PutObject": "DynamoDB writes the export with the rights of its caller",
        "s3:AbortMultipartUpload": "DynamoDB writes the export with the rights of its caller",
        "s3:GetObjectVersion": "an object that was overwritten",
        "s3:ListBucket": "an export whose manifest is looked for",
        "kms:GenerateDataKey": "S3 asks for it, the sandbox encrypts nothing",
        "kms:Decrypt": "S3 asks for it, the sandbox encrypts nothing",
        "ssm:GetParametersByPath": "the stacks that there are, when the one asked for is not",
    },
    "ops-settings": {
        "dynamodb:CreateTableReplica": "UpdateTable that adds a Region asks for it; it is no call of its own",
        "dynamodb:PutResourcePolicy": "by hand: a restore names the policy that its source had",
        "cloudwatch:PutMetricAlarm": "by hand: a restore names the alarms that its source had",
        "ssm:GetParametersByPath": "the stacks that there are, when the one asked for is not",
    },
    "ops-cutover": {},
    "ops-load": {
        "dynamodb:BatchGetItem": "what a batch left open is read again",
        "dynamodb:GetItem": "what a batch left open is read again",
        "dynamodb:Query": "items of an artist that left the source",
        "dynamodb:Scan": "items of an artist that left the source",
        "dynamodb:PutItem": "a batch that was refused is written one by one",
        "dynamodb:UpdateItem": "a batch that was refused is written one by one",
        "dynamodb:DeleteItem": "a batch that was refused is written one by one",
        "kms:Decrypt": "Secrets Manager asks for it, the sandbox encrypts nothing",
        "rds-db:connect": "PostgreSQL asks for it, not an API",
        "ssm:GetParametersByPath": "the stacks that there are, when the one asked for is not",
    },
    "ops-repair": {
        "dynamodb:BatchWriteItem": "a patch without conditions",
        "dynamodb:PutItem": "depends on the patch",
        "dynamodb:UpdateItem": "depends on the patch",
        "dynamodb:DeleteItem": "depends on the patch",
        "dynamodb:GetItem": "depends on the patch",
        "dynamodb:BatchGetItem": "depends on the patch",
        "dynamodb:Query": "depends on the patch",
        "dynamodb:Scan": "a window that is taken back",
        "dynamodb:DescribeContributorInsights": "part of every look at a table",
        "dynamodb:DescribeKinesisStreamingDestination": "part of every look at a table",
        "dynamodb:GetResourcePolicy": "part of every look at a table",
        "dynamodb:ListTagsOfResource": "part of every look at a table",
        "ssm:GetParametersByPath": "the stacks that there are, when the one asked for is not",
    },
    "ops-drill": {
        "dynamodb:RestoreTableFromBackup": "the scenario table-deleted",
        "dynamodb:DescribeBackup": "the scenario table-deleted",
        "dynamodb:ListBackups": "the scenario table-deleted",
        "dynamodb:DeleteItem": "the damage depends on the scenario",
        "dynamodb:UpdateItem": "the damage depends on the scenario",
        "dynamodb:BatchWriteItem": "the damage depends on the scenario",
        "dynamodb:PutItem": "the traffic depends on the scenario",
        "dynamodb:GetItem": "DynamoDB writes the restored items with the rights of its caller",
        "dynamodb:Query": "DynamoDB writes the restored items with the rights of its caller",
        "dynamodb:Scan": "DynamoDB writes the restored items with the rights of its caller",
        "dynamodb:BatchGetItem": "the differing keys of a comparison are read again",
        "dynamodb:CreateTableReplica": "UpdateTable that adds a Region asks for it; it is no call of its own",
        "dynamodb:ExportTableToPointInTime": "a proof against an export",
        "dynamodb:DescribeExport": "a proof against an export",
        "dynamodb:ListExports": "a proof against an export",
        "dynamodb:ListTables": "ops drill gc looks for what was left",
        "dynamodb:TagResource": "depends on the contract",
        "cloudwatch:DeleteAlarms": "ops drill gc, when an alarm of the drill is left",
        "cloudwatch:PutMetricData": "a drill in AWS; one in the sandbox has nobody to tell",
        "application-autoscaling:TagResource": "RegisterScalableTarget with tags asks for it; it is no call of its own",
        "backup:PutRestoreValidationResult": "a restore on trial of AWS Backup, by hand",
        "s3:PutObject": "DynamoDB writes the export with the rights of its caller",
        "s3:GetObject": "a proof against an export",
        "s3:ListBucket": "a proof against an export",
        "s3:AbortMultipartUpload": "DynamoDB writes the export with the rights of its caller",
        "s3:GetObjectVersion": "an object that was overwritten",
        "kms:GenerateDataKey": "S3 asks for it, the sandbox encrypts nothing",
        "kms:Decrypt": "S3 asks for it, the sandbox encrypts nothing",
        "ssm:GetParametersByPath": "ops drill gc looks for what was left",
        "ssm:DeleteParameter": "ops drill gc, when a parameter of the drill is left",
        "ssm:PutParameter": "a drill in AWS; one in the sandbox takes no lock",
    },
}
BY_HAND = {"ops-rds-restore"}  # ops restores no database


class Work:
    """Commands against the sandbox, each with what it asked for."""

    def __init__(self, whole: WholeSandbox, folder: Path) -> None:
        endpoint = whole.environ["AWS_ENDPOINT_URL"]
        self.whole, self.folder, self.gate = whole, folder, Gate(endpoint)
        self.control = SandboxControl(endpoint)
        self.dynamodb, ssm, self._iam = (self._client(one, endpoint) for one in ("dynamodb", "ssm", "iam"))
        text = ssm.get_parameter(Name="/dynamo-ops/sandbox/environment")["Parameter"]["Value"]
        self.document = EnvironmentDocument.from_json(text)
        self.policies = {role: self._policy(role, arn) for role, arn in self.document.roles.items()}
        self.asked: dict[tuple[str, ...], dict[str, set[Need]]] = defaultdict(dict)

    def _client(self, service: str, endpoint: str) -> Any:
        keys = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox"}
        return boto3.client(service, endpoint_url=endpoint, region_name="us-east-1", **keys)

    def _policy(self, role: str, arn: str) -> Policy:
        found = self._iam.get_role_policy(RoleName=arn.rsplit("/", 1)[1], PolicyName=role)["PolicyDocument"]
        statements: Policy = (json.loads(found) if isinstance(found, str) else found)["Statement"]
        return statements

    def run(self, roles: str, *words: str, code: int = 0) -> str:
        """Run a command that `roles` (parted by +) must suffice for; its answer."""
        self.gate.seen.clear()
        done = self.whole.ops(*words, AWS_ENDPOINT_URL=self.gate.endpoint)
        assert done.returncode == code, done.stderr
        found = {need for request in self.gate.seen for need in needs(request, self.document.account)}
        assert found, words
        self.asked[tuple(roles.split("+"))][" ".join(words)] = found
        return done.stdout

    def beyond_the_window(self) -> None:
        self.control.advance(PAST_THE_WINDOW_S)


@pytest.fixture(scope="module")
def work(whole: WholeSandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Work]:
    """Every kind of work, once."""
    done = Work(whole, tmp_path_factory.mktemp("rights"))
    try:
        _protect(done)
        _recover(done)
        yield done
    finally:
        done.gate.stop()


def _protect(work: Work) -> None:
    # a market that no other test loads: the sandbox is shared, and what is there already is not written
    work.run("ops-load", "load", "spotify", "--to", TABLE, "--market", "NO")
    work.beyond_the_window()
    item = work.dynamodb.scan(TableName=TABLE, Limit=1)["Items"][0]
    artist, track = item["artist_id"]["S"], item["id"]["S"]
    for words in (
        ("status",), ("list", "tables"), ("list", "backups"), ("list", "exports"), ("list", "imports"),
        ("get", TABLE, artist, track), ("query", TABLE, artist), ("scan", TABLE, "--limit", "3"),
        ("query", TABLE, "--index", "genre_index", "rock"),
    ):  # fmt: skip
        work.run("ops-read", *words)
    work.run("ops-read", "settings", "diff", TABLE)
    work.run("ops-backup", "backup", TABLE)


def _recover(work: Work) -> None:
    manifest = json.loads(work.run("ops-export", "export-s3", TABLE, "-o", "json"))["result"]["manifest"]
    work.run("ops-read", "verify", TABLE, "--against", manifest)
    work.run("ops-restore", "restore", TABLE, "--latest", "--as", COPY, "--settings", "none")
    work.run("ops-settings", "settings", "apply", f"ddb:{COPY}", "--against", TABLE, "--yes")
    work.run("ops-import", "import-s3", manifest, "--as", f"{TABLE}-imported")
    work.beyond_the_window()
    key = {name: work.dynamodb.scan(TableName=COPY, Limit=1)["Items"][0][name] for name in ("artist_id", "id")}
    work.dynamodb.delete_item(TableName=COPY, Key=key)
    work.beyond_the_window()
    patch = str(work.folder / "patch")
    work.run("ops-read", "diff", TABLE, f"ddb:{COPY}", "--format", "patch", "--out", patch, code=4)
    work.run("ops-repair", "repair", f"ddb:{COPY}", "--patch", patch, "--apply", "--confirm", COPY)
    work.run("ops-drill", "drill", "run", "mass-delete", "--seed", "3")
    cutover = ("--cutover", "pointer", "--confirm", TABLE)
    work.run("ops-restore+ops-cutover", "restore", TABLE, "--latest", "--as", OTHER, *cutover)
    # From here on, the table in use has the name of a restored one.
    work.beyond_the_window()
    work.run("ops-backup", "backup", TABLE)
    work.run("ops-export", "export-s3", TABLE)


def in_sandbox_only(command: str, need: Need) -> bool:
    """A drill holds its copy against the source by a scan where the source stands still: never in AWS."""
    return command.startswith("drill") and need[0] == "dynamodb:Scan" and "table/drill-" not in need[1]


def test_every_command_is_allowed_what_it_asks_for(work: Work) -> None:
    refused = [
        (roles, command, *need)
        for roles, commands in work.asked.items()
        for command, asked in commands.items()
        for need in sorted(asked)
        if not any(granted(work.policies[role], need) for role in roles) and not in_sandbox_only(command, need)
    ]
    assert refused == []


def test_no_role_is_allowed_what_nobody_asks_for(work: Work) -> None:
    for role in set(work.policies) - BY_HAND:
        allowed = {action for one in work.policies[role] if one["Effect"] == "Allow" for action in one["Action"]}
        asked = {
            action
            for roles, commands in work.asked.items()
            if role in roles
            for needed in commands.values()
            for action, _ in needed
        }
        unknown = allowed - asked - set(ASKED_ELSEWHERE[role])
        assert not unknown, f"{role} may {sorted(unknown)}, and nothing asks for it"


def test_only_a_restore_with_a_cutover_asks_for_two_roles(work: Work) -> None:
    ((command, asked),) = work.asked["ops-restore", "ops-cutover"].items()
    beyond = {need[0] for need in asked if not granted(work.policies["ops-restore"], need)}
    assert beyond == {"ssm:PutParameter"} and "--cutover" in command
