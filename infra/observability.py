"""What wakes somebody up: alarms on throttles, refused requests and replica lag, their topic, a dashboard."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.options import child, component_type
from infra.schema import PROOF_METRIC, PROOF_NAMESPACE
from infra.settings import AlarmSettings

_PERIOD_S = 60
_PERIODS = 5
_DAY_S = 86_400
_LOG_DAYS = 90
_IMPORT_LOGS = "/aws-dynamodb/imports"
# Counted by `ops` when a restore was proven, dimensions Stack and Table (its logical name).
_FREE_STORAGE_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class WatchedTable:
    logical: str
    physical: pulumi.Input[str]
    indexes: Sequence[str]
    replica_regions: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ObservabilityArgs:
    prefix: str
    account: str
    region: str
    tables: Sequence[WatchedTable]
    settings: AlarmSettings
    stack: str
    vault_name: pulumi.Input[str]
    database_identifier: str | None
    database_cluster: bool
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
        if args.settings.email:
            aws.sns.TopicSubscription(
                name, topic=self.topic.arn, protocol="email", endpoint=args.settings.email, opts=child(self)
            )
        self._account_alarms()
        for table in args.tables:
            self._table_alarms(table)
        if args.database_identifier:
            self._database_alarm(args.database_identifier)
        self._recovery_alarms()
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
        for region in table.replica_regions:
            self._alarm(
                f"{table.logical}-{region}-lag",
                "ReplicationLatency",
                {"TableName": table.physical, "ReceivingRegion": region},
                statistic="Average",
                threshold=self._args.settings.replica_lag_ms,
                description=f"The replica of {table.logical} in {region} falls behind",
            )

    def _recovery_alarms(self) -> None:
        """What a recovery stands on grows old in silence: here a missing figure is the alarm."""
        settings, vault = self._args.settings, {"BackupVaultName": self._args.vault_name}
        self._overdue("backup-age", "AWS/Backup", "NumberOfBackupJobsCompleted", vault, settings.backup_age_days)
        self._alarm(
            "backup-failures",
            "NumberOfBackupJobsFailed",
            vault,
            namespace="AWS/Backup",
            statistic="Sum",
            threshold=0,
            periods=1,
            description="A backup job failed",
        )
        if settings.restore_proof_days:
            for table in self._args.tables:
                proof: dict[str, pulumi.Input[str]] = {"Stack": self._args.stack, "Table": table.logical}
                name = f"{table.logical}-restore-proof-age"
                self._overdue(name, PROOF_NAMESPACE, PROOF_METRIC, proof, settings.restore_proof_days)
        if settings.import_errors:
            self._import_errors()

    def _import_errors(self) -> None:
        """DynamoDB writes one event per rejected row to a log group of this name, and to no metric."""
        group = aws.cloudwatch.LogGroup(
            "import-errors", name=_IMPORT_LOGS, retention_in_days=_LOG_DAYS, tags=self._args.tags, opts=child(self)
        )
        aws.cloudwatch.LogMetricFilter(
            "import-errors",
            name=f"{self._args.prefix}-import-errors",
            log_group_name=group.name,
            pattern="{ $.errorMessages[0] = * }",
            metric_transformation={"name": "ImportErrors", "namespace": PROOF_NAMESPACE, "value": "1"},
            opts=child(self),
        )
        self._alarm(
            "import-errors",
            "ImportErrors",
            {},
            namespace=PROOF_NAMESPACE,
            statistic="Sum",
            threshold=0,
            periods=1,
            description="An import rejected rows",
        )

    def _overdue(
        self, name: str, namespace: str, metric: str, dimensions: dict[str, pulumi.Input[str]], days: int
    ) -> None:
        """An alarm after `days` whole days in which nothing was counted."""
        self._alarm(
            name,
            metric,
            dimensions,
            namespace=namespace,
            statistic="Sum",
            threshold=1,
            comparison="LessThanThreshold",
            period=_DAY_S,
            periods=days,
            missing="breaching",
            description=f"{metric} was not counted for {days} days",
        )

    def _database_alarm(self, identifier: str) -> None:
        if self._args.database_cluster:
            self._alarm(
                "database-storage",
                "FreeLocalStorage",
                {"DBClusterIdentifier": identifier},
                namespace="AWS/RDS",
                statistic="Minimum",
                threshold=_FREE_STORAGE_BYTES,
                comparison="LessThanThreshold",
                description="The artists database runs out of local storage",
            )
            return
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
        period: int = _PERIOD_S,
        periods: int = _PERIODS,
        missing: str = "notBreaching",
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
            period=period,
            evaluation_periods=periods,
            datapoints_to_alarm=periods,
            treat_missing_data=missing,
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
