"""A copy of the code in which one mutant at a time is tested, by servers that hold the tests in memory."""

from __future__ import annotations

import base64
import compileall
import hashlib
import json
import marshal
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, Self

from tools.mutants import Mutant, mutated, mutated_code

SERVER = Path(__file__).with_name("mutate_server.py")
#: A test runs hundreds of times here, so property tests try fewer examples.
FEWER = {"FEWER_EXAMPLES": "20"}
#: Runs of the tests, when a signal ends them.
ENDED_FROM_OUTSIDE = 3
#: Seconds that a test may need on a busy machine, and of the processor: so a loop without end is found.
WALL_S, CPU_S = 20.0, 4.0
#: Seconds of tests for one mutant, as they took while their lines were noted.
PATIENCE_S = 30.0
ANOTHER_SECOND_NS = 10 * 10**9

Verdict = Literal["killed", "timeout", "survived"]


@dataclass(frozen=True, slots=True)
class Result:
    """What the tests said of a mutant; `by` is the test that noticed it."""

    mutant: Mutant
    verdict: Verdict
    seconds: float
    by: str = ""


class Log:
    """Verdicts as lines of JSON, each with the digest of its source, so that a long run can be gone on with."""

    def __init__(self, path: Path | None, sources: Mapping[str, bytes]) -> None:
        self._path = path
        self._digests = {name: hashlib.sha256(text).hexdigest() for name, text in sources.items()}

    def add(self, result: Result) -> None:
        """Append one."""
        if self._path is not None:
            line = {"source": self._digests[result.mutant.path], **asdict(result)}
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def killed(self, mutants: Sequence[Mutant]) -> list[Result]:
        """Those that were killed already, in sources that are still the same: more tests do not let them live again."""
        if self._path is None or not self._path.exists():
            return []
        by_name = {(self._digests[one.path], one.path, one.number, one.after): one for one in mutants}
        found = {}
        for line in self._path.read_text(encoding="utf-8").splitlines():
            one = json.loads(line)
            made = one["mutant"]
            mutant = by_name.get((one["source"], made["path"], made["number"], made["after"]))
            if mutant is not None and one["verdict"] != "survived":
                found[mutant] = Result(mutant, one["verdict"], one["seconds"], one["by"])
        return list(found.values())


