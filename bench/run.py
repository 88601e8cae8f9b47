"""Runs the cases side by side: every round runs each case once, each in a process of its own."""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench import child, items, machine, pages, servers
from bench.cases import Case, all_cases
from bench.child import CaseFailed
from bench.report import markdown
from bench.results import Outcome, Sample, committed_ratios, document, missed, ratios, worse
from bench.servers import NotServed, Server
from bench.window import Job

HERE = Path(__file__).parent
ROOT = HERE.parent
WORK = HERE / ".work"
PEERS = HERE / ".peers"
RESULTS, PAGE = HERE / "results.json", HERE / "RESULTS.md"
RUNS = 5
CASE_LIMIT_S = 300.0
DESCRIPTION = {
    "TableName": "bench",
    "TableStatus": "ACTIVE",
    "TableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/bench",
    "TableId": "00000000-0000-4000-8000-000000000000",
    "CreationDateTime": 1763712000.0,
    "ItemCount": 0,
    "TableSizeBytes": 0,
    "AttributeDefinitions": [
        {"AttributeName": "artist_id", "AttributeType": "S"},
        {"AttributeName": "id", "AttributeType": "S"},
    ],
    "KeySchema": [{"AttributeName": "artist_id", "KeyType": "HASH"}, {"AttributeName": "id", "KeyType": "RANGE"}],
    "ProvisionedThroughput": {"NumberOfDecreasesToday": 0, "ReadCapacityUnits": 100, "WriteCapacityUnits": 100},
}


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("patterns", nargs="*", metavar="CASE", help="cases by name or pattern, such as 'write-track.*'")
    parser.add_argument("--list", action="store_true", help="list the cases and stop")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"runs of each case (default {RUNS})")
    parser.add_argument("--full", action="store_true", help="with the compare of two million items")
    parser.add_argument("--check", action="store_true", help="exit 1 when a ratio became more than 10 %% worse")
    parser.add_argument("--no-write", action="store_true", help="leave RESULTS.md and results.json as they are")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run, print the page, write it."""
    options = arguments(argv)
    chosen = choose(options.patterns, full=options.full)
    if options.list:
        print("\n".join(f"{case.name:26} {case.title}" for case in chosen))
        return 0
    if not chosen:
        print("no case has such a name; see --list", file=sys.stderr)
        return 2
    servers.build()
    make_peers({case.interpreter for case in chosen})
    outcomes = [Outcome(case) for case in chosen]
    commit, measured = _commit(), sources(ROOT)
    with Stage() as stage:
        for number in range(options.runs):
            one_round(stage, outcomes, number, options.runs)
    head = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": commit,
        "runs": options.runs,
        "machine": machine.describe(),
        "peers": machine.peers(),
        "server_share": server_share(outcomes),
        "others": others(outcomes),
    }
    lost = worse(ratios(outcomes), committed_ratios(RESULTS))
    page = markdown(outcomes, head, lost)
    print(page)
    if sources(ROOT) != measured:
        print(
            "the sources changed during the runs: nothing written, these figures are of no one state", file=sys.stderr
        )
        return 3
    # A part of the cases would replace the whole table.
    if not (options.no_write or options.patterns):
        RESULTS.write_text(json.dumps(document(outcomes, head), indent=1) + "\n", encoding="utf-8")
        PAGE.write_text(page, encoding="utf-8")
    for line in (*(f"missed: {line}" for line in missed(outcomes)), *(f"worse: {line}" for line in lost)):
        print(line, file=sys.stderr)
    return 1 if options.check and lost else 0


def choose(patterns: Sequence[str], *, full: bool) -> list[Case]:
    """The cases of the patterns, peers included, because a ratio needs both."""
    found = [case for case in all_cases() if full or not case.only_full]
    if not patterns:
        return found
    names = {case.name for case in found if any(fnmatch.fnmatch(case.name, pattern) for pattern in patterns)}
    names |= {case.peer for case in found if case.name in names and case.peer}
    return [case for case in found if case.name in names]


def one_round(stage: Stage, outcomes: Sequence[Outcome], number: int, runs: int) -> None:
    """Each case once."""
    for outcome in outcomes:
        case = outcome.case
        if outcome.not_run:
            continue
        started = time.monotonic()
        try:
            outcome.samples.append(stage.run(case))
        except (NotServed, CaseFailed) as error:
            outcome.samples, outcome.not_run = [], str(error)
        took = time.monotonic() - started
        told = outcome.not_run or f"{outcome.figures[-1]:,.2f}"
        print(f"[{number + 1}/{runs}] {case.name:26} {told}  ({took:.1f} s)", file=sys.stderr, flush=True)


def server_share(outcomes: Sequence[Outcome]) -> float:
    """The largest share of a run's wall time that the C server was busy; limits ask it for nothing else."""
    clients = [one for one in outcomes if one.case.server not in ("moto", "sandbox")]
    clients = [one for one in clients if not one.case.work.startswith("limits:")]
    shares = [sample.server_cpu_s / sample.wall_s for one in clients for sample in one.samples if sample.wall_s]
    return max(shares, default=0.0)


def others(outcomes: Sequence[Outcome]) -> tuple[float, float]:
    """Median and largest share of the machine that other work took during a run."""
    shares = [sample.others for one in outcomes for sample in one.samples]
    return (median(shares), max(shares)) if shares else (0.0, 0.0)


