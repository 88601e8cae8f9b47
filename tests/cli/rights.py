"""What a recorded request needs in IAM, and whether a policy grants it."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.cli.gate import Request

Need = tuple[str, str]  # IAM action and resource
Policy = list[dict[str, Any]]

_SCOPE = re.compile(r"Credential=[^/]+/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
_OBJECTS = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject"}
_UNNAMED = ("ListBackups", "ListExports", "ListImports", "ListTables")
_MEMBERS = (
    "TableName", "SourceTableName", "TargetTableName", "TableArn", "SourceTableArn", "ResourceArn", "BackupArn",
    "ExportArn", "ImportArn",
)  # fmt: skip


def needs(request: Request, account: str) -> Iterator[Need]:
    """Every action and resource of one request; who am I needs nothing."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    found = _SCOPE.search(headers.get("authorization", ""))
    if found is None:
        return
    service, region = found["service"], found["region"]
    if service == "s3":
        yield from _s3(request)
    elif service == "dynamodb":
        yield from _dynamodb(request, headers, region, account)
    elif service != "sts":
        yield from _others(service, request, headers, region, account)


def granted(policy: Policy, need: Need) -> bool:
    """Allow and Deny of one request. Conditions are left aside: an Allow with one may hold, a Deny with one may not."""
    denied = any(_covers(one, *need) for one in policy if one["Effect"] == "Deny" and "Condition" not in one)
    return not denied and any(_covers(one, *need) for one in policy if one["Effect"] == "Allow")


def _covers(statement: dict[str, Any], action: str, resource: str) -> bool:
    if action not in statement["Action"]:
        return False
    if "NotResource" in statement:
        return not any(fnmatch.fnmatchcase(resource, pattern) for pattern in statement["NotResource"])
    listed = [statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"]
    return any(fnmatch.fnmatchcase(resource, pattern) for pattern in listed)


def _operation(request: Request, headers: dict[str, str]) -> str:
    """Of the JSON, CBOR and query protocols."""
    target = headers.get("x-amz-target", "")
    if target:
        return target.rsplit(".", 1)[1]
    if "/operation/" in request.path:
        return request.path.rsplit("/", 1)[1]
    return parse_qs(request.body.decode())["Action"][0]


def _dynamodb(request: Request, headers: dict[str, str], region: str, account: str) -> Iterator[Need]:
    operation, body = _operation(request, headers), json.loads(request.body or b"{}")
    named = [str(body[key]) for key in _MEMBERS if body.get(key)] + list(body.get("RequestItems") or {})
    if operation == "ImportTable":
        named = [str(body["TableCreationParameters"]["TableName"])]
    if operation in _UNNAMED:
        named = ["*"]
    suffix = f"/index/{body['IndexName']}" if operation in ("Query", "Scan") and body.get("IndexName") else ""
    for name in named:
        whole = name == "*" or name.startswith("arn:")
        arn = name if whole else f"arn:aws:dynamodb:{region}:{account}:table/{name}"
        yield f"dynamodb:{operation}", f"{arn}{suffix}"


def _s3(request: Request) -> Iterator[Need]:
    path = unquote(urlsplit(request.path).path).strip("/")
    bucket, _, key = path.partition("/")
    if key:
        yield _OBJECTS[request.method], f"arn:aws:s3:::{bucket}/{key}"
    else:
        yield "s3:ListBucket", f"arn:aws:s3:::{bucket}"


def _others(service: str, request: Request, headers: dict[str, str], region: str, account: str) -> Iterator[Need]:
    operation = _operation(request, headers)
    body = json.loads(request.body) if service in ("ssm", "secretsmanager") else {}
    if service == "ssm":
        for name in body.get("Names") or [body.get("Name") or body["Path"]]:
            yield f"ssm:{operation}", f"arn:aws:ssm:{region}:{account}:parameter{name.rstrip('/')}"
    elif service == "secretsmanager":
        yield f"secretsmanager:{operation}", str(body["SecretId"])
    elif service == "monitoring":
        # A metric has no resource; what a request names of alarms is not looked at.
        arn = "*" if operation == "PutMetricData" else f"arn:aws:cloudwatch:{region}:{account}:alarm:*"
        yield f"cloudwatch:{operation}", arn
    elif service == "application-autoscaling" and not operation.startswith("Describe"):
        yield f"{service}:{operation}", f"arn:aws:application-autoscaling:{region}:{account}:scalable-target/*"
    else:
        yield f"{service}:{operation}", "*"
