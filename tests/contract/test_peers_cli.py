"""What other tools got wrong in how they end, and in how they were tested; see `test_peers.py`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from ops.aws import AwsError
from ops.cli import app
from ops.commands._voice import Voice
from ops.errors import OpsError, RecoveryFailed, error_classes
from ops.progress import SilentProgress
from ops.recovery import backups, exports, imports, restore
from ops.runs import Run
from tests.unit.recovery.kit import ARN, BACKUP, ManualClock, Scripted, backup, not_found, table

TESTS = Path(__file__).resolve().parents[1]
PROGRESS = SilentProgress()
Job = Callable[[Run, ManualClock], object]


def _export(run: Run, clock: ManualClock) -> None:
    control = Scripted({"describe_export": {"ExportDescription": {"ExportStatus": "FAILED", "S3Bucket": "b"}}})
    exports.wait_export(control, f"{ARN}/export/1", clock, PROGRESS)


def _import(run: Run, clock: ManualClock) -> None:
    control = Scripted(
        {
            "describe_table": not_found(), "import_table": {"ImportTableDescription": {"ImportArn": f"{ARN}/import/1"}},
            "describe_import": {"ImportTableDescription": {"ImportStatus": "FAILED"}},
        }
    )  # fmt: skip
    imports.import_table(
        control, bucket="b", prefix="p", form="csv", compression="NONE", table="t", schema={}, token="x", run=run,
        clock=clock, progress=PROGRESS,
    )  # fmt: skip


def _backup(run: Run, clock: ManualClock) -> None:
    control = Scripted(
        {
            "list_backups": {}, "create_backup": {"BackupDetails": {"BackupArn": BACKUP}},
            "describe_backup": backup("FAILED"), "describe_table": table(),
        }
    )  # fmt: skip
    backups.create_backup(control, "t", "nightly", run, clock, PROGRESS)


def _restore(run: Run, clock: ManualClock) -> None:
    control = Scripted({"describe_table": table("INACCESSIBLE_ENCRYPTION_CREDENTIALS")})
    restore.wait_active(control, "t", clock, PROGRESS)


@pytest.mark.parametrize("job", [_export, _import, _backup, _restore])
def test_no_reason(job: Job, run: Run, clock: ManualClock, capsys: pytest.CaptureFixture[str]) -> None:
    """A restore of velero ends PartiallyFailed and does not say why (github.com/velero-io/velero/issues/8339, 4223).

    Here even a failure for which AWS gives no reason has a code, what is known of the cause, and a way out.
    """
    with pytest.raises(RecoveryFailed) as caught:
        job(run, clock)
    Voice().error(caught.value)
    said = dict(line.strip().partition(": ")[::2] for line in capsys.readouterr().err.splitlines()[1:])
    assert all(len(said[part]) > 10 for part in ("why", "changed", "next")), said


CLASSES = [one for one in error_classes() if "code" in vars(one)]


@pytest.mark.parametrize("one", CLASSES, ids=lambda one: one.__name__)
def test_no_reason_of_any_error(one: type[OpsError], capsys: pytest.CaptureFixture[str]) -> None:
    """The same for each class of error, made with the least that it can be made with."""
    error = AwsError("Refused", "", "dynamodb:X") if one is AwsError else one("what happened")
    Voice().error(error)
    shown = capsys.readouterr().err.splitlines()
    assert shown[0] == f"error {one.code} {error.what}"
    assert [line.split(":")[0] for line in shown[1:]] == ["  changed", "  next"]
    assert all(line.partition(": ")[2] for line in shown[1:])
    assert all(error.as_dict()[part] for part in ("code", "exit", "what", "changed", "fix"))


def commands(command: Any, *words: str) -> Iterator[tuple[str, ...]]:
    """The words of every command below a group."""
    if not hasattr(command, "commands"):
        yield words
        return
    for name, inner in command.commands.items():
        yield from commands(inner, *words, name)


def called(node: ast.expr) -> tuple[str, ...]:
    """The words of `stage.ops("restore", table, ...)`, as far as they are written there."""
    if not isinstance(node, ast.Call) or ast.unparse(node.func).rpartition(".")[2] != "ops":
        return ()
    return tuple(str(one.value) for one in node.args if isinstance(one, ast.Constant))


def expected_good(function: ast.FunctionDef) -> Iterator[ast.expr]:
    """What the function asserts to have ended with 0: a call, or the name of one."""
    for node in ast.walk(function):
        if (
            isinstance(node, ast.Assert)
            and isinstance(node.test, ast.Compare)
            and isinstance(node.test.left, ast.Attribute)
        ):
            code, wanted = node.test.left, node.test.comparators[0]
            if code.attr in ("code", "returncode") and isinstance(wanted, ast.Constant) and wanted.value == 0:
                yield code.value


def succeeding(module: ast.Module) -> Iterator[tuple[str, ...]]:
    """The words of each command that a function of the module runs and expects to end with 0."""
    functions = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)]
    helpers = {
        one.name
        for one in functions
        if one.args.args and one.args.args[0].arg in {ast.unparse(good) for good in expected_good(one)}
    }
    for function in functions:
        nodes = list(ast.walk(function))
        given = [(ast.unparse(one.targets[0]), one.value) for one in nodes if isinstance(one, ast.Assign)]
        for good in expected_good(function):
            yield called(good)
            yield from (called(value) for name, value in given if name == ast.unparse(good))
        for node in nodes:
            if isinstance(node, ast.Call) and ast.unparse(node.func) in helpers and node.args:
                yield called(node.args[0])


def test_asserts_error() -> None:
    """dynein's test of its backup (`tests/backup.rs`) asserts the emulator's error: success was never tested.

    Here each command has a test in which it ends with 0, as a process.
    """
    modules = [ast.parse(path.read_text(encoding="utf-8")) for path in (TESTS / "cli").glob("test_*.py")]
    good = {words for module in modules for words in succeeding(module)}
    known = list(commands(typer.main.get_command(app)))
    assert len(known) > 25
    assert [" ".join(one) for one in known if not any(words[: len(one)] == one for words in good)] == []
