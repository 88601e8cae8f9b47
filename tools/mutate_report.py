"""What mutation testing found, as a table and as the document that explains each survivor."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tools.mutants import Mutant
from tools.mutate_bench import Result

#: Of a mutant, whatever its line: source, place, change.
Name = tuple[str, str, str]
Reasons = Mapping[Name, str]


HEAD = """# Mutation testing

<!-- Written by: make mutate MUTATE="--write docs/mutation.md"; the reasons are kept in tools/survivors.toml. -->

The code that proves a recovery and the writer are changed in one place at a time: a comparison turned, a number or
text altered, a statement left out. A change that no test notices is a survivor; each is listed with its reason."""
FOOT = """Left alone are docstrings, types, decorators, imports, words of errors, and numbers that decide how fast or
how large, never what (`TUNING` in tools/mutants.py). "By time" are mutants that never end."""


def one_of(mutant: Mutant) -> Name:
    """What a mutant is called among the explained ones."""
    return mutant.path, mutant.place, f"{mutant.before} → {mutant.after}"


def read_reasons(path: Path) -> dict[Name, str]:
    """Why mutants survive, from a file of `[[survivor]]` tables; several changes may share a reason."""
    if not path.exists():
        return {}
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        (one["path"], one.get("place", ""), change): one["why"]
        for one in found.get("survivor", ())
        for change in one["changes"]
    }


def share(results: Sequence[Result]) -> float:
    """Killed mutants in percent."""
    return 100 * sum(one.verdict != "survived" for one in results) / max(1, len(results))


def table(results: Sequence[Result]) -> list[str]:
    """Counts by file."""
    lines = ["| source | mutants | killed | of these by time | survived |", "|---|---|---|---|---|"]
    by_path: dict[str, Counter[str]] = {}
    for one in results:
        by_path.setdefault(one.mutant.path, Counter())[one.verdict] += 1
    rows = [*sorted(by_path.items()), ("**all**", sum(by_path.values(), Counter()))]
    for path, found in rows:
        killed = found["killed"] + found["timeout"]
        lines.append(f"| {path} | {found.total()} | {killed} | {found['timeout']} | {found['survived']} |")
    return lines


def report(results: Sequence[Result], reasons: Reasons) -> str:
    """The table, the score, and the survivors that nobody has explained."""
    lines = [*table(results), "", f"{share(results):.1f} % killed", ""]
    for one in survivors(results):
        if one_of(one) not in reasons:
            lines.append(f"- `{one.path}:{one.line}` {one.kind}: `{one.before}` → `{one.after}`")
    return "\n".join(lines)


def survivors(results: Sequence[Result]) -> list[Mutant]:
    """In the order of their places."""
    return [one.mutant for one in results if one.verdict == "survived"]


def document(results: Sequence[Result], reasons: Reasons, of: int, root: Path) -> str:
    """The committed document; `of` is how many mutants there are, of which the results may be a sample."""
    left = survivors(results)
    explained = sum(one_of(one) in reasons for one in left)
    lines = [
        *HEAD.splitlines(),
        "",
        f"**{share(results):.1f} %** of {_sampled(len(results), of)} were killed; {len(left)} survived, and the",
        f"reasons of {explained} are told.",
        f"Measured on {datetime.now(UTC):%Y-%m-%d} at {_commit(root)} with {_machine()}.",
        "",
        *table(results),
        "",
        *FOOT.splitlines(),
        "",
        "## Survivors",
    ]
    for path in sorted({one.path for one in left}):
        lines += ["", f"### {path}", "", "| line | in | change | why it lives |", "|---|---|---|---|"]
        for one in left:
            if one.path == path:
                why = reasons.get(one_of(one), "**not explained**")
                change = f"{_code(one.before)} → {_code(one.after)}"
                lines.append(f"| {one.line} | {_code(one.place) if one.place else 'module'} | {change} | {why} |")
    return "\n".join(lines) + "\n"


def _sampled(count: int, of: int) -> str:
    return f"all {of:,} mutants" if count == of else f"a random sample of {count:,} of the {of:,} mutants"


def _code(text: str) -> str:
    short = text if len(text) <= 100 else text[:97] + "…"
    return "`" + short.replace("|", "\\|").replace("`", "'") + "`"


def _commit(root: Path) -> str:
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True)
    return f"commit {found.stdout.strip()}" if found.returncode == 0 else "no commit"


def _machine() -> str:
    return f"Python {platform.python_version()} on {sys.platform} {platform.machine()}, {os.cpu_count()} processors"
