"""`make stacks`: both example stacks applied to a sandbox of their own, every declared setting beside the one found.

No Pulumi CLI and no account is needed. After each stack come a second apply, which must change nothing, and one with
one changed value. The program ends with 1 when a setting differs without a listed reason, when a second apply changes
something, or when the changed value is not one update.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import yaml  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from ops.sandbox.deploy import Deployment

ROOT = Path(__file__).resolve().parent.parent
STACKS = ("Pulumi.dev.yaml", "Pulumi.prod.yaml.example")
CHANGE = {"dynamo-ops:backupAgeDays": "3"}
START_S = 60


def configuration(name: str) -> dict[str, str]:
    """A stack's file as the CLI hands it to the program: text by key."""
    found = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))["config"]
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in found.items()}


def lines(deployment: Deployment) -> Iterator[str]:
    """One line per declared setting: the value found, or the reason why it is not looked at."""
    for setting in deployment.settings:
        where = f"{setting.urn.split('::')[2].rsplit('$', 1)[-1].rsplit(':', 1)[1]} {setting.urn.rsplit('::', 1)[1]}"
        declared = f"{where}.{setting.setting}: declared {setting.declared!r}"
        if setting.note:
            yield f"listed   {declared}: {setting.note}"
        elif setting.found == setting.declared:
            yield f"found    {declared}"
        else:
            yield f"DIFFERS  {declared}, found {setting.found!r}"


def show(name: str, endpoint: str, state_file: Path) -> bool:
    """Apply a stack three times and print what came of it; whether everything held."""
    from ops.sandbox.deploy import apply

    def run(**more: str) -> Deployment:
        return apply(
            endpoint=endpoint, state_file=state_file, project="dynamo-ops", stack="shown",
            config={**configuration(name), **more}, program=ROOT / "infra",
        )  # fmt: skip

    first = run()
    again, changed = run(), run(**CHANGE)
    noted = sum(bool(setting.note) for setting in first.settings)
    found = len(first.settings) - noted - len(first.differences)
    said = [
        f"# {name}",
        *lines(first),
        f"{name}: {len(first.operations)} resources, {len(first.settings)} settings declared, "
        f"{found} found as declared, {noted} listed, {len(first.differences)} differ",
        f"{name}: second apply {again.counts}; {', '.join(CHANGE)} changed: {changed.counts}",
    ]
    sys.stdout.write("\n".join([*said, ""]))
    return not first.differences and set(again.counts) == {"same"} and changed.counts.get("update") == 1


def main() -> None:
    """One server per stack: their tables have the same names."""
    held = []
    for name in STACKS:
        with tempfile.TemporaryDirectory() as folder:
            server = subprocess.Popen([sys.executable, "-m", "ops.sandbox.server", "--folder", folder], cwd=ROOT)
            try:
                held.append(show(name, _endpoint(server, Path(folder)), Path(folder) / "state" / "deploy.json"))
            finally:
                server.terminate()
                server.wait(10)
    sys.exit(0 if all(held) else 1)


def _endpoint(server: subprocess.Popen[bytes], folder: Path) -> str:
    deadline = time.monotonic() + START_S
    while not (folder / "aws.json").exists():
        if server.poll() is not None or time.monotonic() > deadline:
            sys.exit("the sandbox did not start")
        time.sleep(0.1)
    return f"http://127.0.0.1:{json.loads((folder / 'aws.json').read_text())['port']}"


if __name__ == "__main__":
    main()
