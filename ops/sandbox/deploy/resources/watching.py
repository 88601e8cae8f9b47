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


SPECS = {
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
