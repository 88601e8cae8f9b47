"""Local copies of an export's data objects, each checked whole: what a comparison reads with all processors."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from ops.errors import RunFolderUnusable
from ops.recovery.manifest import DataFile, Export

#: Copies take at most this share of what is free; an export too large for that is read object by object.
MOST_OF_FREE = 0.5


@dataclass(frozen=True, slots=True)
class Copy:
    """A data object and where its bytes lie."""

    file: DataFile
    path: Path


def copy_objects(export: Export, folder: Path, *, limit_bytes: int | None = None) -> tuple[Copy, ...] | None:
    """Every data object of a full export in `folder`; None, with nothing left there, when they would be too large.

    The limit is by default a share of what is free. ObjectFault names an object that is not what the manifest says;
    lines are counted by whoever reads them.
    """
    export.refuse_changes()
    left_bytes = int(shutil.disk_usage(folder).free * MOST_OF_FREE) if limit_bytes is None else limit_bytes
    made: list[Copy] = []
    for number, file in enumerate(export.files):
        path = folder / f"{number:06d}.json.gz"
        with export.whole(file) as found:
            left_bytes -= found.size_bytes
            if left_bytes < 0:
                break
            made.append(Copy(file, path))
            try:
                with path.open("wb") as target:
                    shutil.copyfileobj(found.file, target)
            except OSError as error:
                raise RunFolderUnusable(
                    f"cannot hold the objects of {export.address} in {folder}", why=str(error),
                    fix=("free space there, or choose another folder with TMPDIR=DIR",),
                ) from error  # fmt: skip
    else:
        return tuple(made)
    for copy in made:
        copy.path.unlink()
    return None
