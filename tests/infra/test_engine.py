"""The engine that applies a program in process: what it does, and what it refuses to imitate."""

import json
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from ops.errors import BadArgument, SandboxBroken
from ops.sandbox.deploy import Deployment

Apply = Callable[..., Deployment]

TOPIC = 'aws.sns.Topic("a", name="a", tags={"k": "1"})\n'
BUCKET = 'aws.s3.Bucket("b", bucket="kept", tags={{"k": "{0}"}}, opts=ResourceOptions({1}))\n'
PARAMETER = 'aws.ssm.Parameter("p", name="/p", type="{0}", value="{1}", tier="Standard", description="{2}"{3})\n'
TABLE = """
aws.dynamodb.Table(
    "t", name="things", billing_mode="PROVISIONED", hash_key="{hash}", read_capacity={read}, write_capacity=5,
    attributes=[{{"name": "{hash}", "type": "S"}}, {{"name": "g", "type": "S"}}],
    global_secondary_indexes=[{{
        "name": "by_g", "key_schemas": [{{"attribute_name": "g", "key_type": "HASH"}}],
        "projection_type": "ALL", "read_capacity": {read}, "write_capacity": 5,
    }}],
    stream_enabled=True, stream_view_type="NEW_AND_OLD_IMAGES", tags={{"k": "{tag}"}},
    opts=ResourceOptions(protect=True, ignore_changes=[
        "readCapacity", "globalSecondaryIndexes[*].readCapacity", "replicas"]),
)
"""


def operations(deployment: Deployment) -> list[tuple[str, str]]:
    return [(operation, urn.rsplit("::", 1)[1]) for operation, urn in deployment.operations]


def test_a_second_apply_changes_nothing(tiny: Apply) -> None:
    assert operations(tiny(TOPIC)) == [("create", "a")]
    assert operations(tiny(TOPIC)) == [("same", "a")]


def test_urns_have_the_real_engines_form(tiny: Apply) -> None:
    found = tiny(
        """
        class Part(pulumi.ComponentResource):
            def __init__(self, name, opts=None):
                super().__init__("my:x:Part", name, None, opts)
        outer = Part("outer")
        inner = Part("inner", ResourceOptions(parent=outer))
        aws.sns.Topic("a", name="a", opts=ResourceOptions(parent=inner))
        """
    )
    ((_, urn),) = found.operations
    assert urn == "urn:pulumi:test::tiny::my:x:Part$my:x:Part$aws:sns/topic:Topic::a"


def test_a_changed_setting_is_an_update(tiny: Apply) -> None:
    tiny(TOPIC)
    found = tiny(TOPIC.replace('"1"', '"2"'))
    assert operations(found) == [("update", "a")]
    assert not found.differences


def test_what_is_no_longer_declared_is_deleted_last_created_first(tiny: Apply) -> None:
    tiny(
        """
        vpc = aws.ec2.Vpc("v", cidr_block="10.0.0.0/16", enable_dns_support=True, enable_dns_hostnames=True)
        aws.ec2.Subnet("s", vpc_id=vpc.id, cidr_block="10.0.0.0/24")
        """
    )
    assert operations(tiny("")) == [("delete", "s"), ("delete", "v")]


def test_a_protected_resource_is_not_deleted(tiny: Apply) -> None:
    tiny(BUCKET.format(1, "protect=True"))
    with pytest.raises(SandboxBroken, match="protected and no longer declared"):
        tiny("")
    assert boto3.client("s3").list_buckets()["Buckets"]


def test_a_retained_resource_is_forgotten_and_kept(tiny: Apply) -> None:
    tiny(BUCKET.format(1, "retain_on_delete=True"))
    assert operations(tiny("")) == [("retain", "b")]
    assert boto3.client("s3").list_buckets()["Buckets"]


