"""The mutation tester: what it changes, what it leaves alone, and that it tells survivors from killed."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from tools import mutate

SOURCE = '''"""A docstring."""
from __future__ import annotations

BLOCK_BYTES = 7
__all__ = ["least"]


def least(left: int | None, right: int = 2, *, why: str = "") -> int:
    """Not changed."""
    if left is None and not right:
        raise ValueError("the words of an error")
    found = [one + 1 for one in (left, right) if one != 3]
    found.append(len(found) * 2)
    left += 1
    print(f"told {left}", end="!", prefix="a name")
    return min(found) if found else -1
'''


def changes(source: str) -> set[tuple[str, str, str]]:
    return {(one.kind, one.before, one.after) for one in mutate.mutants_of("x.py", source)}


def test_every_kind_of_change_is_made_and_words_are_left_alone() -> None:
    found = changes(SOURCE)
    assert found >= {
        ("comparison", "left is None", "left is not None"),
        ("comparison", "one != 3", "one == 3"),
        ("boolean", "left is None and (not right)", "left is None or not right"),
        ("boolean", "not right", "right"),
        ("arithmetic", "one + 1", "one - 1"),
        ("arithmetic", "len(found) * 2", "len(found) // 2"),
        ("arithmetic", "left += 1", "left -= 1"),
        ("constant", "3", "4"),
        ("constant", "'!'", "'!~'"),
        ("condition", "for one in (left, right) if one != 3", "for one in (left, right)"),
        ("condition", "min(found) if found else -1", "min(found) if not found else -1"),
        ("deletion", "left += 1", "pass"),
        ("deletion", "found.append(len(found) * 2)", "pass"),
        ("deletion", "raise ValueError('the words of an error')", "pass"),
        ("return", "return min(found) if found else -1", "return None"),
    }
    told = " ".join(before for _, before, _ in found)
    assert not any(
        word in told.replace("raise ValueError('the words", "") for word in ("docstring", "Not changed", "7")
    )
    assert not any(before in ("int | None", "'the words of an error'", "'a name'", "'least'") for _, before, _ in found)


def test_each_mutant_is_a_program_that_differs_in_one_place() -> None:
    plain = ast.unparse(ast.parse(SOURCE)).splitlines()
    mutants = list(mutate.mutants_of("x.py", SOURCE))
    assert [one.number for one in mutants] == list(range(len(mutants)))
    for one in mutants:
        changed = mutate.mutated(SOURCE, one.number)
        compile(changed, "x.py", "exec")
        lines = changed.splitlines()
        assert lines != plain
        assert len(lines) != len(plain) or sum(a != b for a, b in zip(lines, plain, strict=True)) == 1
    with pytest.raises(ValueError, match="no mutant"):
        mutate.mutated(SOURCE, len(mutants))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one source: a test sees the sum, none sees the limit."""
    (tmp_path / "adder").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "adder" / "__init__.py").write_text("")
    (tmp_path / "adder" / "adding.py").write_text(
        "def add(a, b):\n    while a > 1000:\n        a = a - 1\n    return a + b\n"
    )
    (tmp_path / "tests" / "test_adding.py").write_text(
        "from adder.adding import add\n\n\ndef test_add():\n    assert add(2, 3) == 5\n"
    )
    (tmp_path / "tests" / "test_other.py").write_text("def test_other():\n    assert True\n")
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    monkeypatch.setattr(mutate, "ROOT", tmp_path)
    monkeypatch.setattr(mutate, "COPIED", ("adder", "tests", "pyproject.toml"))
    monkeypatch.setattr(mutate, "TARGETS", (("adder/*.py", ("tests",)),))
    return tmp_path


def test_a_mutant_that_no_test_notices_survives_and_the_checkout_stays_as_it_is(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.read_text() for path in project.rglob("*.*")}
    monkeypatch.setattr(mutate, "_limit_s", lambda bench, tests: 5.0)
    assert mutate.main(["--json", str(project / "found.json"), "--least", "40"]) == 0
    verdicts = {
        (one["mutant"]["before"], one["mutant"]["after"]): one["verdict"]
        for one in json.loads((project / "found.json").read_text())
    }
    assert verdicts["a + b", "a - b"] == "killed"
    assert verdicts["return a + b", "return None"] == "killed"
    assert verdicts["a > 1000", "a >= 1000"] == "survived"
    assert verdicts["while a > 1000: …", "while not a > 1000: …"] == "timeout"
    told = capsys.readouterr()
    assert "`adder/adding.py:2` comparison: `a > 1000` → `a >= 1000`" in told.out
    assert {path: path.read_text() for path in before} == before
    assert mutate.main(["--least", "100", "--only", "adding.py"]) == 1


def test_tests_that_fail_by_themselves_prove_nothing(project: Path) -> None:
    (project / "tests" / "test_adding.py").write_text("import adder.adding\n\n\ndef test_add():\n    assert False\n")
    with pytest.raises(SystemExit, match="fail without any mutant"):
        mutate.main(["--sample", "1"])


def test_targets_are_run_with_the_tests_that_name_them(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mutate.targets((), project) == {"adder/adding.py": ["tests/test_adding.py"]}
    (project / "adder" / "strange.py").write_text("x = 1\n")
    assert mutate.targets(["ge.py"], project) == {"adder/strange.py": ["tests/test_adding.py", "tests/test_other.py"]}
    assert mutate.main(["--only", "nothing.py"]) == 2
    assert mutate.main(["--list", "--only", "strange.py"]) == 0
    assert capsys.readouterr().out == "adder/strange.py:1  constant: 1 -> 2\n"


def test_a_sample_is_the_same_for_the_same_seed(project: Path) -> None:
    every = mutate.chosen(["adder/adding.py"], None, 1, project)
    some = mutate.chosen(["adder/adding.py"], 3, 7, project)
    assert len(some) == 3
    assert some == mutate.chosen(["adder/adding.py"], 3, 7, project)
    assert set(some) < set(every)
    assert mutate.chosen(["adder/adding.py"], 999, 7, project) == every
