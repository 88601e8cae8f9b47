"""Tests that are loaded once and run again and again, each time in a fork in which one place of the code differs.

    mutate_server.py loaded SOURCES… -- TESTS…   the tests are loaded; a job gives functions other code
    mutate_server.py fresh MODULES… --           only what is not the project's is; a job loads the rest from disk

Started in the folder with the code; jobs and answers are lines of JSON on standard input and output. A job without
`code` runs the tests as they are; one with `traced` also tells which lines of which sources each test ran. Stands
alone: the folder may hold another version of everything else.
"""

from __future__ import annotations

import base64
import gc
import importlib
import json
import marshal
import os
import resource
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import zip_longest
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import pytest
from hypothesis import Phase, settings

#: What a mutant may need at most; one that fills the memory must not take the machine with it.
MEMORY_BYTES = 6 * 1024**3
OPTIONS = ("-q", "-p", "no:cacheprovider", "--tb=native", "--assert=plain", "--basetemp=.tests")
TOO_LONG = (signal.SIGALRM, signal.SIGPROF)
FROM_OUTSIDE = (signal.SIGHUP, signal.SIGINT, signal.SIGKILL, signal.SIGTERM)


class Tracer:
    """Lines that run in some files, in every thread."""

    def __init__(self, files: frozenset[str]) -> None:
        self._files = files
        self.lines: dict[str, set[int]] = {}

    def start(self) -> None:
        threading.settrace(self._entered)
        sys.settrace(self._entered)

    def stop(self) -> dict[str, list[int]]:
        """No further lines; what ran, by file."""
        sys.settrace(None)
        threading.settrace(None)
        found, self.lines = self.lines, {}
        return {path: sorted(lines) for path, lines in found.items()}

    def _entered(self, frame: FrameType, event: str, argument: object) -> Any:
        path = frame.f_code.co_filename
        if path not in self._files:
            return None
        lines = self.lines.setdefault(path, set())
        lines.add(frame.f_lineno)

        def ran(frame: FrameType, event: str, argument: object) -> Any:
            lines.add(frame.f_lineno)
            return ran

        return ran


def functions_of(files: frozenset[str]) -> dict[str, list[FunctionType]]:
    """All functions that were made from the code of some files, whoever holds them."""
    found: dict[str, list[FunctionType]] = {path: [] for path in files}
    for one in gc.get_objects():
        if isinstance(one, FunctionType) and one.__code__.co_filename in found:
            found[one.__code__.co_filename].append(one)
    return found


def give_code(functions: list[FunctionType], changed: CodeType) -> None:
    """Let each function of a file run what it is in the changed source: it is found by its name and first line."""
    new: dict[tuple[str, int], CodeType] = {}
    for code in _codes(changed):
        new.setdefault((code.co_qualname, code.co_firstlineno), code)
    for function in functions:
        old = function.__code__
        code = new[old.co_qualname, old.co_firstlineno]
        if code.co_freevars == old.co_freevars:
            function.__code__ = code
        elif code != old:
            # A change that no longer needs a name from around: only the one who makes the function can leave it out.
            raise ValueError(f"{old.co_qualname} cannot be changed where it is")


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from _codes(one)


