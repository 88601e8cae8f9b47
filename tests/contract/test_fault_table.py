"""The table of faults names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_every_row_of_the_table_of_faults_names_tests_that_exist() -> None:
    rows = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8").splitlines()
    table = [row for row in rows if row.startswith("| ") and not row.startswith("| Fault")]
    assert len(table) > 15
    for row in table:
        named = NAMED.findall(row)
        assert named, row
        for file, test in named:
            tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
            assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{file}::{test}"
