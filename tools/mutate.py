"""Change the code in one place at a time, and see whether a test notices: mutation testing of what proves a recovery.

    python tools/mutate.py                        every mutant of every target
    python tools/mutate.py --sample 400 --seed 7  a sample, the same for the same seed and code
    python tools/mutate.py --only merge.py        targets whose path ends so

Works on copies in a temporary folder, never in the checkout. Exit 1 when fewer are killed than `--least` percent.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from random import Random
from typing import Literal

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("ops", "loader", "infra", "tests", "tools", "bench", "pyproject.toml")
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".work", ".peers", ".hypothesis", "*.pyc")
#: Sources, and the folders whose tests must notice their mutants: those tests that name the module.
TARGETS = (
    ("ops/verify/*.py", ("tests/unit/verify", "tests/property/verify")),
    ("ops/dynamodb/write.py", ("tests/unit/dynamodb", "tests/property/dynamodb")),
)
#: Numbers that decide how fast or how large, never what: no test may depend on them.
TUNING = frozenset(
    {
        "AT_ONCE", "ATTEMPTS", "BLOCK_BYTES", "CHECK_EVERY", "MEMORY_LIMIT_BYTES", "SHAPES", "_BATCH", "_DEPTH",
        "_GROUPS", "_KEPT_ITEMS", "_LONGEST_LINE", "_PACKED_BYTES", "_SETTLED_DEPTH", "_WORTH",
        "_WORTH_A_PROCESS_BYTES", "_WORTH_A_PROCESS_ROWS",
    }
)  # fmt: skip
#: Arguments that are texts for people, or where a file lies.
WORDS = frozenset({"what", "why", "fix", "changed", "prefix", "weakness"})

#: A test runs hundreds of times here, so property tests try fewer examples.
FEWER = {"FEWER_EXAMPLES": "6"}

#: Runs of the tests, when a signal ends them.
ENDED_FROM_OUTSIDE = 3

Verdict = Literal["killed", "timeout", "survived"]

_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.Mod: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitOr, ast.Pow: ast.Mult,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: the `number`-th of the file."""

    path: str
    number: int
    line: int
    kind: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Result:
    """What the tests said of a mutant."""

    mutant: Mutant
    verdict: Verdict
    seconds: float


class _Places(ast.NodeVisitor):
    """Every node that may be changed: no docstrings, annotations, imports, decorators, or words for people."""

    def __init__(self) -> None:
        self.found: list[ast.AST] = []

    def generic_visit(self, node: ast.AST) -> None:
        self.found.append(node)
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_params"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and not _is_docstring(child):
                    self.visit(child)

    def visit_Import(self, node: ast.Import) -> None:
        """Left alone."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Left alone."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """A text for people."""

    def visit_Raise(self, node: ast.Raise) -> None:
        """The error may be left out; its words are not changed."""
        self.found.append(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg not in WORDS:
            self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        if not any(isinstance(target, ast.Name) and target.id in TUNING | {"__all__"} for target in node.targets):
            self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.generic_visit(node)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def places(tree: ast.Module) -> list[ast.AST]:
    """The nodes that may be changed, in a fixed order."""
    visitor = _Places()
    visitor.visit(tree)
    return visitor.found


def changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Kind of change and changed node, for every change of a node."""
    if isinstance(node, ast.Compare):
        for at, operator in enumerate(node.ops):
            changed = deepcopy(node)
            changed.ops[at] = _COMPARE[type(operator)]()
            yield "comparison", changed
    elif isinstance(node, (ast.BinOp, ast.AugAssign)):
        if type(node.op) in _ARITHMETIC:
            other = deepcopy(node)
            other.op = _ARITHMETIC[type(node.op)]()
            yield "arithmetic", other
    elif isinstance(node, ast.BoolOp):
        joined = deepcopy(node)
        joined.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield "boolean", joined
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "boolean", node.operand
    elif isinstance(node, ast.Constant):
        yield from _constants(node)
    yield from _flow(node)


def _constants(node: ast.Constant) -> Iterator[tuple[str, ast.AST]]:
    value = node.value
    if isinstance(value, bool):
        yield "constant", ast.Constant(not value)
    elif isinstance(value, int):
        yield "constant", ast.Constant(value + 1)
    elif isinstance(value, str) and value:
        yield "constant", ast.Constant(value + "~")
    elif isinstance(value, bytes) and value:
        yield "constant", ast.Constant(value + b"~")