def test_retain_is_inherited_from_the_component(tiny: Apply) -> None:
    tiny(
        """
        class Part(pulumi.ComponentResource):
            def __init__(self, name, opts=None):
                super().__init__("my:x:Part", name, None, opts)
        part = Part("part", ResourceOptions(retain_on_delete=True))
        aws.s3.Bucket("b", bucket="kept", opts=ResourceOptions(parent=part))
        """
    )
    assert operations(tiny("")) == [("retain", "b")]


def test_a_replacement_of_a_protected_table_is_refused_and_touches_nothing(tiny: Apply) -> None:
    tiny(TABLE.format(hash="id", read=5, tag=1))
    with pytest.raises(SandboxBroken, match="protected and would have to be replaced") as refused:
        tiny(TABLE.format(hash="other", read=5, tag=1))
    assert "hashKey" in refused.value.why
    table = boto3.client("dynamodb").describe_table(TableName="things")["Table"]
    assert table["KeySchema"][0]["AttributeName"] == "id"


def test_ignored_capacity_is_neither_a_change_nor_sent_along(tiny: Apply) -> None:
    """Top-level, nested under a wildcard, and absent: the three forms that a scaled table needs."""
    tiny(TABLE.format(hash="id", read=5, tag=1))
    assert operations(tiny(TABLE.format(hash="id", read=50, tag=1))) == [("same", "t")]
    assert operations(tiny(TABLE.format(hash="id", read=50, tag=2))) == [("update", "t")]
    table = boto3.client("dynamodb").describe_table(TableName="things")["Table"]
    assert table["ProvisionedThroughput"]["ReadCapacityUnits"] == 5
    assert table["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"]["ReadCapacityUnits"] == 5


INDEXED = """
def index(name, projection="ALL", **units):
    key = [{{"attribute_name": name, "key_type": "HASH"}}]
    return {{"name": name, "key_schemas": key, "projection_type": projection, **units}}
aws.dynamodb.Table(
    "t", name="things", hash_key="id", attributes=[{{"name": name, "type": "S"}} for name in {names}],
    global_secondary_indexes=[{indexes}], opts=ResourceOptions(protect=True, ignore_changes=[
        "globalSecondaryIndexes[*].readCapacity", "globalSecondaryIndexes[*].writeCapacity"]),
    {more}
)
"""
PROVISIONED = 'billing_mode="PROVISIONED", read_capacity=5, write_capacity=5'
UNITS = "read_capacity=5, write_capacity=5"


def indexes_of(table: str) -> dict[str, str]:
    """Projection by index name."""
    found = boto3.client("dynamodb").describe_table(TableName=table)["Table"].get("GlobalSecondaryIndexes", [])
    return {index["IndexName"]: index["Projection"]["ProjectionType"] for index in found}


def test_ignored_capacity_hides_no_change_of_an_index(tiny: Apply) -> None:
    one = INDEXED.format(names=["id", "by_g"], indexes=f'index("by_g", {UNITS})', more=PROVISIONED)
    two = f'index("by_g", {UNITS}), index("by_h", {UNITS})'
    tiny(one)
    added = tiny(INDEXED.format(names=["id", "by_g", "by_h"], indexes=two, more=PROVISIONED))
    assert operations(added) == [("update", "t")] and not added.differences
    assert indexes_of("things") == {"by_g": "ALL", "by_h": "ALL"}
    other = INDEXED.format(names=["id", "by_g"], indexes=f'index("by_g", "KEYS_ONLY", {UNITS})', more=PROVISIONED)
    projected = tiny(other)
    assert operations(projected) == [("update", "t")] and not projected.differences
    assert indexes_of("things") == {"by_g": "KEYS_ONLY"}


