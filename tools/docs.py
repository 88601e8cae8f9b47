"""Write the documents that are made from the code, or check that they are up to date (`--check`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the pages are made from tests and tools too
MADE = "<!-- Made by `make docs` from the code. Do not edit. -->\n\n"


def help_of(*words: str) -> str:
    """The help page of a command, as a terminal of 80 columns shows it."""
    environ = {**os.environ, "COLUMNS": "80", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [sys.executable, "-m", "ops", *words, "--help"], capture_output=True, text=True, check=True, env=environ
    )
    return done.stdout.rstrip()


def commands(*group: str) -> list[str]:
    """Names in the `Commands:` part of a help page, in order."""
    part = help_of(*group).partition("\nCommands:\n")[2].split("\n\n")[0]
    return [line.split()[0] for line in part.splitlines() if line.startswith("  ") and not line.startswith("   ")]


def cli_page() -> str:
    """Every help page."""
    parts = [MADE + "# The `ops` command line\n", f"```text\n{help_of()}\n```\n"]
    for name in commands():
        parts.append(f"## ops {name}\n\n```text\n{help_of(name)}\n```\n")
        parts.extend(f"### ops {name} {inner}\n\n```text\n{help_of(name, inner)}\n```\n" for inner in commands(name))
    return "\n".join(parts)


def errors_page() -> str:
    """Every error code and exit code."""
    from ops.errors import WARNINGS, error_classes, exit_code_of

    exits = {
        0: "done and, where asked, proven", 1: "unexpected failure, or a verifier that missed its own control",
        2: "usage", 3: "finished, some items rejected; the file is named", 4: "verification found differences",
        5: "proven, but an RTO, RPO or freshness target was missed",
        6: "not recoverable from the requested source", 7: "refused by a guard rail", 8: "credentials or permission",
        9: "throttled or unavailable after retries; resumable", 10: "resource not found", 11: "locked by another run",
        12: "wait time over, work goes on in AWS", 130: "interrupted by Ctrl-C, safe to resume",
        143: "terminated, safe to resume",
    }  # fmt: skip
    lines = [MADE + "# Exit codes and errors\n", "| Exit | Meaning |", "|---|---|"]
    lines.extend(f"| {code} | {text} |" for code, text in exits.items())
    lines.extend(
        [
            "\nWhen several apply, the first of 1, 7, 8, 11, 10, 6, 4, 9, 12, 3, 5 is the exit code.",
            "`ops explain CODE` prints a row of the table below.\n",
            "| Code | Exit | Meaning | Way out |",
            "|---|---|---|---|",
        ]
    )
    for one in sorted(error_classes(), key=lambda one: int(one.code.removeprefix("OPS-E"))):
        lines.append(f"| {one.code} | {exit_code_of(one.code) % 1000} | {one.title} | {one.hint} |".replace("`", ""))
    lines.extend(["\n## Warnings\n", "| Code | Meaning |", "|---|---|"])
    lines.extend(f"| {code} | {text} |" for code, text in WARNINGS.items())
    return "\n".join(lines) + "\n"


def environment_schema() -> str:
    """The environment document, as JSON schema."""
    from infra.document_schema import json_schema
    from infra.environment import EnvironmentDocument

    schema = json_schema(EnvironmentDocument, "Environment document of a dynamo-ops stack")
    return json.dumps({"$comment": "Made by `make docs` from the code. Do not edit.", **schema}, indent=2) + "\n"


def sandbox_page() -> str:
    """What the sandbox claims of AWS, what it does not imitate, and how it scores."""
    from tools.sandbox_page import page

    return MADE + page()


def peers_page() -> str:
    """What other tools got wrong, and the tests for it."""
    from tools.peers_page import page

    return MADE + page()


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli_page,
    "errors.md": errors_page,
    "sandbox.md": sandbox_page,
    "peers.md": peers_page,
    "environment.schema.json": environment_schema,
}


def main() -> None:
    """Write or check every page."""
    check = "--check" in sys.argv[1:]
    stale = []
    for name, make in PAGES.items():
        path, text = ROOT / "docs" / name, make()
        if check and (not path.is_file() or path.read_text(encoding="utf-8") != text):
            stale.append(name)
        elif not check:
            path.write_text(text, encoding="utf-8")
    if stale:
        sys.exit(f"out of date: docs/{', docs/'.join(stale)}; run make docs")


if __name__ == "__main__":
    main()
