"""The state file of an apply: which resources exist, what was declared for them. Never a secret in clear."""

import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ops.errors import SandboxBroken, StateFolderUnusable
from ops.sandbox.deploy.model import Record

SCHEMA = "ops.sandbox.deployment/1"


@dataclass(slots=True)
class State:
    """Resources by URN in order of creation, and the salt of the digests that stand for secrets.

    `replaced` are predecessors that still exist: they go once everything that used them has moved on.
    """

    project: str
    stack: str
    salt: str
    records: dict[str, Record] = field(default_factory=dict)
    replaced: list[Record] = field(default_factory=list)


def load(path: Path, project: str, stack: str) -> State:
    """The state in `path`, or a new one; SandboxBroken when the file is damaged or of another stack."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return State(project, stack, salt=secrets.token_hex(16))
    except OSError as error:
        raise StateFolderUnusable(f"the state file {path} cannot be read: {error.strerror}") from error
    try:
        data = json.loads(text)
        found = _parse(data)
    except (ValueError, KeyError, TypeError) as error:
        raise SandboxBroken(
            f"the state file {path} is damaged",
            why=f"it is not a complete {SCHEMA} document ({error}); a write was probably interrupted",
        ) from error
    if (found.project, found.stack) != (project, stack):
        raise SandboxBroken(
            f"the state file {path} belongs to another stack",
            why=f"it describes {found.project}/{found.stack}, not {project}/{stack}",
        )
    return found


def _parse(data: Any) -> State:
    if data["schema"] != SCHEMA:
        raise ValueError(f"schema is {data['schema']!r}")
    records = [Record(**entry) for entry in data["resources"]]
    replaced = [Record(**entry) for entry in data.get("replaced", ())]
    return State(data["project"], data["stack"], data["salt"], {record.urn: record for record in records}, replaced)


def save(path: Path, state: State) -> None:
    """Write the state whole or not at all, readable by its owner only."""
    document = {
        "schema": SCHEMA,
        "project": state.project,
        "stack": state.stack,
        "salt": state.salt,
        "resources": [asdict(record) for record in state.records.values()],
        "replaced": [asdict(record) for record in state.replaced],
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(document, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StateFolderUnusable(
            f"the state file {path} cannot be written: {error.strerror}",
            changed="resources were applied, but the state does not know of the last ones",
        ) from error
