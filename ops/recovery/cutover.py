"""The pointer parameter that names the active table of a logical name.

SSM has no compare-and-set: the value is read and compared before the write, the version counted after it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ops.aws import AwsError, ControlPlane
from ops.errors import Locked
from ops.recovery.journal import mutate
from ops.runs import Run


@dataclass(frozen=True, slots=True)
class Pointer:
    """A pointer parameter: the physical table name and SSM's version of it."""

    value: str
    version: int


def read_pointer(control: ControlPlane, path: str) -> Pointer | None:
    """The pointer, or None where none was ever set (the declared physical name applies)."""
    try:
        found = control.call("ssm", "get_parameter", Name=path)["Parameter"]
    except AwsError as error:
        if error.aws_code == "ParameterNotFound":
            return None
        raise
    return Pointer(found["Value"], int(found["Version"]))


def write_pointer(
    control: ControlPlane, path: str, value: str, expected_before: str | None, run: Run | None = None
) -> int:
    """Point `path` at `value` if it still holds `expected_before` (None: no pointer yet); the new version.

    Locked when somebody else has moved it. Already pointing there is success without a write.
    """
    before = read_pointer(control, path)
    if before is not None and before.value == value:
        return before.version
    if (before.value if before else None) != expected_before:
        raise _moved(path, expected_before, before)
    notes = {"before": before.value if before else None, "version_before": before.version if before else 0}
    wanted = {"Name": path, "Value": value, "Type": "String", "Overwrite": before is not None}
    try:
        answer = mutate(control, run, "ssm", "put_parameter", path, wanted, notes={**notes, "after": value})
    except AwsError as error:
        if error.aws_code == "ParameterAlreadyExists":
            raise _moved(path, None, read_pointer(control, path)) from error
        raise
    version = int(answer["Version"])
    if before is not None and version != before.version + 1:
        raise Locked(
            f"the pointer {path} was written by somebody else at the same time",
            why=f"version {version} where {before.version + 1} was expected",
            changed=f"it now says {value}; the other write was overwritten",
            fix=(f"aws ssm get-parameter-history --name {path}",),
        )
    return version


def delete_pointer(control: ControlPlane, path: str, run: Run | None = None) -> bool:
    """Remove the pointer, so that the declared name applies again; False when there was none."""
    before = read_pointer(control, path)
    if before is None:
        return False
    mutate(control, run, "ssm", "delete_parameter", path, {"Name": path}, notes={"before": before.value})
    return True


def _moved(path: str, expected: str | None, found: Pointer | None) -> Locked:
    return Locked(
        f"the pointer {path} was moved meanwhile",
        why=f"expected {expected or 'no pointer'}, found {found.value if found else 'no pointer'}",
        fix=("ops list tables", "run the command again if the pointer should still move"),
    )
