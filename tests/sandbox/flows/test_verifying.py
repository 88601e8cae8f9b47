"""A verifier that cannot fail must not be believed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ops.errors import BadArgument
from ops.flows import verifying
from ops.flows.session import Session
from ops.flows.sides import Limits
from ops.flows.verifying import VerifyOptions
from ops.model.items import KeySchema
from ops.model.proof import Comparison
from ops.verify.compare import Gathered, TtlRule
from tests.cli.recovery_stage import Stage

# Keep-alive connections of ended scan threads are closed by the garbage collector, which Python reports.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"),
]


def says_equal(
    expected: Gathered, found: Gathered, *, keys: KeySchema, ttl: TtlRule | None = None, listed: int = 0
) -> Comparison:
    """A verifier broken on purpose: whatever it is shown, nothing differs."""
    return Comparison(expected.count, found.count, 0, 0, 0)


def counts_only(
    expected: Gathered, found: Gathered, *, keys: KeySchema, ttl: TtlRule | None = None, listed: int = 0
) -> Comparison:
    """A verifier that compares numbers of items, as many scripts do."""
    missing = max(0, expected.count.items - found.count.items)
    return Comparison(expected.count, found.count, missing, 0, 0)


@pytest.mark.parametrize("broken", [says_equal, counts_only])
def test_the_control_turns_a_broken_verifier_red(
    stage: Stage, session: Callable[[], Session], monkeypatch: pytest.MonkeyPatch, broken: Any
) -> None:
    table, other = stage.declare(items=12), stage.declare(items=12)
    opened = session()
    good = verifying.verify(opened, table, other, VerifyOptions())
    assert verifying.problems(good, table, other) == ()
    monkeypatch.setattr(verifying, "judge", broken)
    found = verifying.verify(opened, table, other, VerifyOptions())
    errors = verifying.problems(found, table, other)
    assert [one.code for one in errors] == ["OPS-E103"]
    assert errors[0].exit_code == 1


@pytest.mark.parametrize("seed", [1, 2, 3, 11, 99])
def test_the_control_is_found_for_every_seed(stage: Stage, session: Callable[[], Session], seed: int) -> None:
    table, other = stage.declare(items=8), stage.declare(items=8)
    found = verifying.verify(session(), table, other, VerifyOptions(seed=seed))
    assert found.control is not None
    assert found.control.caught
    assert {one.kind for one in found.control.planted} == {"missing", "extra", "changed"}


def test_a_control_is_told_apart_from_real_differences(stage: Stage, session: Callable[[], Session]) -> None:
    left, right = stage.declare(items=10), stage.declare(items=10)
    stage.dynamodb.delete_item(TableName=right, Key={"artist_id": {"S": "a0000"}, "id": {"S": "t000001"}})
    found = verifying.verify(session(), right, left, VerifyOptions())
    assert found.proof is not None and found.control is not None
    assert (found.proof.missing, found.proof.differing) == (1, 1)
    assert found.control.caught


def test_nothing_is_held_against_itself_by_whatever_name(
    stage: Stage, session: Callable[[], Session], tmp_path: Path
) -> None:
    table, opened = stage.declare(items=3), session()
    file, link = tmp_path / "items.jsonl", tmp_path / "link.jsonl"
    file.write_text("".join(json.dumps(item) + "\n" for item in stage.items(table).values()))
    link.symlink_to(file)
    arn = f"arn:aws:dynamodb:us-east-1:{opened.environment.document.account}:table/{table}"
    keys = Limits(keys="artist_id,id")
    for subject, against, options in (
        (table, f"ddb:{table}", VerifyOptions()),
        (table, arn, VerifyOptions(ignore=("popularity",))),
        (str(file), str(link), VerifyOptions(limits=keys)),
    ):
        with pytest.raises(BadArgument, match="would be held against itself"):
            verifying.verify(opened, subject, against, options)
    assert verifying.problems(verifying.verify(opened, table, str(file), VerifyOptions()), table, str(file)) == ()


def test_an_expired_item_is_counted_apart_and_never_called_lost(stage: Stage, session: Callable[[], Session]) -> None:
    left, right = stage.declare(items=3), stage.declare(items=3)
    expired = str(int(stage.now().timestamp()) - 3600)
    ahead = str(int(stage.now().timestamp()) + 86400)
    stage.put(left, [
        {"artist_id": {"S": "ttl"}, "id": {"S": "past"}, "expires_at": {"N": expired}},
        {"artist_id": {"S": "ttl"}, "id": {"S": "ahead"}, "expires_at": {"N": ahead}},
    ])  # fmt: skip
    proof = verifying.diff(session(), left, right, (), 20)
    assert proof.ignored == {"ttl": 1}
    assert proof.missing == 1
