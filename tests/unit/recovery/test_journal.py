"""Intent before, outcome after, no values."""

from __future__ import annotations

from typing import Any

import pytest

from ops.errors import (
    OpsError,
    Unreachable,
)
from ops.recovery.journal import client_token, mutate
from ops.runs import Run
from tests.unit.recovery.kit import (
    Scripted,
    refused,
)


def test_the_intent_stands_before_the_call_leaves(run: Run) -> None:
    seen: list[int] = []

    def answer(params: dict[str, Any]) -> dict[str, Any]:
        seen.append(sum(line.kind == "intent" for line in run.lines))
        return {"ResponseMetadata": {"RequestId": "r1"}}

    mutate(Scripted({"delete_table": answer}), run, "dynamodb", "delete_table", "t", {"TableName": "t"})
    assert seen == [1]
    outcome = run.find("outcome", operation="DeleteTable", target="t")
    assert outcome is not None
    assert outcome.data["request_id"] == "r1"


def test_a_refusal_is_journalled_with_awss_code(run: Run) -> None:
    with pytest.raises(OpsError):
        mutate(Scripted({"delete_table": refused("ResourceInUse")}), run, "dynamodb", "delete_table", "t", {})
    outcome = run.find("outcome", operation="DeleteTable")
    assert outcome is not None
    assert outcome.data["refused"] == "ResourceInUse"


def test_a_lost_answer_is_not_journalled_as_a_refusal(run: Run) -> None:
    with pytest.raises(Unreachable):
        mutate(Scripted({"delete_table": Unreachable("no answer")}), run, "dynamodb", "delete_table", "t", {})
    outcome = run.find("outcome", operation="DeleteTable")
    assert outcome is not None
    assert (outcome.data["unanswered"], "refused" in outcome.data) == ("OPS-E903", False)


def test_a_token_depends_on_the_run_and_on_every_parameter(run: Run) -> None:
    assert client_token(run, "a", 1) == client_token(run, "a", 1)
    assert len({client_token(run, "a", 1), client_token(run, "a", 2), client_token(run, "b", 1)}) == 3
    assert len(client_token(run)) == 36
