"""Tables and items of the data plane's sandbox tests."""

from __future__ import annotations

from ops.aws import Aws
from ops.clock import SystemClock
from ops.dynamodb.client import DataPlane
from ops.dynamodb.table import Table, describe_table
from ops.dynamodb.write import BulkWriter, WriteTarget
from ops.model.items import Item


class Brisk(SystemClock):
    """Waits a thousandth of what it is asked to: the order of things stays, the test is short."""

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds / 1000)


def make_table(aws: Aws, name: str) -> Table:
    types = {"artist_id": "S", "id": "N", "genre": "S"}
    aws.call(
        "dynamodb",
        "create_table",
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": one, "AttributeType": kind} for one, kind in types.items()],
        KeySchema=[{"AttributeName": "artist_id", "KeyType": "HASH"}, {"AttributeName": "id", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "genre_index",
                "KeySchema": [{"AttributeName": "genre", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["popularity"]},
            }
        ],
    )
    return describe_table(aws, name)


def tracks(count: int) -> list[Item]:
    """Items of every type; two of three stand in the index; each about a kilobyte."""
    return [
        {
            "artist_id": {"S": f"a{number % 17}"},
            "id": {"N": str(number)},
            "popularity": {"N": str(number % 101)},
            "name": {"S": f"Café № {number} \u2028 \U0001f3b8" + "x" * 700},
            "raw": {"B": "AP8="},
            "markets": {"SS": ["DE", "SE"]},
            "charts": {"NS": ["1", "2.5"]},
            "chunks": {"BS": ["AA==", "AP8="]},
            "album": {"M": {"year": {"N": "2020"}, "deep": {"L": [{"BOOL": False}, {"NULL": True}, {"S": ""}]}}},
            **({"genre": {"S": f"g{number % 3}"}} if number % 3 else {}),
        }
        for number in range(count)
    ]


def fill(plane: DataPlane, table: Table, items: list[Item]) -> None:
    target = WriteTarget(table.name, table.keys, {one.name: one.keys for one in table.indexes.values()})
    assert BulkWriter(plane, target).put(items).written == len(items)
