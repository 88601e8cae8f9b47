"""docs/peers.md: what other tools got wrong, and the tests that it is never got wrong here."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

HEAD = """# What other tools got wrong

One failure of another tool to a row, by name, with where it is told and what happens here instead. The tests named
after it drive this project through that failure. A name without a test fails `make check`.

| Name | What happened there, and what happens here | Tests |
|---|---|---|
"""

TAIL = """
## What these tests do not show

- `toggle_recreates`, `drift_blind`, `old_table_removed`: the program is applied by the sandbox's engine. That
  Pulumi's own engine and the AWS provider replace nothing either has to be seen in a preview on an account.
- `replica_first_apply`: the order is declared and kept by the sandbox; that AWS accepts it needs an account.
- `restore_args_replace`, `rds_destroyed_next_apply`: what is declared at an adoption. The import itself is the
  provider's, and nothing here restores a database.
- `role_mid_restore`: the refusal is injected. That a changed role, an `aws:SourceIp` rule or a disabled key has
  that effect is AWS's doing, and no command tries the rights of a role before a restore begins.
- `backup_without_restore`: a table comes back from every kind, but only point-in-time recovery and the system
  backup of a deleted table have a drill of their own.
- `returned_early`: a backup in the sandbox is there at once, so that only exports, imports and restores are given
  up.
- `silent_dump_failure`: the alarms are declared; that CloudWatch raises them needs an account.
"""

#: Every name there must be a test for, in the order of the page.
NAMES = (
    "delete_before_check", "wildcard_strangers", "nested_binary", "gave_up_quietly", "worker_died_run_ok",
    "settings_forgotten", "unsafe_unpack", "typo_swallowed", "lossy_types", "csv_by_split", "resend_at_once",
    "returned_early", "test_asserts_error", "backup_without_restore", "keys_as_text", "set_order", "first_five_files",
    "tail_dropped", "revert_over_good", "sampled_output", "updates_unsupported", "vacuous_pass",
    "more_rate_more_loss", "ttl_on_source", "first_bad_line", "import_says_done", "pinned_window", "stale_counts",
    "role_mid_restore", "toggle_recreates", "drift_blind", "replica_pitr_false", "replica_first_apply",
    "old_table_removed", "restore_args_replace", "rds_destroyed_next_apply", "wide_example", "bytes_only_at_restore",
    "empty_listing", "no_reason", "silent_dump_failure", "denied_is_absent", "truncated_is_empty", "sleeps_for_hours",
    "once_only_cursor",
)  # fmt: skip

#: Where such tests are.
FILES = (
    "contract/test_peers*.py",
    "sandbox/drill/test_peers*.py",
    "sandbox/flows/test_import_into.py",
    "sandbox/flows/test_repairing.py",
)


def page() -> str:
    """The whole page, without the notice that it is made; ValueError for a name without a test, or the other way."""
    found = _tests()
    for name in NAMES:
        if name not in {test.name.removeprefix("test_") for _, test in found[name]} | {"test_asserts_error"}:
            raise ValueError(f"no test_{name} in {', '.join(FILES)}")
    return HEAD + "".join(_row(name, found[name]) for name in NAMES) + TAIL


def _row(name: str, tests: list[tuple[str, ast.FunctionDef]]) -> str:
    tests = sorted(tests, key=lambda one: len(one[1].name))
    text = " ".join((ast.get_docstring(tests[0][1]) or "").split()).replace("|", "\\|")
    return f"| `{name}` | {text} | {', '.join(f'`{file}::{test.name}`' for file, test in tests)} |\n"


def _tests() -> dict[str, list[tuple[str, ast.FunctionDef]]]:
    """Tests of each name, with their file: those that are called like it, or begin with it."""
    found: dict[str, list[tuple[str, ast.FunctionDef]]] = defaultdict(list)
    for path, test in _functions():
        file = str(path.relative_to(ROOT))
        names = [name for name in NAMES if test.name == name or f"{test.name}_".startswith(f"test_{name}_")]
        if names:
            found[max(names, key=len)].append((file, test))
        elif path.parent.name == "contract":
            raise ValueError(f"{file}::{test.name} is about no failure of another tool")
    return found


def _functions() -> Iterator[tuple[Path, ast.FunctionDef]]:
    for pattern in FILES:
        for path in sorted((ROOT / "tests").glob(pattern)):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                    yield path, node
