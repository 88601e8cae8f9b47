"""What hangs on a table and is no part of it: Contributor Insights and the Kinesis destination.

docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateContributorInsights.html and
API_EnableKinesisStreamingDestination.html. The settings are kept and a restore does not carry them; no rule is
evaluated and no record is sent.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.dynamodb.exceptions import ResourceInUseException
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from ops.sandbox.aws.clock import moment
from ops.sandbox.aws.errors import service_error, validation
from ops.sandbox.aws.lifecycle import answering_table
from ops.sandbox.aws.tables import Insight, KinesisDestination, state_of
from ops.sandbox.aws.world import World

MODES = ("ACCESSED_AND_THROTTLED_KEYS", "THROTTLED_KEYS")
PRECISIONS = ("MILLISECOND", "MICROSECOND")

Document = dict[str, Any]


def update_insights(world: World, table: Table, body: Document) -> Document:
    """UpdateContributorInsights, of the table or one index."""
    action, mode = body["ContributorInsightsAction"], body.get("ContributorInsightsMode", MODES[0])
    if action not in ("ENABLE", "DISABLE") or mode not in MODES:
        raise validation("ContributorInsightsAction is ENABLE or DISABLE, ContributorInsightsMode one of "
                         f"{', '.join(MODES)}")  # fmt: skip
    index = _index(table, body)
    state_of(table).insights[index] = Insight(action == "ENABLE", mode, world.now())
    answer = describe_insights(table, body)
    answer["ContributorInsightsStatus"] = "ENABLING" if action == "ENABLE" else "DISABLING"
    return {name: value for name, value in answer.items() if name in _SUMMARY}


_SUMMARY = ("TableName", "IndexName", "ContributorInsightsStatus", "ContributorInsightsMode")


def describe_insights(table: Table, body: Document) -> Document:
    """DescribeContributorInsights; what was never enabled is DISABLED."""
    index = _index(table, body)
    insight = state_of(table).insights.get(index)
    answer: Document = {"TableName": table.name, "ContributorInsightsStatus": "DISABLED"}
    if index is not None:
        answer["IndexName"] = index
    if insight is None:
        return answer
    answer["LastUpdateDateTime"] = moment(insight.changed_s)
    if insight.enabled:
        rules = (f"DynamoDBContributorInsights-{kind}-{table.name}" for kind in ("PKC", "PKT"))
        answer |= {
            "ContributorInsightsStatus": "ENABLED", "ContributorInsightsMode": insight.mode,
            "ContributorInsightsRuleList": list(rules),
        }  # fmt: skip
    return answer


def _index(table: Table, body: Document) -> str | None:
    name: str | None = body.get("IndexName")
    if name is not None and name not in {one.name for one in table.all_indexes()}:
        raise service_error("ResourceNotFoundException", f"Requested resource not found: Index: {name} not found")
    return name


def list_insights(tables: list[Table]) -> Document:
    """ListContributorInsights: what has been enabled or disabled at some time."""
    found = [
        {name: value for name, value in describe_insights(table, {"IndexName": index}).items() if name in _SUMMARY}
        for table in tables
        for index in state_of(table).insights
    ]
    return {"ContributorInsightsSummaries": found}


def enable_kinesis(table: Table, body: Document) -> Document:
    """EnableKinesisStreamingDestination: one live destination per table; the stream is not looked at."""
    held, arn = state_of(table).kinesis, body["StreamArn"]
    if any(one.active for one in held.values()):
        raise ResourceInUseException(f"Table is already streaming to a Kinesis data stream: {table.name}")
    given = body.get("EnableKinesisStreamingConfiguration") or {}
    precision = given.get("ApproximateCreationDateTimePrecision", PRECISIONS[0])
    if precision not in PRECISIONS:
        raise validation(f"ApproximateCreationDateTimePrecision is one of {', '.join(PRECISIONS)}")
    held[arn] = KinesisDestination(active=True, precision=precision)
    return _destination(table, arn, "ENABLING") | {
        "EnableKinesisStreamingConfiguration": {"ApproximateCreationDateTimePrecision": precision}
    }


def disable_kinesis(table: Table, body: Document) -> Document:
    """DisableKinesisStreamingDestination leaves an entry that is DISABLED."""
    held = _live(table, body["StreamArn"])
    held.active = False
    return _destination(table, body["StreamArn"], "DISABLING")


def update_kinesis(table: Table, body: Document) -> Document:
    """UpdateKinesisStreamingDestination changes the precision."""
    held, given = _live(table, body["StreamArn"]), body.get("UpdateKinesisStreamingConfiguration") or {}
    precision = given.get("ApproximateCreationDateTimePrecision", held.precision)
    if precision not in PRECISIONS or precision == held.precision:
        raise validation("ApproximateCreationDateTimePrecision must be another than the present one")
    held.precision = precision
    return _destination(table, body["StreamArn"], "UPDATING") | {"UpdateKinesisStreamingConfiguration": given}


def _live(table: Table, arn: str) -> KinesisDestination:
    held = state_of(table).kinesis.get(arn)
    if held is None or not held.active:
        raise service_error("ResourceNotFoundException", f"No active Kinesis destination of {table.name}: {arn}")
    return held


def _destination(table: Table, arn: str, status: str) -> Document:
    return {"TableName": table.name, "StreamArn": arn, "DestinationStatus": status}


def describe_kinesis(table: Table) -> Document:
    """DescribeKinesisStreamingDestination."""
    return {
        "TableName": table.name,
        "KinesisDataStreamDestinations": [
            {
                "StreamArn": arn, "DestinationStatus": "ACTIVE" if held.active else "DISABLED",
                "ApproximateCreationDateTimePrecision": held.precision,
            }
            for arn, held in state_of(table).kinesis.items()
        ],
    }  # fmt: skip


def install(world: World) -> None:
    """Actions that moto has not."""

    def table_of(handler: DynamoHandler) -> Table:
        return answering_table(world, handler.dynamodb_backend, handler.body["TableName"])

    def list_all(self: DynamoHandler) -> ActionResult:
        named = self.body.get("TableName") is not None
        tables = [table_of(self)] if named else list(self.dynamodb_backend.tables.values())
        return ActionResult(list_insights(tables))

    handler: Any = DynamoHandler
    handler.update_contributor_insights = lambda self: ActionResult(update_insights(world, table_of(self), self.body))
    handler.describe_contributor_insights = lambda self: ActionResult(describe_insights(table_of(self), self.body))
    handler.list_contributor_insights = list_all
    handler.enable_kinesis_streaming_destination = lambda self: ActionResult(enable_kinesis(table_of(self), self.body))
    handler.disable_kinesis_streaming_destination = lambda self: ActionResult(
        disable_kinesis(table_of(self), self.body)
    )
    handler.update_kinesis_streaming_destination = lambda self: ActionResult(update_kinesis(table_of(self), self.body))
    handler.describe_kinesis_streaming_destination = lambda self: ActionResult(describe_kinesis(table_of(self)))