class Stage:
    """The servers and data that the cases share; started when first needed, stopped at the end."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._servers: dict[tuple[str, int], Server] = {}

    def __enter__(self) -> Stage:
        WORK.mkdir(exist_ok=True)
        (WORK / "table.json").write_text(json.dumps(DESCRIPTION))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, case: Case) -> Sample:
        """One run in a fresh process; CaseFailed when it did not do all of its work."""
        with self._server(case) as server, self._folder() as folder:
            job = self._job(case, server, folder)
            if server is not None:
                server.take()
            measures = _child(case, job, server)
            load = server.take() if server is not None else None
        if measures["items"] != case.items:
            raise CaseFailed(f"{measures['items']} of {case.items} items done")
        if server is not None and load is not None and server.counts and load.items != case.items:
            raise CaseFailed(f"the server saw {load.items} of {case.items} items")
        return Sample(**{"server_cpu_s": load.cpu_s if load else 0.0, **measures})

    def _job(self, case: Case, server: Server | None, folder: Path) -> Job:
        job = Job(
            case.work.partition(":")[2],
            case.kind,
            case.items,
            options={**case.options, "table": str(WORK / "table.json")},
        )
        if case.server not in ("pages", "pages-apart") and case.group not in ("start", "sandbox-start"):
            job = replace(job, files=tuple(map(str, items.write_export(WORK, case.kind, case.items))))
        if case.group == "compare":
            job = replace(job, others=tuple(map(str, items.write_other_side(WORK, case.kind, case.items))))
        if server is not None and server.beside:
            job = replace(job, options={**job.options, "endpoints": [one.url for one in server.all]})
        if server is not None and not server.counts:
            job = replace(job, server_pid=server.pid)
        return replace(job, endpoint=server.url if server else "", folder=str(folder))

    @contextmanager
    def _server(self, case: Case) -> Iterator[Server | None]:
        if case.server == "none":
            yield None
        elif case.server in ("moto", "sandbox"):
            # A fresh one for each run: both keep all they were given.
            with (servers.moto if case.server == "moto" else servers.sandbox)(WORK) as fresh:
                yield fresh
        else:
            yield self._shared(case)

    def _shared(self, case: Case) -> Server:
        replays = case.server in ("pages", "pages-apart")
        place = (case.server, case.items if replays else 0)
        if place not in self._servers:
            recorded = pages.write_pages(WORK, case.kind, case.items) if replays else None
            self._servers[place] = self._stack.enter_context(_started(case.server, recorded))
        return self._servers[place]

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        folder = WORK / f"run-{os.getpid()}-{time.monotonic_ns()}"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _started(kind: str, recorded: Path | None) -> AbstractContextManager[Server]:
    table = WORK / "table.json"
    if kind.endswith("-apart"):
        return servers.apart(WORK, pages=recorded, table=table)
    delay_ms = 10 if kind == "null-10ms" else 0
    return servers.dynamodb(WORK, pages=recorded, table=table, delay_ms=delay_ms, tls=kind == "null-tls")


def make_peers(wanted: set[str]) -> None:
    """An environment for each peer, because their pins of botocore exclude one another."""
    for name in sorted(wanted - {"ours"}):
        requirements, folder = HERE / "requirements" / f"{name}.txt", PEERS / name
        stamp = folder / "requirements.txt"
        if stamp.exists() and stamp.read_text() == requirements.read_text():
            continue
        print(f"installing {name} into {folder.relative_to(ROOT)}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "-r",
            str(requirements),
        ]
        subprocess.run([str(folder / "bin" / "python"), *install], check=True, stdout=sys.stderr)
        shutil.copy(requirements, stamp)


def _child(case: Case, job: Job, server: Server | None) -> dict[str, Any]:
    """What the process of a case measured of itself, and what was seen of it from outside."""
    python = sys.executable if case.interpreter == "ours" else str(PEERS / case.interpreter / "bin" / "python")
    command = [python, "-m", f"bench.{case.work.partition(':')[0]}", job.to_json()]
    pids = [one.pid for one in server.all] if server else []
    ended = child.run(command, folder=ROOT, environment=_environment(server), limit_s=CASE_LIMIT_S, server_pids=pids)
    measures: dict[str, Any] = json.loads(ended.output.strip().splitlines()[-1])
    # What is there only between two looks is known from the process itself.
    return {**measures, "peak_mb": max(measures["peak_mb"], ended.peak_mb), "others": ended.others}


def _environment(server: Server | None) -> dict[str, str]:
    """Only what a run needs: no profile, proxy or credentials of the person who runs it reaches a case."""
    found = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(WORK),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": "0",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    if server is not None:
        found["AWS_ENDPOINT_URL"] = server.url
        if server.certificate is not None:
            found["AWS_CA_BUNDLE"] = found["SSL_CERT_FILE"] = str(server.certificate)
    return found


def sources(root: Path) -> str:
    """A digest of what is measured: the library and the bench itself."""
    digest = hashlib.sha256()
    for path in sorted([*(root / "ops").rglob("*.py"), *(root / "bench").glob("*.py"), root / "bench" / "server.c"]):
        digest.update(f"{path.relative_to(root)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _commit() -> str:
    """The commit that was measured, and whether its sources were changed since."""

    def git(*words: str) -> str:
        asked = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
        return asked.stdout.strip() if asked.returncode == 0 else ""

    changed = git("status", "--porcelain", "--", "ops", "bench/*.py", "bench/server.c")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" with changes" if changed else "")
