"""Data functions of the program, answered by the endpoint."""

from collections.abc import Callable, Mapping
from typing import Any

from ops.sandbox.deploy.aws import Aws

Answer = dict[str, Any]


def _caller(aws: Aws, _: Answer) -> Answer:
    found = aws.client("sts").get_caller_identity()
    account = found["Account"]
    return {"id": account, "accountId": account, "arn": found["Arn"], "userId": found["UserId"]}


def _zones(aws: Aws, arguments: Answer) -> Answer:
    """Zones of the Region; the emulator has no Local Zones, so the filter on opt-in status holds for all."""
    filters = [
        {"Name": entry["name"], "Values": entry["values"]}
        for entry in arguments.get("filters") or []
        if entry["name"] != "opt-in-status"
    ]
    if arguments.get("state"):
        filters.append({"Name": "state", "Values": [arguments["state"]]})
    found = aws.client("ec2").describe_availability_zones(Filters=filters)["AvailabilityZones"]
    return {
        "id": aws.region,
        "names": [zone["ZoneName"] for zone in found],
        "zoneIds": [zone["ZoneId"] for zone in found],
        "groupNames": [],
    }


def _parameter(aws: Aws, arguments: Answer) -> Answer:
    found = aws.client("ssm").get_parameter(Name=arguments["name"])["Parameter"]
    return {
        "id": found["Name"],
        "name": found["Name"],
        "arn": found["ARN"],
        "value": found["Value"],
        "type": found["Type"],
        "version": found["Version"],
    }


def _parameters_by_path(aws: Aws, arguments: Answer) -> Answer:
    path = arguments["path"]
    pages = aws.client("ssm").get_paginator("get_parameters_by_path").paginate(Path=path)
    found = [parameter for page in pages for parameter in page["Parameters"]]
    return {
        "id": path,
        "path": path,
        "arns": [parameter["ARN"] for parameter in found],
        "names": [parameter["Name"] for parameter in found],
        "types": [parameter["Type"] for parameter in found],
        "values": [parameter["Value"] for parameter in found],
    }


INVOKES: Mapping[str, Callable[[Aws, Answer], Answer]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": _caller,
    "aws:index/getAvailabilityZones:getAvailabilityZones": _zones,
    "aws:ssm/getParameter:getParameter": _parameter,
    "aws:ssm/getParametersByPath:getParametersByPath": _parameters_by_path,
}
