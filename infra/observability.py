"""What wakes somebody up: alarms on throttles, refused requests and replica lag, their topic, a dashboard."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.options import child, component_type

_PERIOD_S = 60
_PERIODS = 5
_FREE_STORAGE_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class WatchedTable:
    logical: str
    physical: pulumi.Input[str]
    indexes: Sequence[str]


@dataclass(frozen=True, slots=True)
class ObservabilityArgs:
    prefix: str
    account: str
    region: str
    tables: Sequence[WatchedTable]
    replica_regions: Sequence[str]
    replica_lag_ms: int
    database_identifier: str | None
    email: str | None
    tags: dict[str, str]


class Observability(pulumi.ComponentResource):
    """Topic, one alarm per promise that can break, and a dashboard of the same metrics."""

    topic: aws.sns.Topic

    def __init__(self, name: str, args: ObservabilityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(component_type("Observability"), name, None, opts)
        self._args = args
        self.topic = aws.sns.Topic(name, name=f"{args.prefix}-alarms", tags=args.tags, opts=child(self))
        aws.sns.TopicPolicy(
            name,
            arn=self.topic.arn,
            policy=self.topic.arn.apply(lambda arn: json.dumps(topic_policy(arn, args.account))),
            opts=child(self),
        )
        if args.email:
            aws.sns.TopicSubscription(
                name, topic=self.topic.arn, protocol="email", endpoint=args.email, opts=child(self)
            )
        self._account_alarms()
        for table in args.tables:
            self._table_alarms(table)
        if args.database_identifier:
            self._database_alarm(args.database_identifier)
        names = pulumi.Output.all(*(table.physical for table in args.tables))
        aws.cloudwatch.Dashboard(
            name,
            dashboard_name=args.prefix,
            dashboard_body=names.apply(lambda found: json.dumps(dashboard(args.region, found))),
            opts=child(self),
        )
        self.register_outputs({"topicArn": self.topic.arn})

    def _account_alarms(self) -> None:
        # UserErrors has no table dimension: DynamoDB counts HTTP 400 answers per account and Region.
        self._alarm(
            "user-errors",
            "UserErrors",
            {},
            statistic="Sum",
            threshold=10,
            description="DynamoDB refuses requests as invalid",
        )

    def _table_alarms(self, table: WatchedTable) -> None:
        for scope, extra in [
            ("table", {}),
            *((index, {"GlobalSecondaryIndexName": index}) for index in table.indexes),
        ]:
            for dimension in ("Read", "Write"):
                self._alarm(
                    f"{table.logical}-{scope}-{dimension.lower()}-throttles",
                    f"{dimension}ThrottleEvents",
                    {"TableName": table.physical, **extra},
                    statistic="Sum",
                    threshold=0,
                    description=f"{dimension}s of {table.logical} ({scope}) are throttled",
                )
        for region in self._args.replica_regions:
            self._alarm(
                f"{table.logical}-{region}-lag",
                "ReplicationLatency",
                {"TableName": table.physical, "ReceivingRegion": region},
                statistic="Average",
                threshold=self._args.replica_lag_ms,
                description=f"The replica of {table.logical} in {region} falls behind",
            )

    def _database_alarm(self, identifier: str) -> None:
        self._alarm(
            "database-storage",
            "FreeStorageSpace",
            {"DBInstanceIdentifier": identifier},
            namespace="AWS/RDS",
            statistic="Minimum",
            threshold=_FREE_STORAGE_BYTES,
            comparison="LessThanThreshold",
            description="The artists database runs out of storage",
        )

    def _alarm(
        self,
        name: str,
        metric: str,
        dimensions: dict[str, pulumi.Input[str]],
        *,
        statistic: str,
        threshold: float,
        description: str,
        namespace: str = "AWS/DynamoDB",
        comparison: str = "GreaterThanThreshold",
    ) -> None:
        aws.cloudwatch.MetricAlarm(
            name,
            name=f"{self._args.prefix}-{name}",
            alarm_description=description,
            namespace=namespace,
            metric_name=metric,
            dimensions=dimensions or None,
            statistic=statistic,
            comparison_operator=comparison,
            threshold=float(threshold),
            period=_PERIOD_S,
            evaluation_periods=_PERIODS,
            datapoints_to_alarm=_PERIODS,
            treat_missing_data="notBreaching",
            alarm_actions=[self.topic.arn],
            ok_actions=[self.topic.arn],
            tags=self._args.tags,
            opts=child(self),
        )


def topic_policy(arn: str, account: str) -> dict[str, Any]:
    """CloudWatch alarms and AWS Backup of this account may publish, nobody else."""
    statement = {
        "Sid": "Alarms",
        "Effect": "Allow",
        "Principal": {"Service": ["cloudwatch.amazonaws.com", "backup.amazonaws.com"]},
        "Action": "sns:Publish",
        "Resource": arn,
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def dashboard(region: str, tables: Sequence[str]) -> dict[str, Any]:
    """One row per table: consumed capacity, throttles, latency."""
    widgets = []
    for row, table in enumerate(tables):
        groups = (
            ("capacity", ("ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits")),
            ("throttles", ("ReadThrottleEvents", "WriteThrottleEvents")),
            ("time to live", ("TimeToLiveDeletedItemCount",)),
        )
        for column, (title, metrics) in enumerate(groups):
            lines = [["AWS/DynamoDB", metric, "TableName", table] for metric in metrics]
            properties = {
                "title": f"{table}: {title}",
                "region": region,
                "stat": "Sum",
                "period": _PERIOD_S,
                "metrics": lines,
            }
            place = {"type": "metric", "x": 8 * column, "y": 6 * row, "width": 8, "height": 6}
            widgets.append({**place, "properties": properties})
    return {"widgets": widgets}
