"""What a run says when it ends early."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest

from infra.environment import EnvironmentDocument
from ops.aws import Identity
from ops.clock import SystemClock
from ops.environment import Environment
from ops.errors import BadArgument, Interrupted, StillRunning, TableNotFound
from ops.flows.common import Phases, asked_of_aws, begun_with, compact_utc, options_of, resumable
from ops.flows.session import Session
from ops.progress import SilentProgress
from ops.runs import Run, open_run, resume_run

DOCUMENT = EnvironmentDocument(
    project="music", stack="dev", account="123456789012", region="us-east-1", environment_class="sandbox", tables={},
    export_bucket="b",
)  # fmt: skip


@pytest.fixture
def session() -> Session:
    """A session without AWS: nothing here asks it anything."""
    environment = Environment(DOCUMENT, Identity("123456789012", "arn"), {})
    return Session(cast("Any", None), environment, SystemClock(), SilentProgress(), Random(1))


@pytest.fixture
def run(runs_folder: Path) -> Iterator[Run]:
    with open_run(runs_folder, ["backup", "t", "--name", "a b"], SystemClock(), Random(1)) as opened:
        yield opened


def test_a_run_that_asked_for_nothing_says_nothing_was_changed(session: Session, run: Run) -> None:
    with pytest.raises(Interrupted) as raised, resumable(session, run, "backup t"):
        raise Interrupted("stop", signal_number=15)
    assert raised.value.changed == "nothing was changed"
    assert raised.value.fix == ("ops backup t --name 'a b'",)
    assert (raised.value.exit_code, raised.value.run) == (143, run.id)


def test_after_a_request_no_error_says_nothing_was_changed(session: Session, run: Run) -> None:
    with pytest.raises(TableNotFound) as raised, resumable(session, run, "backup t"):
        run.intent("CreateBackup", "t", name="t-1")
        run.outcome("CreateBackup", "t", request_id="r")
        raise TableNotFound("gone")
    assert "CreateBackup t t-1;" in raised.value.changed
    assert raised.value.fix[-1] == f"ops backup t --resume {run.id} --env dev"


def test_a_signal_that_is_no_exception_still_names_what_exists(session: Session, run: Run) -> None:
    class Stop(BaseException):
        signal_number = 2

    with pytest.raises(Interrupted) as raised, resumable(session, run, "restore t"):
        run.intent("RestoreTableToPointInTime", "t-r1")
        raise Stop
    assert "RestoreTableToPointInTime t-r1 (answer unknown)" in raised.value.changed
    assert raised.value.fix == (f"ops restore t --resume {run.id} --env dev",)
    assert raised.value.exit_code == 130


def test_the_end_of_waiting_leaves_one_way_on(session: Session, run: Run) -> None:
    with pytest.raises(StillRunning) as raised, resumable(session, run, "restore t"):
        run.intent("RestoreTableToPointInTime", "t-r1")
        raise StillRunning("late")
    assert raised.value.fix == (f"ops restore t --resume {run.id} --env dev",)


def test_a_refused_request_counts_as_not_made(run: Run) -> None:
    run.intent("CreateBackup", "t")
    run.outcome("CreateBackup", "t", refused="LimitExceededException")
    assert asked_of_aws(run) == ""
    run.intent("CreateBackup", "t")
    assert asked_of_aws(run).endswith("CreateBackup t (answer unknown); what is running goes on")


def test_a_request_whose_answer_was_lost_may_have_been_made_whatever_came_later(run: Run) -> None:
    run.intent("CreateBackup", "t", name="t-1")
    run.outcome("CreateBackup", "t", unanswered="OPS-E903")
    assert "CreateBackup t t-1 (answer unknown);" in asked_of_aws(run)
    run.intent("CreateBackup", "t", name="t-1")
    run.outcome("CreateBackup", "t", refused="LimitExceededException")
    assert "CreateBackup t t-1 (answer unknown);" in asked_of_aws(run)


def test_a_resumed_run_keeps_the_options_it_began_with(runs_folder: Path) -> None:
    with open_run(runs_folder, ["backup"], SystemClock(), Random(2)) as first:
        assert options_of(first, name="one") == {"name": "one"}
    with resume_run(runs_folder, first.id, SystemClock()) as again:
        assert options_of(again, name="other") == {"name": "one"}


def test_a_phase_is_measured_also_when_it_fails(session: Session) -> None:
    phases = Phases(session)
    with pytest.raises(ValueError, match="broken"), phases.phase("restore"):
        raise ValueError("broken")
    assert [one.name for one in phases.done] == ["restore"]
    assert phases.done[0].seconds >= 0


def test_a_time_in_a_name_is_utc_and_whole(run: Run) -> None:
    assert compact_utc(datetime(2026, 11, 20, 10, 2, 16, 999, tzinfo=UTC)) == "20261120T100216Z"


BEGUN = {"table": "t", "source": "a", "then": ["x", "y"], "most": None, "keep": True, "rate": "5"}
USUAL = {"then": [], "most": 0, "keep": False}


@pytest.mark.parametrize(
    "given",
    [
        BEGUN, {**BEGUN, **USUAL}, {"table": "t", "source": "a"}, {**BEGUN, "rate": "9"}, {**BEGUN, "keep": False},
    ],
)  # fmt: skip
def test_a_run_goes_on_with_what_it_began_with_whatever_is_left_out(runs_folder: Path, given: dict[str, Any]) -> None:
    with open_run(runs_folder, ["load"], SystemClock(), Random(1)) as begun:
        assert begun_with(begun, BEGUN, USUAL) == BEGUN
    with resume_run(runs_folder, begun.id, SystemClock()) as again:
        assert begun_with(again, given, USUAL, free=("rate",)) == BEGUN


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("table", "u", "table t, not u"), ("source", "b", "source a, not b"), ("then", ["x"], "then x y, not x"),
        ("most", 3, "most None, not 3"), ("rate", "9", "rate 5, not 9"), ("new_one", 1, "new-one None, not 1"),
    ],
)  # fmt: skip
def test_a_run_that_is_resumed_with_another_option_is_refused(
    runs_folder: Path, name: str, value: object, told: str
) -> None:
    with open_run(runs_folder, ["load"], SystemClock(), Random(1)) as begun:
        begun_with(begun, BEGUN, USUAL)
    with resume_run(runs_folder, begun.id, SystemClock()) as again, pytest.raises(BadArgument) as caught:
        begun_with(again, {**BEGUN, name: value}, USUAL)
    assert caught.value.what == f"run {begun.id} was begun with {told}"


def test_another_way_to_the_same_file_is_the_same_source(runs_folder: Path, tmp_path: Path) -> None:
    first, other = tmp_path / "a", tmp_path / "b"
    first.write_text("")
    other.symlink_to(first)
    with open_run(runs_folder, ["load"], SystemClock(), Random(1)) as begun:
        begun_with(begun, {"source": str(first)}, {})
    with resume_run(runs_folder, begun.id, SystemClock()) as again:
        assert begun_with(again, {"source": str(other)}, {}) == {"source": str(first)}
        with pytest.raises(BadArgument, match="was begun with source"):
            begun_with(again, {"source": str(tmp_path)}, {})
