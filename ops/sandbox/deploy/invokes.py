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


INVOKES: Mapping[str, Callable[[Aws, Answer], Answer]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": _caller,
    "aws:index/getAvailabilityZones:getAvailabilityZones": _zones,
}
