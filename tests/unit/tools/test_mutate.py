"""The mutation tester tells survivors from killed, and takes nothing for a verdict that is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools import mutate, mutate_bench

TEST = """
from adder.adding import Adder, add

def test_add():
    assert add(2, 3) == 5
    assert Adder().more(1) == 11
"""
SOURCE = """
TEN = 10

class Adder:
    step: int = 0

    def more(self, a):
        return add(a, TEN + self.step)

def add(a, b):
    while a > 1000:
        a = a - 1
    return a + b
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one source: a test sees the sum, none sees the limit."""
    (tmp_path / "adder").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "adder" / "__init__.py").write_text("")
    (tmp_path / "adder" / "adding.py").write_text(SOURCE)
    (tmp_path / "tests" / "test_adding.py").write_text(TEST)
    (tmp_path / "tests" / "test_other.py").write_text("def test_other():\n    assert True\n")
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    monkeypatch.setattr(mutate, "ROOT", tmp_path)
    monkeypatch.setattr(mutate, "REASONS", tmp_path / "survivors.toml")
    monkeypatch.setattr(mutate, "COPIED", ("adder", "tests", "pyproject.toml"))
    monkeypatch.setattr(mutate, "TARGETS", (("adder/*.py", ("tests",)),))
    monkeypatch.setattr(mutate_bench, "CPU_S", 1.0)
    return tmp_path


def judged(project: Path, *options: str) -> dict[tuple[str, str], str]:
    mutate.main(["--workers", "1", "--json", str(project / "found.json"), *options])
    found = json.loads((project / "found.json").read_text())
    return {(one["mutant"]["before"], one["mutant"]["after"]): one["verdict"] for one in found}


def test_a_mutant_that_no_test_notices_survives_and_the_checkout_stays_as_it_is(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_text() for path in project.rglob("*.*")}
    verdicts = judged(project)
    assert verdicts["a + b", "a - b"] == "killed"
    assert verdicts["return a + b", "return None"] == "killed"
    assert verdicts["a > 1000", "a >= 1000"] == "survived"
    assert verdicts["while a > 1000: …", "while not a > 1000: …"] == "timeout"
    assert verdicts["10", "11"] == verdicts["0", "1"] == "killed"  # at the level of the module and of a class
    told = capsys.readouterr()
    assert "`adder/adding.py:11` comparison: `a > 1000` → `a >= 1000`" in told.out
    assert {path: path.read_text() for path in before} == before


@pytest.mark.parametrize(("least", "code"), [("1", 0), ("100", 1)])
def test_the_share_that_must_be_killed_decides_how_it_ends(project: Path, least: str, code: int) -> None:
    (project / "adder" / "adding.py").write_text("def add(a, b):\n    if a > 1000:\n        a = b\n    return a + b\n")
    (project / "tests" / "test_adding.py").write_text(
        "from adder.adding import add\n\ndef test_add():\n    assert add(2, 3) == 5\n"
    )
    assert mutate.main(["--least", least, "--only", "adding.py"]) == code


def test_tests_that_fail_by_themselves_prove_nothing(project: Path) -> None:
    (project / "tests" / "test_adding.py").write_text("import adder.adding\n\n\ndef test_add():\n    assert False\n")
    with pytest.raises(SystemExit, match="fail without any mutant"):
        mutate.main(["--sample", "1"])


def test_tests_that_cannot_be_loaded_prove_nothing(project: Path) -> None:
    (project / "tests" / "test_adding.py").write_text("import adder.nothing\n")
    with pytest.raises(SystemExit, match="cannot be loaded"):
        mutate.main(["--sample", "1"])


def test_a_test_that_fails_only_now_and_then_is_found_out_at_the_end(project: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    (project / "tests" / "test_other.py").write_text(
        "from pathlib import Path\nfrom adder.adding import add\n\ndef test_moody():\n    add(1, 2)\n"
        f"    runs = Path({str(runs)!r})\n    runs.mkdir()\n"
    )
    with pytest.raises(SystemExit, match="fails without any mutant"):
        judged(project)


def test_a_signal_from_outside_is_no_verdict(project: Path) -> None:
    (project / "tests" / "test_adding.py").write_text(
        "import os, signal\nfrom adder.adding import add\n\n"
        "def test_add():\n    if add(2, 3) != 5:\n        os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    with pytest.raises(SystemExit, match="ended from outside, again and again"):
        judged(project)


def test_what_only_a_process_of_a_test_runs_is_tested_too(project: Path) -> None:
    (project / "tests" / "test_adding.py").write_text(
        "import subprocess, sys\n\ndef test_add():\n"
        "    code = 'from adder.adding import add; print(add(2, 3))'\n"
        "    assert subprocess.run([sys.executable, '-c', code], capture_output=True).stdout == b'5\\n'\n"
    )
    (project / "adder" / "adding.py").write_text("def add(a, b):\n    a = a * 1\n    return a + b\n")
    assert judged(project)["a + b", "a - b"] == "killed"


def test_code_that_runs_while_the_tests_are_loaded_is_loaded_anew(project: Path) -> None:
    (project / "adder" / "adding.py").write_text("def add(a, b):\n    return a + b\n\n\nFIVE = add(2, 3)\n")
    (project / "tests" / "test_adding.py").write_text(
        "from adder.adding import FIVE\n\n\ndef test_five():\n    assert FIVE == 5\n"
    )
    assert judged(project)["a + b", "a - b"] == "killed"


def test_functions_are_changed_wherever_they_are_held(project: Path) -> None:
    (project / "adder" / "adding.py").write_text(
        "from dataclasses import dataclass\nfrom functools import cache\n\n"
        "def twice(f):\n    def both(a):\n        return f(f(a))\n    return both\n\n"
        "@twice\ndef add(a):\n    return a + 1\n\n"
        "@dataclass(slots=True)\nclass Adder:\n    step: int\n\n"
        "    @property\n    def next(self):\n        return self.step + 3\n\n"
        "    @classmethod\n    def made(cls):\n        return cls(7)\n\n"
        "@cache\ndef five():\n    return 5\n\nTABLE = {'five': five, 'add': add}\n"
    )
    (project / "tests" / "test_adding.py").write_text(
        "from adder.adding import TABLE, Adder\n\n\ndef test_add():\n"
        "    assert TABLE['add'](1) == 3\n    assert Adder.made().next == 10\n    assert TABLE['five']() == 5\n"
    )
    verdicts = judged(project)
    assert set(verdicts.values()) == {"killed"}


def test_targets_are_run_with_the_tests_of_their_folders(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["tests/test_adding.py", "tests/test_other.py"]
    assert mutate.targets((), project) == {"adder/adding.py": files}
    (project / "adder" / "strange.py").write_text("x = 1\n")
    assert mutate.targets(["ge.py"], project) == {"adder/strange.py": files}
    assert mutate.main(["--only", "nothing.py"]) == 2
    assert mutate.main(["--list", "--only", "strange.py"]) == 0
    assert capsys.readouterr().out == "adder/strange.py:1  constant: 1 -> 2\n"


def test_slow_tests_are_run_as_far_as_patience_goes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutate_bench, "PATIENCE_S", 0.0)
    assert set(judged(project).values()) == {"survived"}


def test_a_sample_is_the_same_for_the_same_seed(project: Path) -> None:
    every = mutate.chosen(["adder/adding.py"], None, 1, project)
    some = mutate.chosen(["adder/adding.py"], 3, 7, project)
    assert len(some) == 3
    assert some == mutate.chosen(["adder/adding.py"], 3, 7, project)
    assert set(some) < set(every)
    assert mutate.chosen(["adder/adding.py"], 999, 7, project) == every


SURVIVOR = """
[[survivor]]
path = "adder/adding.py"
place = "add"
changes = ["a > 1000 → a >= 1000"]
why = "no sum is as large"
"""


def test_survivors_are_written_down_with_their_reasons(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "survivors.toml").write_text(SURVIVOR)
    count = len(judged(project, "--write", str(project / "found.md"), "--least", "50"))
    text = (project / "found.md").read_text()
    assert "| 11 | `add` | `a > 1000` → `a >= 1000` | no sum is as large |" in text
    assert "| `add` | `1000` → `1001` | **not explained** |" in text
    assert "adder/adding.py:11` comparison" not in capsys.readouterr().out
    assert f"of all {count} mutants were killed" in text
    judged(project, "--write", str(project / "found.md"), "--sample", "3")
    assert f"of a random sample of 3 of the {count} mutants were killed" in (project / "found.md").read_text()


def test_known_survivors_are_not_run_and_count_as_survivors(project: Path) -> None:
    (project / "survivors.toml").write_text(SURVIVOR.replace("a > 1000 → a >= 1000", "a + b → a - b"))
    assert judged(project, "--known")["a + b", "a - b"] == "survived"


def test_a_mutant_that_is_explained_and_was_killed_counts_once_and_as_killed(project: Path) -> None:
    log = project / "verdicts.jsonl"
    first = judged(project, "--log", str(log))
    assert first["a + b", "a - b"] == "killed"
    (project / "survivors.toml").write_text(SURVIVOR.replace("a > 1000 → a >= 1000", "a + b → a - b"))
    assert judged(project, "--known", "--log", str(log), "--write", str(project / "found.md")) == first
    assert f"of all {len(first)} mutants were killed" in (project / "found.md").read_text()


def test_what_was_killed_in_the_same_source_is_not_run_again(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = project / "verdicts.jsonl"
    first = judged(project, "--log", str(log))
    assert len(log.read_text().splitlines()) == len(first)
    capsys.readouterr()
    assert judged(project, "--log", str(log)) == first
    again = [line for line in capsys.readouterr().err.splitlines() if line.startswith("[")]
    assert len(again) == sum(verdict == "survived" for verdict in first.values())
    (project / "adder" / "adding.py").write_text(SOURCE + "\n# changed\n")
    judged(project, "--log", str(log))
    assert len([line for line in capsys.readouterr().err.splitlines() if line.startswith("[")]) == len(first)
