"""`ops drill run` as a process, on a private sandbox: the whole product in one command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


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


def test_a_drill_on_aws_refuses_a_sandbox_environment(whole: object, tmp_path: Path) -> None:
    done = whole.ops("drill", "run", "mass-delete", "--target", "aws")  # type: ignore[attr-defined]
    assert done.returncode == 2
    assert "class sandbox" in done.stderr