def test_a_table_moves_to_on_demand_and_back_with_its_indexes(tiny: Apply) -> None:
    names = ["id", "by_g"]
    tiny(INDEXED.format(names=names, indexes=f'index("by_g", {UNITS})', more=PROVISIONED))
    on_demand = INDEXED.format(names=names, indexes='index("by_g")', more='billing_mode="PAY_PER_REQUEST"')
    found = tiny(
        on_demand.replace('"globalSecondaryIndexes[*].readCapacity", "globalSecondaryIndexes[*].writeCapacity"', "")
    )
    assert operations(found) == [("update", "t")] and not found.differences
    back = tiny(INDEXED.format(names=names, indexes=f'index("by_g", {UNITS})', more=PROVISIONED))
    assert operations(back) == [("update", "t")] and not back.differences
    table = boto3.client("dynamodb").describe_table(TableName="things")["Table"]
    assert table["ProvisionedThroughput"]["ReadCapacityUnits"] == 5
    held = table["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"]["ReadCapacityUnits"]
    assert held == 1, "the ignored capacity was never set: scaling raises it to its floor"


def test_an_unprotected_resource_is_replaced(tiny: Apply) -> None:
    tiny(TOPIC)
    assert operations(tiny(TOPIC.replace('name="a"', 'name="b"'))) == [("replace", "a")]
    topics = boto3.client("sns").list_topics()["Topics"]
    assert [topic["TopicArn"].rsplit(":", 1)[1] for topic in topics] == ["b"]


SUBSCRIBED = """
topic = aws.sns.Topic("a", name="{0}")
aws.sns.TopicSubscription("s", topic=topic.arn, protocol="email", endpoint="a@example.org")
"""


def test_what_others_depend_on_is_replaced_beside_the_old_one_which_goes_last(tiny: Apply, state_file: Path) -> None:
    tiny(SUBSCRIBED.format("one"))
    assert operations(tiny(SUBSCRIBED.format("two"))) == [("replace", "a"), ("replace", "s")]
    sns = boto3.client("sns")
    (topic,) = sns.list_topics()["Topics"]
    assert topic["TopicArn"].endswith(":two")
    assert [one["TopicArn"] for one in sns.list_subscriptions()["Subscriptions"]] == [topic["TopicArn"]]
    assert json.loads(state_file.read_text())["replaced"] == []


def test_what_asks_to_be_deleted_first_never_has_two_of_its_name(tiny: Apply) -> None:
    program = """
        group = aws.rds.ParameterGroup("g", name="fixed", family="{0}", description="d", parameters=[],
                                       opts=ResourceOptions(delete_before_replace=True))
        aws.ssm.Parameter("p", name="/p", type="String", tier="Standard", description="d", value=group.family)
        """
    tiny(program.format("postgres16"))
    assert operations(tiny(program.format("postgres17"))) == [("replace", "g"), ("update", "p")]
    (group,) = boto3.client("rds").describe_db_parameter_groups()["DBParameterGroups"]
    assert group["DBParameterGroupFamily"] == "postgres17"


def test_what_was_replaced_before_a_failure_goes_at_the_end_of_the_next_apply(tiny: Apply, state_file: Path) -> None:
    tiny(SUBSCRIBED.format("one"))
    with pytest.raises(SandboxBroken, match="Pulumi program failed"):
        tiny(SUBSCRIBED.format("two") + "\ntopic.arn.apply(lambda arn: 1 / 0)")
    assert len(boto3.client("sns").list_topics()["Topics"]) == 2
    assert [entry["inputs"]["name"] for entry in json.loads(state_file.read_text())["replaced"]][:1] == ["one"]
    tiny(SUBSCRIBED.format("two"))
    assert [topic["TopicArn"].rsplit(":", 1)[1] for topic in boto3.client("sns").list_topics()["Topics"]] == ["two"]


GROUPED = """
group = aws.rds.ParameterGroup("g", family="{0}", description="d", parameters=[])
pulumi.export("group", group.name)
aws.ssm.Parameter("p", name="/p", type="String", tier="Standard", description="d", value=group.name)
"""


