"""The resources of the dev stack, as a committed file: a change of the program shows up in review, line by line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from infra.config import StackConfig
from infra.stack import Stack

ROOT = Path(__file__).parents[3]
GOLDEN = Path(__file__).parent / "dev-stack.txt"


def test_the_dev_stack_declares_what_its_preview_says(record: Callable[..., Any]) -> None:
    found = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())["config"]
    values = {name.removeprefix("dynamo-ops:"): text for name, text in found.items() if name.startswith("dynamo-ops:")}
    config = StackConfig.from_values("dynamo-ops", "dev", found["aws:region"], values)
    lines = [_line(entry) for entry in record(lambda: Stack(config)).resources]
    assert sorted(lines) == GOLDEN.read_text(encoding="utf-8").splitlines()


def _line(entry: Any) -> str:
    kept = " protected retained" if entry.protect and entry.retain else ""
    settings = ",".join(sorted(name for name in entry.inputs if not name.startswith("__")))
    return f"{entry.type} {entry.name}{kept} {settings}".rstrip()