class Server:
    """A plugin of pytest that does jobs where the tests would be run."""

    def __init__(self, lines: Lines, traced: frozenset[str]) -> None:
        self._lines = lines
        self._traced = traced
        self._tracer = Tracer(traced)
        self._tracer.start()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Do what is asked until nothing more is."""
        loaded = self._tracer.stop()
        items = {item.nodeid: item for item in session.items}
        functions = functions_of(self._traced)
        gc.freeze()  # pages that a fork does not write to are shared
        self._lines.tell(
            {"tests": list(items), "loaded": loaded, "failed": session.testsfailed, "modules": _modules_of_others()}
        )
        for job in self._lines.jobs():
            self._lines.tell(in_a_fork(job, partial(self._child, items, functions)))
        return True

    def _child(
        self, items: dict[str, pytest.Item], functions: dict[str, list[FunctionType]], job: dict[str, Any]
    ) -> dict[str, Any]:
        if "code" in job:
            try:
                give_code(functions[job["file"]], marshal.loads(base64.b64decode(job["code"])))
            except (KeyError, ValueError) as error:
                return {"verdict": "unchanged", "why": str(error)}
        chosen, limits = [items[one] for one in job["tests"]], job.get("limits", {})
        if job.get("traced"):
            return {"verdict": "passed", "ran": self._ran(chosen)}
        for item, after in zip_longest(chosen, chosen[1:]):
            _limit(*limits.get(item.nodeid, (0.0, 0.0)))
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            if item.session.testsfailed:
                return {"verdict": "failed", "by": item.nodeid}
        return {"verdict": "passed"}

    def _ran(self, items: list[pytest.Item]) -> dict[str, Any]:
        """Of each test: its lines, seconds, whether it passed and whether it started a process."""
        started: list[str] = []
        sys.addaudithook(lambda event, _: started.append(event) if event in _STARTS else None)
        found = {}
        for item, after in zip_longest(items, items[1:]):
            failed, processes, begun = item.session.testsfailed, len(started), time.monotonic()
            self._tracer.start()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            lines = self._tracer.stop()
            found[item.nodeid] = {
                "lines": lines,
                "seconds": round(time.monotonic() - begun, 3),
                "passed": item.session.testsfailed == failed,
                "processes": len(started) > processes,
            }
        return found


class Steady:
    """A plugin of pytest: random values the same each time, and no time spent on making a failure small."""

    def pytest_sessionstart(self) -> None:
        """After the conftest files, before the tests are loaded."""
        plain = settings(
            database=None, derandomize=True, report_multiple_bugs=False, phases=(Phase.explicit, Phase.generate)
        )
        settings.register_profile("mutants", plain)
        settings.load_profile("mutants")


_STARTS = ("os.fork", "os.posix_spawn", "os.exec", "subprocess.Popen")


class Lines:
    """Jobs and answers, as lines of JSON on what were standard input and output."""

    def __init__(self) -> None:
        self._jobs = os.fdopen(os.dup(0), encoding="utf-8")
        self._answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)

    def jobs(self) -> Iterator[dict[str, Any]]:
        """Until there are no more."""
        return map(json.loads, self._jobs)

    def tell(self, answer: dict[str, Any]) -> None:
        """Answer one."""
        self._answers.write(json.dumps(answer) + "\n")
        self._answers.flush()


def in_a_fork(job: dict[str, Any], work: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """What the work answers, or what became of the process that did it; and its seconds."""
    started = time.monotonic()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setsid()  # a group of its own: what a mutant leaves running ends with it
            _limit(job["cpu_s"], job["wall_s"])
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
            answer = json.dumps(work(job)) + "\n"
            with open(writing, "w", encoding="utf-8") as file:
                file.write(answer)
        finally:
            os._exit(70)
    os.close(writing)
    found = _waited_for(child, reading)
    return {**found, "seconds": round(time.monotonic() - started, 2)}


def _modules_of_others() -> list[str]:
    here = f"{Path.cwd()}{os.sep}"
    found = [(name, getattr(module, "__file__", None)) for name, module in sys.modules.items()]
    return [name for name, path in found if path is not None and not path.startswith(here)]


def _limit(cpu_s: float, wall_s: float) -> None:
    """End this process by a signal after so much time, zero for none: one of those that `TOO_LONG` names."""
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    signal.setitimer(signal.ITIMER_REAL, wall_s)


def _waited_for(child: int, reading: int) -> dict[str, Any]:
    """What a child found; it and all that it left running are ended."""
    told = b""
    # Not until the end of the pipe: what the child started may keep it open.
    while not told.endswith(b"\n"):
        gone = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        if select.select([reading], [], [], 0.0 if gone else 1.0)[0]:
            part = os.read(reading, 1 << 20)
            told += part
            if not part:
                os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
                break
        elif gone:
            break
    os.close(reading)
    _end_group(child)
    _, status = os.waitpid(child, 0)
    if told.endswith(b"\n"):
        found: dict[str, Any] = json.loads(told)
        return found
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in TOO_LONG:
        return {"verdict": "timeout"}
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in FROM_OUTSIDE:
        return {"verdict": "ended", "why": f"signal {os.WTERMSIG(status)}"}
    return {"verdict": "failed", "by": f"the end of the process, status {status}"}


def _end_group(child: int) -> None:
    try:
        os.killpg(child, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _fresh(lines: Lines, modules: list[str]) -> int:
    for module in modules:
        with suppress(ImportError):
            importlib.import_module(module)
    gc.freeze()
    lines.tell({})

    def work(job: dict[str, Any]) -> dict[str, Any]:
        code = pytest.main([*OPTIONS, "-x", *job["tests"]], plugins=[Steady()])
        return {"verdict": "failed" if code else "passed", "by": "a test of those files"}

    for job in lines.jobs():
        lines.tell(in_a_fork(job, work))
    return 0


def main(how: str, names: list[str], tests: list[str]) -> int:
    """Serve until standard input ends."""
    lines = Lines()
    if how == "fresh":
        return _fresh(lines, names)
    traced = frozenset(str(Path.cwd() / path) for path in names)
    return int(pytest.main([*OPTIONS, *tests], plugins=[Steady(), Server(lines, traced)]))


if __name__ == "__main__":
    # The folder of this file is none of the tests' places to find modules.
    sys.path.pop(0)
    middle = sys.argv.index("--")
    sys.exit(main(sys.argv[1], sys.argv[2:middle], sys.argv[middle + 1 :]))
