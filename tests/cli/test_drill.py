"""`ops drill run` as a process, on a private sandbox: the whole product in one command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.whole_sandbox import WholeSandbox, freeze, processes_of


def ops(runs: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ops", "--runs", str(runs), *words],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        timeout=240,
    )


@pytest.mark.parametrize("scenario", ["mass-delete", "table-deleted"])
def test_a_drill_on_a_machine_without_a_sandbox_ends_proven_and_leaves_nothing(tmp_path: Path, scenario: str) -> None:
    done = ops(tmp_path / "runs", "drill", "run", scenario, "--items", "300", "--seed", "5", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    result = document["result"]
    assert result["verdict"] == "pass"
    assert result["control"]["planted"] == result["control"]["found"] > 0
    assert result["rpo"]["items"] == 0
    assert result["rto"]["service_s"] > 0
    assert [
        name for name in ("T0", "T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8") if name not in result["timeline"]
    ] == []
    page = Path(result["files"]["report"]).read_text(encoding="utf-8")
    assert "<script" not in page
    folder = next(line.split()[-1] for line in done.stderr.splitlines() if line.startswith("sandbox "))
    assert not Path(folder).exists()


def test_an_unknown_scenario_names_the_known_ones(tmp_path: Path) -> None:
    done = ops(tmp_path, "drill", "run", "mass-delet")
    assert done.returncode == 2
    assert "mass-delete" in done.stderr


def test_the_list_of_scenarios_needs_no_environment(tmp_path: Path) -> None:
    done = ops(tmp_path, "drill", "list")
    assert done.returncode == 0
    assert "mass-delete" in done.stdout
    assert "table-deleted" in done.stdout


def drill_tables(whole: WholeSandbox) -> list[str]:
    entries = json.loads(whole.ops("list", "tables", "--json").stdout)["result"]["entries"]
    return [one["table"] for one in entries if one["table"].startswith("drill-")]


@pytest.fixture(scope="module")
def loaded(whole: WholeSandbox) -> WholeSandbox:
    done = whole.ops("load", "spotify", "--to", "top_tracks", "--market", "SE")
    assert done.returncode == 0, done.stderr
    return whole


def test_what_a_kept_drill_left_is_listed_then_removed_by_gc_and_its_report_is_found(loaded: WholeSandbox) -> None:
    done = loaded.ops("drill", "run", "mass-delete", "--keep", "--seed", "3", "--json")
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)["run"]
    kept = drill_tables(loaded)
    assert len(kept) == 2
    listed = loaded.ops("drill", "gc", run, "--dry-run")
    assert all(f"would be removed: {name}" in listed.stdout for name in kept)
    assert drill_tables(loaded) == kept
    assert loaded.ops("drill", "gc", run).returncode == 7
    assert loaded.ops("drill", "gc", run, "--yes").returncode == 0
    assert drill_tables(loaded) == []
    shown = loaded.ops("drill", "report", run)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("PASS  mass-delete")
    assert Path(shown.stdout.split("report ", 1)[1].split()[0]).is_file()


def test_a_drill_that_was_killed_can_be_cleaned_up_by_its_journal(loaded: WholeSandbox) -> None:
    process = loaded.begin("drill", "run", "mass-delete", "--seed", "4")
    assert process.stderr is not None
    run = ""
    for line in process.stderr:
        if line.startswith("drill "):
            run = line.split()[-1]
        if line.startswith("  traffic"):
            break
    process.kill()
    process.communicate()
    assert drill_tables(loaded)
    assert loaded.ops("drill", "gc", run, "--yes").returncode == 0
    assert drill_tables(loaded) == []


def test_ctrl_c_in_a_drill_cleans_up_and_says_so(loaded: WholeSandbox) -> None:
    process = loaded.begin("drill", "run", "mass-delete", "--seed", "5")
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("  traffic"):
            break
    process.send_signal(2)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130, rest
    assert "they were removed" in rest
    assert drill_tables(loaded) == []


@pytest.fixture
def private_drill(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A drill that has begun to start its private sandbox; whatever the test does, nothing is left."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ops", "--runs", str(tmp_path), "drill", "run", "mass-delete", "--items", "50"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "AWS_ENDPOINT_URL"},
    )
    yield process
    process.kill()
    process.communicate()


def said_until(process: subprocess.Popen[str], start: str) -> list[str]:
    """What the process says, up to the line that begins so; the whole rest when none does."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith(start):
            break
    return lines


def interrupted_in_clean_up(process: subprocess.Popen[str]) -> Path:
    """The folder of the private sandbox, after Ctrl-C, when its clean-up has begun and cannot end soon."""
    folder = Path(said_until(process, "  provision")[0].split()[-1])
    freeze(folder, "ops.sandbox.spotify", "bin/postgres")  # neither answers a polite request to end
    process.send_signal(signal.SIGINT)
    while any("ops.sandbox.server" in line for line in processes_of(folder).values()):
        assert process.poll() is None
        time.sleep(0.02)
    return folder


def test_ctrl_c_in_the_clean_up_does_not_cut_it_short(private_drill: subprocess.Popen[str]) -> None:
    folder = interrupted_in_clean_up(private_drill)
    private_drill.send_signal(signal.SIGINT)
    _, rest = private_drill.communicate(timeout=60)
    assert private_drill.returncode == 130, rest
    assert f"once more ends it at once and leaves the sandbox in {folder}" in rest
    assert not folder.exists()
    assert not processes_of(folder)


def test_one_ctrl_c_more_ends_it_and_says_what_is_left_and_how_to_remove_it(
    private_drill: subprocess.Popen[str],
) -> None:
    folder = interrupted_in_clean_up(private_drill)
    private_drill.send_signal(signal.SIGINT)
    said_until(private_drill, "  clean up   still at work")
    private_drill.send_signal(signal.SIGINT)
    _, rest = private_drill.communicate(timeout=60)
    assert private_drill.returncode == 130, rest
    assert f"changed: left: the sandbox in {folder}" in rest
    assert folder.exists()
    remove = rest.split("next: ", 1)[1].strip()
    done = subprocess.run(remove, shell=True, capture_output=True, timeout=60)  # as it stands, in the same shell
    assert done.returncode == 0, done.stderr
    assert not folder.exists()
    assert not processes_of(folder)


def test_a_drill_on_aws_refuses_a_sandbox_environment(whole: WholeSandbox) -> None:
    done = whole.ops("drill", "run", "mass-delete", "--target", "aws")
    assert done.returncode == 2
    assert "class sandbox" in done.stderr
