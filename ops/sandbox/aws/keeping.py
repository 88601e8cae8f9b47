"""The whole state of the AWS stand-in as one file, and back: what `ops sandbox down --keep` leaves for the next `up`.

moto's backends refer to each other and to ours, so they are written as one graph. Objects that code holds on to
(`HOLDERS`, one instance each) are not replaced by a load: their contents are. The file is a pickle: it is read only
from the private state folder, and only by the versions that wrote it, since it names their classes.
"""

from __future__ import annotations

import gc
import hashlib
import importlib
import io
import itertools
import json
import os
import platform
import sys
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dill  # type: ignore[import-untyped]
from moto.core.base_backend import BackendDict

from ops.sandbox.aws.kept import FILE, KEPT, CannotKeep
from ops.sandbox.aws.world import World

SCHEMA = 2

# every class with one instance that installed code refers to; a test compares this list with the source
HOLDERS = (
    "backup_jobs.Jobs", "bulk.BulkOperations", "clock.SandboxTime", "databases.Databases", "dax.DaxGroups",
    "faults.FaultPlan", "history.History", "imports.Imports", "rds.Instances", "recovery_points.RecoveryPoints",
    "replicas.Replicas", "restore_testing.RestoreTesting", "throughput.Meter", "transactions.Transactions",
    "ttl.Expiry", "vault.Selections", "world.Timeline", "world.World",
)  # fmt: skip
# wiring, made anew by each process
_NOT_STATE = {"World": ("lock", "sleep", "token", "durations", "asleep"), "History": ("on_commit", "_running"),
              "SandboxTime": ("_real",), "Timeline": ("_number",)}  # fmt: skip


def versions() -> dict[str, object]:
    """What must be equal for a file to be read."""
    return {
        "schema": SCHEMA,
        "python": platform.python_version(),
        **{name: version(name) for name in ("moto", "boto3", "dill", "dynamo-ops")},
    }


def save(world: World, folder: Path) -> int:
    """Write the file, whole or not at all; its size in bytes. From then on the world is asleep: it takes no call."""
    with world.lock:
        holders = _holders()
        buffer = io.BytesIO()
        pickler = _Pickler(buffer, world, holders)
        state = {"moto": _backends(), "ours": {name: _contents(one) for name, one in holders.items()}}
        try:
            pickler.dump(state)
        except (TypeError, AttributeError, ValueError, RecursionError) as error:
            raise CannotKeep(f"the state cannot be written: {error}") from error
        size_bytes = _write(folder, buffer.getvalue())
        # what would be applied from here on would be lost
        world.asleep = True
    return size_bytes