def test_a_made_name_stays_until_its_resource_is_replaced_beside_itself(tiny: Apply) -> None:
    first = tiny(GROUPED.format("postgres16")).outputs["group"]
    assert tiny(GROUPED.format("postgres16")).counts == {"same": 2}
    replaced = tiny(GROUPED.format("postgres17"))
    assert operations(replaced) == [("replace", "g"), ("update", "p")]
    assert replaced.outputs["group"] != first
    assert tiny(GROUPED.format("postgres17")).counts == {"same": 2}
    groups = boto3.client("rds").describe_db_parameter_groups()["DBParameterGroups"]
    assert [group["DBParameterGroupFamily"] for group in groups] == ["postgres17"]


def test_a_parameter_is_overwritten_in_place(tiny: Apply) -> None:
    tiny(PARAMETER.format("String", "old", "d", ""))
    assert operations(tiny(PARAMETER.format("String", "new", "d", ""))) == [("update", "p")]
    assert boto3.client("ssm").get_parameter(Name="/p")["Parameter"]["Value"] == "new"


def test_a_secret_reaches_aws_and_never_the_state(tiny: Apply, state_file: Path) -> None:
    found = tiny(PARAMETER.format("SecureString", "hunter2", "d", ""))
    held = boto3.client("ssm").get_parameter(Name="/p", WithDecryption=True)["Parameter"]["Value"]
    assert held == "hunter2"
    assert "hunter2" not in state_file.read_text()
    assert "hunter2" not in repr(found)
    assert not found.differences
    assert state_file.stat().st_mode & 0o077 == 0


def test_a_changed_secret_is_seen_by_its_digest(tiny: Apply) -> None:
    tiny(PARAMETER.format("SecureString", "one", "d", ""))
    assert operations(tiny(PARAMETER.format("SecureString", "one", "d", ""))) == [("same", "p")]
    assert operations(tiny(PARAMETER.format("SecureString", "two", "d", ""))) == [("update", "p")]


def test_ignored_changes_of_a_secret_are_refused(tiny: Apply) -> None:
    tiny(PARAMETER.format("String", "one", "d", ""))
    ignoring = ', opts=ResourceOptions(ignore_changes=["value"])'
    with pytest.raises(SandboxBroken, match="cannot ignore changes of the secret value"):
        tiny(PARAMETER.format("String", "two", "d", ignoring))


def test_a_failed_apply_prints_nothing(tiny: Apply, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SandboxBroken):
        tiny('aws.sqs.Queue("q", name="q")')
    assert capfd.readouterr() == ("", "")


def test_an_input_that_nothing_takes_is_an_error(tiny: Apply) -> None:
    with pytest.raises(SandboxBroken, match="Topic could not be applied") as refused:
        tiny('aws.sns.Topic("a", name="a", display_name="x", tracing_config="Active")')
    assert "Unmapped" in refused.value.why and "displayName" in refused.value.why


def test_a_type_without_an_entry_is_an_error(tiny: Apply) -> None:
    with pytest.raises(SandboxBroken, match="cannot create aws:sqs/queue:Queue"):
        tiny('aws.sqs.Queue("q", name="q")')


def test_a_refusal_that_is_not_on_the_list_is_an_error(tiny: Apply) -> None:
    with pytest.raises(SandboxBroken, match="Subnet could not be applied") as refused:
        tiny('aws.ec2.Subnet("s", vpc_id="vpc-none", cidr_block="10.0.0.0/24")')
    assert "InvalidVpcID.NotFound" in refused.value.why


