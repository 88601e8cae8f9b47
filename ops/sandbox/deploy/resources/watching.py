"""Topic, subscription, alarms, dashboard."""

from ops.sandbox.deploy.model import Inputs, Record
from ops.sandbox.deploy.spec import Client, Document, Spec, fields, plain, tag_map


def _topic_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    tags = [{"Key": key, "Value": value} for key, value in new["tags"].items()]
    client("sns").tag_resource(ResourceArn=record.id, Tags=tags)


def _topic_read(client: Client, record: Record) -> Document:
    sns = client("sns")
    attributes = sns.get_topic_attributes(TopicArn=record.id)["Attributes"]
    tags = sns.list_tags_for_resource(ResourceArn=record.id)["Tags"]
    return {"name": attributes["TopicArn"].rsplit(":", 1)[1], "tags": tag_map(tags)}


def _topic_policy_shape(inputs: Inputs) -> Inputs:
    return {"topicArn": inputs["arn"], "attributeName": "Policy", "attributeValue": inputs["policy"]}


def _topic_policy_read(client: Client, record: Record) -> Document:
    attributes = client("sns").get_topic_attributes(TopicArn=record.inputs["arn"])["Attributes"]
    return {"arn": attributes["TopicArn"], "policy": attributes["Policy"]}


def _subscription_read(client: Client, record: Record) -> Document:
    listed = plain(client("sns").list_subscriptions_by_topic(TopicArn=record.inputs["topic"]))
    mine = [entry for entry in listed["Subscriptions"] if entry["Endpoint"] == record.inputs["endpoint"]]
    return fields(mine[0] if mine else {}, topic="TopicArn", protocol="Protocol", endpoint="Endpoint")


def _alarm_shape(inputs: Inputs) -> Inputs:
    dimensions = [{"name": key, "value": value} for key, value in (inputs.get("dimensions") or {}).items()]
    return {**inputs, "dimensions": dimensions}


def _alarm_read(client: Client, record: Record) -> Document:
    cloudwatch = client("cloudwatch")
    alarm = plain(cloudwatch.describe_alarms(AlarmNames=[record.inputs["name"]]))["MetricAlarms"][0]
    found = fields(
        alarm,
        name="AlarmName",
        alarmDescription="AlarmDescription",
        namespace="Namespace",
        metricName="MetricName",
        statistic="Statistic",
        comparisonOperator="ComparisonOperator",
        threshold="Threshold",
        period="Period",
        evaluationPeriods="EvaluationPeriods",
        datapointsToAlarm="DatapointsToAlarm",
        treatMissingData="TreatMissingData",
        alarmActions="AlarmActions",
        okActions="OKActions",
    )
    found["dimensions"] = tag_map(alarm.get("Dimensions"), "Name")
    tags = cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
    return {**found, "tags": tag_map(tags)}


def _dashboard_read(client: Client, record: Record) -> Document:
    answer = client("cloudwatch").get_dashboard(DashboardName=record.inputs["dashboardName"])
    return fields(plain(answer), dashboardName="DashboardName", dashboardBody="DashboardBody")


def _log_group_after(client: Client, inputs: Inputs, _: Document) -> None:
    client("logs").put_retention_policy(logGroupName=inputs["name"], retentionInDays=int(inputs["retentionInDays"]))


def _log_group_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    _log_group_after(client, new, {})
    client("logs").tag_log_group(logGroupName=new["name"], tags=new["tags"])


def _log_group_read(client: Client, record: Record) -> Document:
    logs, name = client("logs"), record.inputs["name"]
    groups = plain(logs.describe_log_groups(logGroupNamePrefix=name))["logGroups"]
    mine: Document = next((group for group in groups if group["logGroupName"] == name), {})
    tags = logs.list_tags_log_group(logGroupName=name)["tags"]
    return {**fields(mine, name="logGroupName", retentionInDays="retentionInDays"), "tags": tags}


def _filter_shape(inputs: Inputs) -> Inputs:
    transformation = inputs["metricTransformation"]
    renamed = {
        "metricName": transformation["name"],
        "metricNamespace": transformation["namespace"],
        "metricValue": transformation["value"],
    }
    return {
        "filterName": inputs["name"],
        "filterPattern": inputs["pattern"],
        "logGroupName": inputs["logGroupName"],
        "metricTransformations": [renamed],
    }


def _filter_read(client: Client, record: Record) -> Document:
    inputs = record.inputs
    answer = plain(
        client("logs").describe_metric_filters(logGroupName=inputs["logGroupName"], filterNamePrefix=inputs["name"])
    )
    return fields(
        answer["metricFilters"][0],
        name="filterName",
        pattern="filterPattern",
        logGroupName="logGroupName",
        metricTransformation="metricTransformations[0].{name: metricName, namespace: metricNamespace,"
        " value: metricValue}",
    )


SPECS = {
    "aws:cloudwatch/logGroup:LogGroup": Spec(
        "logs",
        "create_log_group",
        rename={"name": "logGroupName"},
        skip=("retentionInDays", "skipDestroy"),
        after=_log_group_after,
        update=_log_group_update,
        delete=("delete_log_group", {"logGroupName": "i.name"}),
        read=_log_group_read,
        unread={"skipDestroy": "used when the group is deleted"},
    ),
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": Spec(
        "logs",
        "put_metric_filter",
        shape=_filter_shape,
        upsert=True,
        identity=("name", "logGroupName"),
        delete=("delete_metric_filter", {"logGroupName": "i.logGroupName", "filterName": "i.name"}),
        read=_filter_read,
    ),
    "aws:sns/topic:Topic": Spec(
        "sns",
        "create_topic",
        id="o.TopicArn",
        outputs={"arn": "o.TopicArn"},
        update=_topic_update,
        delete=("delete_topic", {"TopicArn": "id"}),
        read=_topic_read,
    ),
    "aws:sns/topicPolicy:TopicPolicy": Spec(
        "sns",
        "set_topic_attributes",
        id="i.arn",
        shape=_topic_policy_shape,
        upsert=True,
        identity=("arn",),
        read=_topic_policy_read,
    ),
    "aws:sns/topicSubscription:TopicSubscription": Spec(
        "sns",
        "subscribe",
        id="o.SubscriptionArn",
        rename={"topic": "TopicArn"},
        outputs={"arn": "o.SubscriptionArn"},
        delete=("unsubscribe", {"SubscriptionArn": "id"}),
        read=_subscription_read,
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Spec(
        "cloudwatch",
        "put_metric_alarm",
        rename={"name": "AlarmName", "okActions": "OKActions"},
        shape=_alarm_shape,
        upsert=True,
        delete=("delete_alarms", {"AlarmNames": "[i.name]"}),
        read=_alarm_read,
    ),
    "aws:cloudwatch/dashboard:Dashboard": Spec(
        "cloudwatch",
        "put_dashboard",
        id="i.dashboardName",
        upsert=True,
        identity=("dashboardName",),
        delete=("delete_dashboards", {"DashboardNames": "[i.dashboardName]"}),
        read=_dashboard_read,
    ),
}