@dataclass(frozen=True, slots=True)
class TestRun:
    """What a test did without a mutant: its lines by source, and its seconds while they were noted."""

    __test__ = False

    lines: Mapping[str, frozenset[int]]
    seconds: float
    processes: bool


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which test ran what, and what ran already while the tests were loaded."""

    tests: Mapping[str, TestRun] = field(default_factory=dict)
    loaded: Mapping[str, frozenset[int]] = field(default_factory=dict)
    modules: tuple[str, ...] = ()

    def fresh(self, mutant: Mutant) -> bool:
        """Whether the mutant shows only in a source that is loaded anew."""
        first, last = mutant.lines
        return not mutant.in_function or any(first <= line <= last for line in self.loaded.get(mutant.path, ()))

    def tests_of(self, mutant: Mutant, files: Sequence[str]) -> list[str]:
        """Tests that run the mutant's lines, the quick ones first; then those that start processes, which may.

        Of a mutant that shows only in a source loaded anew: every test. No more than `PATIENCE_S` allows: what only
        slower tests notice counts as a survivor.
        """
        own = {name: run for name, run in self.tests.items() if name.partition("::")[0] in files}
        first, last = mutant.lines
        ran = [
            name for name, run in own.items() if any(first <= line <= last for line in run.lines.get(mutant.path, ()))
        ]
        perhaps = [name for name, run in own.items() if name not in ran and (run.processes or self.fresh(mutant))]
        quick = [*sorted(ran, key=self._seconds), *sorted(perhaps, key=self._seconds)]
        spent = list(accumulate(map(self._seconds, quick)))
        return [name for name, seconds in zip(quick, spent, strict=True) if seconds <= PATIENCE_S]

    def _seconds(self, name: str) -> float:
        return self.tests[name].seconds


class _Asked:
    """A server, and its answers."""

    def __init__(self, folder: Path, *words: str) -> None:
        environ = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"} | FEWER
        self._process = subprocess.Popen(
            [sys.executable, str(SERVER), *words], cwd=folder, env=environ, text=True, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        #: What it tells before it is asked.
        self.hello = self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.communicate()
            raise SystemExit("the tests cannot be loaded")
        found: dict[str, Any] = json.loads(line)
        return found

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        """The answer; a signal from outside is no verdict: then the tests are run again."""
        assert self._process.stdin is not None
        for _ in range(ENDED_FROM_OUTSIDE):
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
            answer = self._read()
            if answer["verdict"] != "ended":
                return answer
        raise SystemExit(f"the tests were ended from outside, again and again: {answer['why']}")


class Bench:
    """One copy, and its servers."""

    def __init__(self, folder: Path, root: Path, copied: Sequence[str], sources: Sequence[str], files: Sequence[str]):
        self._folder = folder
        ignored = shutil.ignore_patterns("__pycache__", ".work", ".peers", ".hypothesis", "*.pyc")
        for name in copied:
            if (root / name).is_dir():
                shutil.copytree(root / name, folder / name, ignore=ignored)
            else:
                shutil.copy2(root / name, folder / name)
        # For the processes that tests start; a changed source is given another time, and is read anew.
        compileall.compile_dir(folder, quiet=2)
        self._servers = ExitStack()
        self._loaded = self._servers.enter_context(_Asked(folder, "loaded", *sources, "--", *files))
        self._hello = self._loaded.hello
        if self._hello["failed"]:
            self._servers.close()
            raise SystemExit("the tests cannot be loaded")
        self.coverage = Coverage()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._servers.close()

    @cached_property
    def _fresh(self) -> _Asked:
        return self._servers.enter_context(_Asked(self._folder, "fresh", *self._hello["modules"], "--"))

    def look(self) -> Coverage:
        """Run every test as it is, and note what it runs."""
        tests = self._hello["tests"]
        found = self._loaded.ask({"tests": tests, "traced": True, "cpu_s": 3600.0, "wall_s": 3600.0})
        failed = [name for name, run in found["ran"].items() if not run["passed"]]
        if failed:
            raise SystemExit(f"the tests fail without any mutant: {' '.join(failed)}")
        runs = {
            name: TestRun(self._by_source(run["lines"]), run["seconds"], run["processes"])
            for name, run in found["ran"].items()
        }
        return Coverage(runs, self._by_source(self._hello["loaded"]), tuple(self._hello["modules"]))

    def _by_source(self, lines: dict[str, list[int]]) -> dict[str, frozenset[int]]:
        return {str(Path(path).relative_to(self._folder)): frozenset(found) for path, found in lines.items()}

    def still_pass(self, results: Sequence[Result], fresh: Sequence[str]) -> None:
        """Tests that noticed mutants must pass without one, also at the end; those of `fresh` in a fresh process."""
        tests = {one.by for one in results} & self.coverage.tests.keys()
        no_limit = {"cpu_s": 3600.0, "wall_s": 3600.0}
        found = [self._loaded.ask({"tests": sorted(tests), **no_limit})]
        if fresh:
            found.append(self._fresh.ask({"tests": list(fresh), **no_limit}))
        for one in found:
            if one["verdict"] != "passed":
                raise SystemExit(f"a test fails without any mutant: {one}")

    def judge(self, mutant: Mutant, files: Sequence[str]) -> Result:
        """Put the mutant in, run the tests, put the source back."""
        target = self._folder / mutant.path
        source, times = target.read_text(encoding="utf-8"), target.stat()
        try:
            target.write_text(mutated(source, mutant.number), encoding="utf-8")
            # compiled code is taken for that of a source of the same size and second: this one is of another second
            os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns + ANOTHER_SECOND_NS))
            tests = self.coverage.tests_of(mutant, files)
            if not self.coverage.fresh(mutant):
                code = marshal.dumps(mutated_code(source, mutant.number, str(target)))
                answer = self._asked(tests, file=str(target), code=base64.b64encode(code).decode())
            if self.coverage.fresh(mutant) or answer["verdict"] == "unchanged":
                limits = {"cpu_s": 20.0 + 3 * PATIENCE_S, "wall_s": 60.0 + 10 * PATIENCE_S}
                answer = self._fresh.ask({"tests": tests, **limits}) if tests else {"verdict": "passed", "seconds": 0.0}
        finally:
            target.write_text(source, encoding="utf-8")
            os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))
        verdicts: dict[str, Verdict] = {"failed": "killed", "timeout": "timeout", "passed": "survived"}
        return Result(mutant, verdicts[answer["verdict"]], answer["seconds"], answer.get("by", ""))

    def _asked(self, tests: Sequence[str], **more: str) -> dict[str, Any]:
        usual_s = {one: self.coverage.tests[one].seconds for one in tests}
        limits = {one: [CPU_S + 3 * seconds, WALL_S + 10 * seconds] for one, seconds in usual_s.items()}
        return self._loaded.ask({"tests": list(tests), "limits": limits, "cpu_s": 0.0, "wall_s": 0.0, **more})
