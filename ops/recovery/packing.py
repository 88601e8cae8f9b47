"""Files packed as their names say: `.gz`, `.zst`, or not at all."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACKINGS = (".gz", ".zst")
#: What reading a file raises that is not packed as its name says, or that was cut.
BROKEN: tuple[type[Exception], ...] = (gzip.BadGzipFile, EOFError, zlib.error, zstd.ZstdError)


def plain_name(name: str) -> str:
    """The name without what says how it is packed."""
    for packing in PACKINGS:
        if name.endswith(packing):
            return name.removesuffix(packing)
    return name


@contextmanager
def unpacked(name: str, file: IO[bytes]) -> Iterator[IO[bytes]]:
    """The content of a file; reading it raises one of BROKEN when it is not whole."""
    if name.endswith(".gz"):
        with gzip.GzipFile(fileobj=file, mode="rb") as plain:
            yield io.BufferedReader(plain)
    elif name.endswith(".zst"):
        with zstd.ZstdFile(file) as plain:
            yield io.BufferedReader(plain)
    else:
        yield file
