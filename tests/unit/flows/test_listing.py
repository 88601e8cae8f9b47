"""What is listed when it is not what was expected."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest

from infra.environment import EnvironmentDocument
from ops.aws import Identity
from ops.clock import SystemClock
from ops.environment import Environment, TableTarget
from ops.flows import listing
from ops.flows.protection import newest_proof
from ops.flows.session import Session
from ops.progress import SilentProgress
from tests.unit.recovery.kit import Scripted, by_name, table

DOCUMENT = EnvironmentDocument(
    project="music", stack="dev", account="123456789012", region="us-east-1", environment_class="sandbox", tables={},
    export_bucket="b",
)  # fmt: skip
WHOLE = {
    "schema": "ops.restore/1", "ok": True, "exit": 0, "started": "2026-11-20T10:00:00Z",
    "result": {"source": "t", "proof": {"equal": True}},
}  # fmt: skip


def test_a_table_that_is_deleted_while_tables_are_listed_spoils_no_list() -> None:
    control = Scripted({"list_tables": {"TableNames": ["a", "t"]}, "describe_table": by_name(t=table())})
    environment = Environment(DOCUMENT, Identity("123456789012", "arn"), {})
    session = Session(cast("Any", control), environment, SystemClock(), SilentProgress(), Random(1))
    assert listing.tables(session, 9).rows == (("a", "", "GONE"), ("t", "", "ACTIVE"))


@pytest.mark.parametrize(
    "changed",
    [
        *({name: None} for name in ("schema", "ok", "exit", "started")),
        {"started": "yesterday"}, {"started": "2026-11-20T10:00:00"}, {"result": []}, {"result": "fine"},
    ],
)  # fmt: skip
def test_a_file_that_no_command_has_written_is_no_result_and_no_proof(tmp_path: Path, changed: dict[str, Any]) -> None:
    target = TableTarget("t", None, "us-east-1", None)
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "result.json").write_text(json.dumps(WHOLE))
    assert newest_proof(tmp_path, target, None) == WHOLE
    (folder / "result.json").write_text(json.dumps(WHOLE | changed))
    assert newest_proof(tmp_path, target, None) is None
    assert listing.runs(tmp_path, 9).rows == (("run", "unreadable", "open or interrupted"),)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"data":[]}', "\xff"])
def test_a_journal_that_no_run_has_written_is_listed_as_unreadable(tmp_path: Path, text: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "journal.jsonl").write_bytes(text.encode("latin-1"))
    assert listing.runs(tmp_path, 9).rows == (("run", "unreadable", "open or interrupted"),)
