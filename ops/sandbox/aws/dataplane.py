"""The hot data calls without moto's request machinery; None hands a call to moto."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any

import orjson
from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models.table import Table

from ops.sandbox.aws import reads, requests, writes
from ops.sandbox.aws.errors import validation
from ops.sandbox.aws.history import History
from ops.sandbox.aws.lifecycle import data_table
from ops.sandbox.aws.tables import backend_of, state_of
from ops.sandbox.aws.throughput import Meter
from ops.sandbox.aws.world import World

LOG = logging.getLogger("ops.sandbox")

# parameters of the API before expressions: moto answers those calls
LEGACY = frozenset({"ConditionalOperator", "Expected", "KeyConditions", "QueryFilter", "ScanFilter"})
Document = dict[str, Any]


class DataPlane:
    """Answers GetItem, BatchGetItem, Query, Scan, PutItem, DeleteItem and BatchWriteItem; checks other data calls."""

    def __init__(self, world: World, history: History, meter: Meter) -> None:
        self._world = world
        self._meter = meter
        self._history = history
        self._single: dict[str, Callable[[Table, Document], bytes]] = {
            "GetItem": lambda table, body: reads.get_item(meter, table, body),
            "Query": lambda table, body: reads.query(meter, table, body),
            "Scan": lambda table, body: reads.scan(meter, table, body),
            "PutItem": lambda table, body: writes.put_item(history, meter, table, body),
            "DeleteItem": lambda table, body: writes.delete_item(history, meter, table, body),
        }

    def answer(self, operation: str, region: str, body: bytes) -> tuple[int, bytes] | None:
        """Status and JSON body; the caller holds the lock."""
        own = operation in self._single or operation in ("BatchWriteItem", "BatchGetItem")
        if not own and operation not in requests.CHECKED:
            return None
        try:
            document = orjson.loads(body)
            if operation in requests.CHECKED:
                requests.check(operation, document)
            if not own:
                return None
            if LEGACY & document.keys() or (operation == "Query" and "KeyConditionExpression" not in document):
                return None
            return 200, self._answer(operation, region, document, len(body))
        except JsonRESTError as error:
            return error.code, str(error.description).encode()
        except orjson.JSONDecodeError as error:
            return 400, _problem("SerializationException", f"the body is not JSON: {error}")
        except (KeyError, AttributeError, TypeError) as error:
            # a member is missing or of another shape than the service model says
            LOG.warning("malformed %s: %s", operation, traceback.format_exc())
            return 400, _problem("SerializationException", f"malformed {operation} request: {error!r}")

    def _answer(self, operation: str, region: str, document: Document, size_bytes: int) -> bytes:
        backend = backend_of(region)
        if operation in self._single:
            table = data_table(self._world, backend, document["TableName"])
            self._check_index(table, document)
            return self._single[operation](table, document)
        wanted = document["RequestItems"]
        tables = {name: data_table(self._world, backend, name) for name in wanted}
        count = sum(len(one["Keys"] if operation == "BatchGetItem" else one) for one in wanted.values())
        left_out = self._world.faults.leave_out(operation, count)
        if operation == "BatchGetItem":
            return reads.batch_get_item(self._meter, tables, document, left_out)
        return writes.batch_write_item(self._history, self._meter, tables, document, size_bytes, left_out)

    def _check_index(self, table: Table, document: Document) -> None:
        """An index that is being built answers nothing."""
        name = document.get("IndexName")
        if name is not None and state_of(table).index_ready_s.get(name, 0.0) > self._world.now():
            raise validation(f"Cannot read from backfilling global secondary index: {name}")


def _problem(code: str, message: str) -> bytes:
    return orjson.dumps({"__type": f"com.amazon.coral.service#{code}", "message": message})
