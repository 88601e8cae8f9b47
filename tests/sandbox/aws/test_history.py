"""Random work, restored at random seconds, equal item by item."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

Checkpoint = tuple[datetime, dict[str, Any]]


class Writer:
    """Seeded operations of every kind on its own keys and on shared ones."""

    def __init__(self, lab: Any, table: str, seed: int) -> None:
        self.client, self.table, self.random, self.seed = lab.dynamodb, table, random.Random(seed), seed

    def key(self) -> dict[str, Any]:
        owner = self.random.choice(["shared", f"own{self.seed}"])
        return {"pk": {"S": f"{owner}-{self.random.randrange(12)}"}, "sk": {"S": str(self.random.randrange(3))}}

    def step(self) -> None:
        """One operation; those that fail by design must leave no trace in the history."""
        actions: list[Callable[[], Any]] = [
            self.put, self.update, self.delete, self.batch, self.transaction, self.failing_transaction,
            self.failing_condition, self.oversized_update, self.partiql_delete,
        ]  # fmt: skip
        try:
            self.random.choice(actions)()
        except ClientError as error:
            code = error.response["Error"]["Code"]
            assert code in (
                "ConditionalCheckFailedException", "TransactionCanceledException", "ValidationException"
            ), error  # fmt: skip

    def put(self) -> None:
        self.client.put_item(TableName=self.table, Item={**self.key(), "v": {"N": str(self.random.random())}})

    def update(self) -> None:
        self.client.update_item(
            TableName=self.table, Key=self.key(), UpdateExpression="ADD hits :one SET who = :who",
            ExpressionAttributeValues={":one": {"N": "1"}, ":who": {"S": str(self.seed)}},
        )  # fmt: skip

    def delete(self) -> None:
        self.client.delete_item(TableName=self.table, Key=self.key())

    def batch(self) -> None:
        keys = {str(key): key for key in (self.key() for _ in range(8))}
        requests = [
            {"DeleteRequest": {"Key": key}} if self.random.random() < 0.3 else {"PutRequest": {"Item": key}}
            for key in keys.values()
        ]
        self.client.batch_write_item(RequestItems={self.table: requests})

    def transaction(self) -> None:
        self._transact([])

    def failing_transaction(self) -> None:
        check = {"TableName": self.table, "Key": {"pk": {"S": "nowhere"}, "sk": {"S": "0"}}}
        self._transact([{"ConditionCheck": {**check, "ConditionExpression": "attribute_exists(pk)"}}])

    def _transact(self, more: list[Any]) -> None:
        first = {"pk": {"S": f"tx{self.seed}-a"}, "sk": {"S": "1"}, "v": {"S": str(self.random.random())}}
        second = {"pk": {"S": f"tx{self.seed}-b"}, "sk": {"S": "1"}, "v": first["v"]}
        puts = [{"Put": {"TableName": self.table, "Item": item}} for item in (first, second)]
        self.client.transact_write_items(TransactItems=[*puts, *more])

    def failing_condition(self) -> None:
        self.client.put_item(TableName=self.table, Item=self.key(), ConditionExpression="attribute_exists(never)")

    def oversized_update(self) -> None:
        self.client.update_item(
            TableName=self.table, Key=self.key(), UpdateExpression="SET big = :big",
            ExpressionAttributeValues={":big": {"S": "x" * 410_000}},
        )  # fmt: skip

    def partiql_delete(self) -> None:
        key = self.key()
        text = f"DELETE FROM '{self.table}' WHERE pk='{key['pk']['S']}' AND sk='{key['sk']['S']}'"
        self.client.execute_statement(Statement=text)


def _run(lab: Any, table: str, *, writers: int, rounds: int, steps: int, seed: int) -> list[Checkpoint]:
    checkpoints: list[Checkpoint] = []
    crew = [Writer(lab, table, seed * 100 + number) for number in range(writers)]
    for _ in range(rounds):
        failures: list[BaseException] = []

        def work(writer: Writer, failed: list[BaseException] = failures) -> None:
            try:
                for _ in range(steps):
                    writer.step()
            except BaseException as error:  # noqa: BLE001 - reported by the main thread below
                failed.append(error)

        threads = [threading.Thread(target=work, args=(writer,)) for writer in crew]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        checkpoints.append((lab.second(), lab.scan(table, ConsistentRead=True)))
    return checkpoints


@pytest.mark.parametrize(("writers", "seed"), [(1, 11), (4, 12), (4, 13)])
def test_every_checkpoint_restores_item_by_item_whatever_ran_at_once(lab: Any, writers: int, seed: int) -> None:
    table = lab.table(sort="S")
    checkpoints = _run(lab, table, writers=writers, rounds=4, steps=20, seed=seed)
    assert any(items for _, items in checkpoints), f"seed {seed} wrote nothing"
    lab.control.advance(400)
    random.Random(seed).shuffle(checkpoints)
    for moment, expected in checkpoints:
        assert lab.scan(lab.restore(table, moment)) == expected, f"seed {seed}, {moment}"


def test_a_failed_update_leaves_no_ghost_item(lab: Any) -> None:
    table = lab.table()
    code = lab.refusal(
        lab.dynamodb.update_item, TableName=table, Key={"pk": {"S": "ghost"}}, UpdateExpression="SET big = :big",
        ExpressionAttributeValues={":big": {"S": "x" * 410_000}},
    )  # fmt: skip
    assert code == "ValidationException"
    assert lab.scan(table) == {}


def test_a_failed_update_of_an_item_changes_nothing_of_it(lab: Any) -> None:
    table = lab.table()
    lab.put(table, "a", v={"N": "1"})
    before = lab.scan(table)
    lab.refusal(
        lab.dynamodb.update_item, TableName=table, Key={"pk": {"S": "a"}},
        UpdateExpression="SET v = :two, big = :big",
        ExpressionAttributeValues={":two": {"N": "2"}, ":big": {"S": "x" * 410_000}},
    )  # fmt: skip
    assert lab.scan(table) == before


def test_a_transaction_is_restored_whole_or_not_at_all(lab: Any) -> None:
    table = lab.table()
    puts = [{"Put": {"TableName": table, "Item": {"pk": {"S": name}}}} for name in ("a", "b", "c")]
    lab.dynamodb.transact_write_items(TransactItems=puts)
    before_failure = lab.second()
    check = {"TableName": table, "Key": {"pk": {"S": "z"}}, "ConditionExpression": "attribute_exists(pk)"}
    failing = [{"Put": {"TableName": table, "Item": {"pk": {"S": "d"}}}}, {"ConditionCheck": check}]
    call = lab.dynamodb.transact_write_items
    assert lab.refusal(call, TransactItems=failing) == "TransactionCanceledException"
    after_failure = lab.second()
    lab.control.advance(400)
    for moment in (before_failure, after_failure):
        assert len(lab.scan(lab.restore(table, moment))) == 3
    assert len(lab.scan(table)) == 3


def test_the_history_of_a_restored_table_starts_at_its_restore(lab: Any) -> None:
    table = lab.table()
    lab.fill(table, 3)
    lab.control.advance(400)
    copy = lab.restore(table, None)
    lab.pitr(copy)
    lab.put(copy, "new")
    lab.control.advance(400)
    assert len(lab.scan(lab.restore(copy, None))) == 4