def _flow(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, (ast.If, ast.While, ast.IfExp)):
        turned = deepcopy(node)
        turned.test = ast.UnaryOp(ast.Not(), node.test)
        yield "condition", turned
    elif isinstance(node, ast.comprehension) and node.ifs:
        open_ = deepcopy(node)
        open_.ifs = []
        yield "condition", open_
    elif isinstance(node, ast.Return) and node.value is not None:
        if not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield "return", ast.Return(ast.Constant(None))
    elif isinstance(node, (ast.AugAssign, ast.Raise, ast.Continue, ast.Break)) or _acts(node):
        yield "deletion", ast.Pass()


def _acts(node: ast.AST) -> bool:
    """A statement that is there for what it does: a call, or a member or element that is set."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, (ast.Call, ast.Yield, ast.YieldFrom))
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], (ast.Attribute, ast.Subscript))


def mutants_of(path: str, source: str) -> Iterator[Mutant]:
    """Every mutant of a file."""
    number = 0
    for node in places(ast.parse(source)):
        for kind, changed in changes(node):
            line = int(getattr(node, "lineno", 0) or getattr(getattr(node, "target", None), "lineno", 0))
            yield Mutant(path, number, line, kind, _short(node), _short(changed))
            number += 1


def _short(node: ast.AST) -> str:
    text = ast.unparse(ast.fix_missing_locations(deepcopy(node))).strip()
    first, more, _ = text.partition("\n")
    return first + (" …" if more else "")


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self._new if node is self._old else self.generic_visit(node)


def mutated(source: str, number: int) -> str:
    """The source with its change of that number."""
    tree = ast.parse(source)
    found = ((node, changed) for node in places(tree) for _, changed in changes(node))
    for at, (node, changed) in enumerate(found):
        if at == number:
            return ast.unparse(ast.fix_missing_locations(_Replace(node, changed).visit(tree)))
    raise ValueError(f"there is no mutant {number}")


def tests_of(path: str, folders: Sequence[str], root: Path) -> list[str]:
    """Test files for a source: those that name its module, or all of the folders when none does."""
    module = re.compile(rf"\b{re.escape(path.removesuffix('.py').replace('/', '.'))}\b")
    files = [file for folder in folders for file in sorted((root / folder).glob("test_*.py"))]
    named = [file for file in files if module.search(file.read_text(encoding="utf-8"))]
    return [str(file.relative_to(root)) for file in named or files]


class Bench:
    """A copy of the code, in which one mutant at a time is tested."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=LEFT_OUT)
            else:
                shutil.copy(source, folder / name)

    def run(self, tests: Sequence[str], limit_s: float) -> tuple[int | None, float]:
        """Exit code of the tests, None when they took too long; and the seconds."""
        started = time.monotonic()
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header", *tests]
        environ = {**os.environ, "PYTHONPATH": str(self._folder), "PYTHONDONTWRITEBYTECODE": "1"} | FEWER
        # A group of its own: what a mutant leaves running ends with it.
        process = subprocess.Popen(
            command, cwd=self._folder, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            code: int | None = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end_group(process)
        return code, time.monotonic() - started

    def _run_to_its_end(self, tests: Sequence[str], limit_s: float) -> tuple[int | None, float]:
        """A signal from outside is no verdict: then the tests are run again."""
        for _ in range(ENDED_FROM_OUTSIDE):
            code, seconds = self.run(tests, limit_s)
            if code is None or code >= 0:
                return code, seconds
        raise RuntimeError("the tests were ended from outside, again and again")

    def judge(self, mutant: Mutant, tests: Sequence[str], limit_s: float) -> Result:
        """Put the mutant in, run the tests, put the source back."""
        target = self._folder / mutant.path
        source = target.read_text(encoding="utf-8")
        try:
            target.write_text(mutated(source, mutant.number), encoding="utf-8")
            code, seconds = self._run_to_its_end(tests, limit_s)
        finally:
            target.write_text(source, encoding="utf-8")
        verdict: Verdict = "timeout" if code is None else "survived" if code == 0 else "killed"
        return Result(mutant, verdict, round(seconds, 1))


def _end_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        process.wait()


def targets(only: Sequence[str], root: Path) -> dict[str, list[str]]:
    """Source and its tests."""
    found = {}
    for pattern, folders in TARGETS:
        for path in sorted(root.glob(pattern)):
            name = str(path.relative_to(root))
            if (not only or name.endswith(tuple(only))) and path.name != "__init__.py":
                found[name] = tests_of(name, folders, root)
    return found


def chosen(sources: Sequence[str], sample: int | None, seed: int, root: Path) -> list[Mutant]:
    """All mutants of the sources, or a sample of them."""
    every = [one for name in sources for one in mutants_of(name, (root / name).read_text(encoding="utf-8"))]
    if sample is None or sample >= len(every):
        return every
    return sorted(Random(seed).sample(every, sample), key=lambda one: (one.path, one.number))


def judge_all(mutants: Sequence[Mutant], tests: dict[str, list[str]], workers: int) -> list[Result]:
    """Every mutant judged, by several copies at a time; the tests must pass without one first."""
    waiting: SimpleQueue[Mutant] = SimpleQueue()
    for mutant in mutants:
        waiting.put(mutant)
    done: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        benches = [Bench(Path(folder, str(number))) for number in range(workers)]
        limits = {
            tuple(own): _limit_s(benches[0], own) for own in map(tests.__getitem__, {one.path for one in mutants})
        }

        def work(bench: Bench) -> None:
            while True:
                try:
                    mutant = waiting.get_nowait()
                except Empty:
                    return
                own = tests[mutant.path]
                done.append(bench.judge(mutant, own, limits[tuple(own)]))
                _say(done[-1], len(done), len(mutants))

        threads = [threading.Thread(target=work, args=(bench,)) for bench in benches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if len(done) < len(mutants):
        raise SystemExit(f"only {len(done)} of {len(mutants)} mutants were judged")
    return sorted(done, key=lambda one: (one.mutant.path, one.mutant.number))


def _limit_s(bench: Bench, tests: Sequence[str]) -> float:
    code, seconds = bench.run(tests, 600)
    if code != 0:
        raise SystemExit(f"the tests fail without any mutant: {' '.join(tests)}")
    return 15 + 3 * seconds


def _say(result: Result, number: int, of: int) -> None:
    mutant = result.mutant
    told = f"[{number}/{of}] {result.verdict:8} {result.seconds:5.1f} s  {mutant.path}:{mutant.line}"
    if result.verdict == "survived":
        told += f"  {mutant.kind}: {mutant.before}  ->  {mutant.after}"
    sys.stderr.write(told + "\n")
    sys.stderr.flush()


def report(results: Sequence[Result]) -> str:
    """A table by file, and the survivors."""
    lines = ["| source | mutants | killed | of these by time | survived |", "|---|---|---|---|---|"]
    by_path: dict[str, Counter[str]] = {}
    for one in results:
        by_path.setdefault(one.mutant.path, Counter())[one.verdict] += 1
    rows = [*sorted(by_path.items()), ("**all**", sum(by_path.values(), Counter()))]
    for path, found in rows:
        killed = found["killed"] + found["timeout"]
        lines.append(f"| {path} | {found.total()} | {killed} | {found['timeout']} | {found['survived']} |")
    lines += ["", f"{share(results):.1f} % killed", ""]
    for one in results:
        if one.verdict == "survived":
            mutant = one.mutant
            lines.append(f"- `{mutant.path}:{mutant.line}` {mutant.kind}: `{mutant.before}` → `{mutant.after}`")
    return "\n".join(lines)


def share(results: Sequence[Result]) -> float:
    """Killed mutants in percent."""
    return 100 * sum(one.verdict != "survived" for one in results) / max(1, len(results))


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=(), metavar="END", help="targets whose path ends so")
    parser.add_argument("--sample", type=int, help="at most so many mutants")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--least", type=float, default=93.0, help="percent that must be killed")
    parser.add_argument("--list", action="store_true", help="list the mutants and stop")
    parser.add_argument("--json", type=Path, help="write every verdict to this file")
    options = parser.parse_args(argv)
    tests = targets(options.only, ROOT)
    mutants = chosen(list(tests), options.sample, options.seed, ROOT)
    if not mutants:
        sys.stderr.write("no target has such a name\n")
        return 2
    if options.list:
        sys.stdout.writelines(f"{one.path}:{one.line}  {one.kind}: {one.before} -> {one.after}\n" for one in mutants)
        return 0
    results = judge_all(mutants, tests, options.workers)
    if options.json is not None:
        text = json.dumps([asdict(one) for one in results], indent=1, ensure_ascii=False)
        options.json.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(report(results) + "\n")
    return 0 if share(results) >= options.least else 1


if __name__ == "__main__":
    sys.exit(main())