def _write(folder: Path, body: bytes) -> int:
    target, draft = folder / FILE, folder / f"{FILE}.part"
    head = json.dumps({**versions(), "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()})
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(head.encode() + b"\n" + body)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    return target.stat().st_size


def load(world: World, folder: Path) -> bool:
    """Take over a kept state; False when there is none. CannotKeep: it is damaged, or of another version."""
    try:
        head, _, body = (folder / FILE).read_bytes().partition(b"\n")
    except FileNotFoundError:
        return False
    _check(head, body)
    with world.lock:
        holders = _holders()
        state = _Unpickler(io.BytesIO(body), world, holders).load()
        for (module, name), accounts in state["moto"].items():
            _take_over(getattr(importlib.import_module(module), name), accounts)
        for name, contents in state["ours"].items():
            for member, value in contents.items():
                setattr(holders[name], member, value)
        # a counter cannot be pickled by every Python; what is added later comes after what is waiting
        waiting = [number for _, number, _ in world.timeline._due]
        world.timeline._number = itertools.count(max(waiting, default=-1) + 1)
    return True


def _check(head: bytes, body: bytes) -> None:
    """Before anything of the body is read: its form is what the head says."""
    try:
        found = dict(json.loads(head))
    except (ValueError, TypeError) as error:
        raise CannotKeep(f"{KEPT} is damaged: its head cannot be read") from error
    differing = {name for name, value in versions().items() if found.get(name) != value}
    if differing:
        said = ", ".join(f"{name} {found.get(name)} (now {versions()[name]})" for name in sorted(differing))
        raise CannotKeep(f"{KEPT} was written with {said}")
    if found.get("bytes") != len(body):
        raise CannotKeep(f"{KEPT} is damaged: it has {len(body)} of {found.get('bytes')} bytes")
    if found.get("sha256") != hashlib.sha256(body).hexdigest():
        raise CannotKeep(f"{KEPT} is damaged: its checksum is another one")


def _holders() -> dict[str, Any]:
    """The one instance of each class of the list that exists."""
    found: dict[str, Any] = {}
    wanted = {_class(name): name for name in HOLDERS}
    gc.unfreeze()  # what was frozen at the start is not listed
    for one in gc.get_objects():
        name = wanted.get(type(one))
        if name in found:
            raise CannotKeep(f"there are two of {name}")
        if name is not None:
            found[name] = one
    if missing := set(HOLDERS) - set(found):
        raise CannotKeep(f"there is no {', '.join(sorted(missing))}")
    return found


def _class(name: str) -> type:
    module, _, kind = name.partition(".")
    found: type = getattr(importlib.import_module(f"ops.sandbox.aws.{module}"), kind)
    return found


def _members(one: Any) -> Iterator[str]:
    yield from getattr(one, "__dict__", {})
    for kind in type(one).__mro__:
        yield from getattr(kind, "__slots__", ())


def _contents(one: Any) -> dict[str, Any]:
    skipped = _NOT_STATE.get(type(one).__name__, ())
    return {name: getattr(one, name) for name in _members(one) if name not in skipped and hasattr(one, name)}


def _backends() -> dict[tuple[str, str], dict[str, dict[str, Any]]]:
    """Every backend of moto that exists: by module and name, account, Region."""
    found: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    seen: set[int] = set()
    for module_name, module in sorted(sys.modules.items()):
        if not module_name.startswith("moto.") or not module_name.endswith(".models"):
            continue
        for name, value in list(vars(module).items()):
            if isinstance(value, BackendDict) and id(value) not in seen:
                seen.add(id(value))
                found[module_name, name] = {account: dict(regions) for account, regions in value.items()}
    return found


def _take_over(backends: Any, accounts: dict[str, dict[str, Any]]) -> None:
    for account, regions in accounts.items():
        held = backends[account]
        for region, backend in regions.items():
            dict.__setitem__(held, region, backend)


def _bare_mapping(kind: type[defaultdict[Any, Any]], factory: Any) -> defaultdict[Any, Any]:
    made = kind.__new__(kind)
    made.default_factory = factory
    return made


def _private_key(text: bytes) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(text, None)


class _Pickler(dill.Pickler):  # type: ignore[misc]
    def __init__(self, file: io.BytesIO, world: World, holders: dict[str, Any]) -> None:
        super().__init__(file, protocol=5)
        self._names = {id(one): name for name, one in holders.items()}
        self._names[id(world.lock)] = "lock"

    def reducer_override(self, one: Any) -> Any:
        """Keys of the cryptography package, of which only the bytes can be written, and moto's mappings."""
        if isinstance(one, defaultdict) and type(one) is not defaultdict:
            # their constructors take other arguments than a defaultdict says of itself
            return _bare_mapping, (type(one), one.default_factory), vars(one) or None, None, iter(one.items())
        if not hasattr(one, "private_bytes"):
            return NotImplemented
        from cryptography.hazmat.primitives import serialization as forms

        text = one.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
        return _private_key, (text,)

    def persistent_id(self, one: Any) -> str | None:
        """Objects that the loading process has of its own."""
        return self._names.get(id(one))


class _Unpickler(dill.Unpickler):  # type: ignore[misc]
    def __init__(self, file: io.BytesIO, world: World, holders: dict[str, Any]) -> None:
        super().__init__(file)
        self._found = {**holders, "lock": world.lock}

    def persistent_load(self, name: str) -> Any:
        """The object of this process."""
        return self._found[name]
