"""Change the code in one place at a time, and see whether a test notices: mutation testing of what proves a recovery.

    python -m tools.mutate                        every mutant of every target
    python -m tools.mutate --sample 400 --seed 7  a sample, the same for the same seed and code
    python -m tools.mutate --only merge.py        targets whose path ends so

A mutant is run against the tests that run its lines. Works on copies in a temporary folder, never in the checkout.
Why a survivor survives stands in tools/survivors.toml; `--write docs/mutation.md` puts it beside the figures.
Exit 1 when fewer are killed than `--least` percent.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from queue import Empty, SimpleQueue
from random import Random

from tools.mutants import Mutant, mutants_of
from tools.mutate_bench import Bench, Log, Result
from tools.mutate_report import document, one_of, read_reasons, report, share

ROOT = Path(__file__).resolve().parent.parent
REASONS = ROOT / "tools" / "survivors.toml"
COPIED = ("ops", "loader", "infra", "tests", "tools", "bench", "pyproject.toml")
#: What a bulk write goes through, from the line of a file to the answer and the checkpoint.
WRITER = "accounting attributes batches capacity conditional durable entries lanes pipeline retry write"
_WRITER_TESTS = ("tests/unit/dynamodb", "tests/property/dynamodb", "tests/contract/test_peers.py")
#: Sources, and the folders whose tests must notice their mutants.
TARGETS = (
    ("ops/verify/*.py", ("tests/unit/verify", "tests/property/verify")),
    *((f"ops/dynamodb/{name}.py", _WRITER_TESTS) for name in WRITER.split()),
)


def targets(only: Sequence[str], root: Path) -> dict[str, list[str]]:
    """Sources, and the test files that must notice their mutants."""
    found = {}
    for pattern, folders in TARGETS:
        files = [str(file.relative_to(root)) for one in folders for file in _test_files(root / one)]
        for path in sorted(root.glob(pattern)):
            name = str(path.relative_to(root))
            if (not only or name.endswith(tuple(only))) and path.name != "__init__.py":
                found[name] = files
    return found


def _test_files(place: Path) -> list[Path]:
    return [place] if place.is_file() else sorted(place.glob("test_*.py"))


def chosen(sources: Sequence[str], sample: int | None, seed: int, root: Path) -> list[Mutant]:
    """All mutants of the sources, or a sample of them."""
    every = [one for name in sources for one in mutants_of(name, (root / name).read_text(encoding="utf-8"))]
    if sample is None or sample >= len(every):
        return every
    return sorted(Random(seed).sample(every, sample), key=lambda one: (one.path, one.number))


def judge_all(mutants: Sequence[Mutant], found: dict[str, list[str]], workers: int, log: Log) -> list[Result]:
    """Every mutant judged, by several copies at a time; the tests must pass without one first, and afterwards."""
    waiting: SimpleQueue[Mutant] = SimpleQueue()
    done: list[Result] = []
    if not mutants:
        return done
    files = sorted({file for own in found.values() for file in own})
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ExitStack() as closing:
        benches = [
            closing.enter_context(Bench(Path(folder, str(number)), ROOT, COPIED, list(found), files))
            for number in range(workers)
        ]
        coverage = benches[0].look()
        for mutant in sorted(mutants, key=coverage.fresh):  # the slow ones last
            waiting.put(mutant)

        def work(bench: Bench) -> None:
            bench.coverage = coverage
            while True:
                try:
                    mutant = waiting.get_nowait()
                except Empty:
                    return
                done.append(bench.judge(mutant, found[mutant.path]))
                log.add(done[-1])
                _say(done[-1], len(done), len(mutants))

        with ThreadPoolExecutor(workers) as pool:
            for _ in pool.map(work, benches):
                pass  # an error of a worker is raised here
        anew = {one.mutant for one in done if coverage.fresh(one.mutant)}
        benches[0].still_pass(done, sorted({name for one in anew for name in coverage.tests_of(one, found[one.path])}))
    return done


def _say(result: Result, number: int, of: int) -> None:
    mutant = result.mutant
    told = f"[{number}/{of}] {result.verdict:8} {result.seconds:5.1f} s  {mutant.path}:{mutant.line}"
    if result.verdict == "survived":
        told += f"  {mutant.kind}: {mutant.before}  ->  {mutant.after}"
    sys.stderr.write(told + "\n")
    sys.stderr.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=(), metavar="END", help="targets whose path ends so")
    parser.add_argument("--sample", type=int, help="at most so many mutants")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--least", type=float, default=93.0, help="percent that must be killed")
    parser.add_argument("--list", action="store_true", help="list the mutants and stop")
    parser.add_argument("--known", action="store_true", help="run no mutant that is explained: it counts as a survivor")
    parser.add_argument("--log", type=Path, help="verdicts to go on with: what was killed there is not run")
    parser.add_argument("--write", type=Path, help="write the document with the survivors and why they survive")
    parser.add_argument("--json", type=Path, help="write every verdict to this file")
    options = parser.parse_args(argv)
    found = targets(options.only, ROOT)
    mutants = chosen(list(found), options.sample, options.seed, ROOT)
    if not mutants:
        sys.stderr.write("no target has such a name\n")
        return 2
    if options.list:
        sys.stdout.writelines(f"{one.path}:{one.line}  {one.kind}: {one.before} -> {one.after}\n" for one in mutants)
        return 0
    reasons = read_reasons(REASONS)
    log = Log(options.log, {name: (ROOT / name).read_bytes() for name in found})
    results = log.killed(mutants)
    killed = {one.mutant for one in results}
    known = [one for one in mutants if options.known and one not in killed and one_of(one) in reasons]
    results += [Result(one, "survived", 0.0) for one in known]
    settled = killed.union(known)
    results += judge_all([one for one in mutants if one not in settled], found, options.workers, log)
    if options.json is not None:
        text = json.dumps([asdict(one) for one in results], indent=1, ensure_ascii=False)
        options.json.write_text(text + "\n", encoding="utf-8")
    results.sort(key=lambda one: (one.mutant.path, one.mutant.number))
    if options.write is not None:
        options.write.write_text(
            document(results, reasons, len(chosen(list(found), None, 0, ROOT)), ROOT), encoding="utf-8"
        )
    sys.stdout.write(report(results, reasons) + "\n")
    return 0 if share(results) >= options.least else 1


if __name__ == "__main__":
    sys.exit(main())