def test_a_listed_refusal_is_reported_with_every_setting_it_leaves_unproven(tiny: Apply) -> None:
    program = """
        aws.rds.InstanceAutomatedBackupsReplication(
            "g", source_db_instance_arn="arn:aws:rds:us-east-1:123456789012:db:d", retention_period=7
        )
        """
    found = tiny(program)
    assert operations(found) == [("refuse", "g")]
    ((type_, reason),) = found.refused
    assert type_.endswith("InstanceAutomatedBackupsReplication")
    assert reason.startswith("no automated backups of RDS in another Region")
    assert {setting.note for setting in found.settings} == {reason}
    assert not found.differences


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ('pulumi.StackReference("org/other/dev")', "stack references"),
        ('aws.s3.Bucket.get("b", "existing")', "existing resources"),
        ('aws.sns.Topic("a", name="a", opts=ResourceOptions(import_="arn:x"))', "does not imitate imports"),
        (
            'aws.sns.Topic("a", name="a", opts=ResourceOptions(provider=aws.Provider("w", region="us-west-2")))',
            "no explicit provider",
        ),
        ("aws.get_regions().names", "cannot answer aws:index/getRegions:getRegions"),
    ],
)
def test_what_needs_the_real_engine_is_refused_by_name(tiny: Apply, program: str, said: str) -> None:
    with pytest.raises(SandboxBroken) as refused:
        tiny(program)
    assert said in refused.value.what


def test_a_renamed_resource_is_refused_rather_than_made_twice(tiny: Apply) -> None:
    tiny(TOPIC)
    renamed = 'aws.sns.Topic("b", name="a", opts=ResourceOptions(aliases=[pulumi.Alias(name="a")]))'
    with pytest.raises(SandboxBroken, match="does not follow renames"):
        tiny(renamed)


def test_a_resource_with_a_region_lives_there(tiny: Apply) -> None:
    tiny('aws.sns.Topic("a", name="a", region="us-west-2")')
    assert boto3.client("sns", region_name="us-west-2").list_topics()["Topics"]
    assert not boto3.client("sns", region_name="us-east-1").list_topics()["Topics"]


def test_after_a_failure_the_next_apply_goes_on_from_there(tiny: Apply) -> None:
    with pytest.raises(SandboxBroken, match="Pulumi program failed") as refused:
        tiny('topic = aws.sns.Topic("a", name="a")\ntopic.arn.apply(lambda arn: 1 / 0)')
    assert "ZeroDivisionError" in refused.value.why
    assert operations(tiny('aws.sns.Topic("a", name="a")')) == [("same", "a")]


def test_a_refused_configuration_says_which_key(tiny: Apply) -> None:
    with pytest.raises(BadArgument, match="pitrDays: 99"):
        tiny('from infra.config import StackConfig\nStackConfig.from_values("p", "s", "us-east-1", {"pitrDays": "99"})')


def test_outputs_of_the_program_are_returned(tiny: Apply) -> None:
    assert tiny('pulumi.export("arn", aws.sns.Topic("a", name="a").arn)').outputs == {
        "arn": "arn:aws:sns:us-east-1:123456789012:a"
    }


@pytest.mark.parametrize("text", ['{"schema": "ops.sandbox.depl', "", "[]", '{"schema": "other/1"}', '{"schema": 1}'])
def test_a_half_written_state_is_named_and_left_alone(tiny: Apply, state_file: Path, text: str) -> None:
    state_file.parent.mkdir()
    state_file.write_text(text)
    with pytest.raises(SandboxBroken, match="damaged") as refused:
        tiny(TOPIC)
    assert str(state_file) in refused.value.what
    assert state_file.read_text() == text


def test_a_state_of_another_stack_is_refused(tiny: Apply, state_file: Path) -> None:
    tiny(TOPIC)
    data = json.loads(state_file.read_text())
    state_file.write_text(json.dumps({**data, "stack": "prod"}))
    with pytest.raises(SandboxBroken, match="another stack"):
        tiny(TOPIC)


def test_a_state_that_outlived_its_server_is_refused(tiny: Apply) -> None:
    tiny(TOPIC)
    sns = boto3.client("sns")
    sns.delete_topic(TopicArn=sns.list_topics()["Topics"][0]["TopicArn"])
    with pytest.raises(SandboxBroken, match="endpoint does not have"):
        tiny(TOPIC)


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    from ops.sandbox.deploy import apply

    with pytest.raises(BadArgument, match="does not exist"):
        apply(
            endpoint=None,
            state_file=tmp_path / "s",
            project="p",
            stack="s",
            config={},
            program=tmp_path / "none",
        )
