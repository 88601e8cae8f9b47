"""Clients, tables and time of a sandbox, or of what stands in its place: see tests/aws_live/live_lab.py."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from ops.sandbox.control import SandboxClock, SandboxControl


class Lab:
    """Clients, tables and time of the running sandbox."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.control = SandboxControl(endpoint)
        self.clock = SandboxClock(self.control)
        self._clients: dict[tuple[str, str], Any] = {}
        self._numbers = itertools.count(1)

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """A client without retries and without parameter checks: the server's own answer is what counts."""
        if (service, region) not in self._clients:
            self._clients[service, region] = boto3.client(
                service,
                region_name=region,
                endpoint_url=self.endpoint,
                aws_access_key_id="sandbox",
                aws_secret_access_key="sandbox",
                config=Config(retries={"max_attempts": 0}, parameter_validation=False, s3={"addressing_style": "path"}),
            )
        return self._clients[service, region]

    @property
    def dynamodb(self) -> Any:
        return self.client("dynamodb")

    def name(self, stem: str = "table") -> str:
        """A name no other test uses."""
        return f"{stem}-{next(self._numbers)}"

    def table(
        self, *, sort: str | None = None, indexes: tuple[tuple[str, str], ...] = (), pitr: bool = True, **more: Any
    ) -> str:
        """A new table with partition key `pk`; each index is (attribute, type), named `<attribute>_index`."""
        name = self.name()
        attributes = [("pk", "S"), *([("sk", sort)] if sort else []), *indexes]
        keys = [("pk", "HASH"), *([("sk", "RANGE")] if sort else [])]
        wanted: dict[str, Any] = {
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": one, "KeyType": kind} for one, kind in keys],
            "AttributeDefinitions": [{"AttributeName": one, "AttributeType": kind} for one, kind in attributes],
        }
        if indexes:
            wanted["GlobalSecondaryIndexes"] = [
                {
                    "IndexName": f"{one}_index",
                    "KeySchema": [{"AttributeName": one, "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
                for one, _ in indexes
            ]
        self.dynamodb.create_table(**(wanted | more))
        if pitr:
            self.pitr(name)
        return name

    def pitr(self, table: str, *, enabled: bool = True, **more: Any) -> Any:
        """UpdateContinuousBackups."""
        return self.dynamodb.update_continuous_backups(
            TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled, **more}
        )

    def put(self, table: str, key: str, **attributes: Any) -> Any:
        return self.dynamodb.put_item(TableName=table, Item={"pk": {"S": key}, **attributes})

    def fill(self, table: str, count: int, **attributes: Any) -> None:
        """`count` items k0, k1, … in batches of 25."""
        items = [{"pk": {"S": f"k{number}"}, "n": {"N": str(number)}, **attributes} for number in range(count)]
        for start in range(0, count, 25):
            batch = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
            self.dynamodb.batch_write_item(RequestItems={table: batch})

    def scan(self, table: str, region: str = "us-east-1", **more: Any) -> dict[str, Any]:
        """All items as {key text: item}."""
        pages = self.client("dynamodb", region).get_paginator("scan").paginate(TableName=table, **more)
        items = [item for page in pages for item in page["Items"]]
        found = {json.dumps([item["pk"], item.get("sk")]): item for item in items}
        assert len(found) == len(items), "the scan returned an item twice"
        return found

    def second(self) -> datetime:
        """A whole second that all changes so far precede and all later ones follow."""
        self.control.advance(2)
        moment = self.clock.now().replace(microsecond=0)
        self.control.advance(2)
        return moment

    def restore(self, table: str, when: datetime | None, **more: Any) -> str:
        """Restore to a new table and wait until it is ACTIVE."""
        target = self.name("restored")
        at: dict[str, Any] = {"UseLatestRestorableTime": True} if when is None else {"RestoreDateTime": when}
        self.dynamodb.restore_table_to_point_in_time(SourceTableName=table, TargetTableName=target, **at, **more)
        self.control.advance(21)
        return target

    def refusal(self, call: Callable[..., Any], **arguments: Any) -> str:
        """The error code of a call that must be refused."""
        with pytest.raises(ClientError) as caught:
            call(**arguments)
        return str(caught.value.response["Error"]["Code"])

    def message(self, call: Callable[..., Any], **arguments: Any) -> str:
        """The error text of a call that must be refused."""
        with pytest.raises(ClientError) as caught:
            call(**arguments)
        return str(caught.value.response["Error"]["Message"])
