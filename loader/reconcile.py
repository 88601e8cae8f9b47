"""After the load: is every item that was answered in the table, with the content it was given?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loader.checkpoint import ArtistRecord
from loader.items import Item, digest, key_of
from loader.pool import Failure, run_all
from loader.runtime import Runtime


def read_back(
    records: Sequence[ArtistRecord],
    existing: Callable[[str], Sequence[Item]],
    runtime: Runtime,
    workers: int,
) -> tuple[tuple[str, str], ...]:
    """Keys that are missing or hold something else, sorted."""

    def check(record: ArtistRecord) -> list[tuple[str, str]]:
        runtime.check()
        found = {key_of(item)[1]: digest(item) for item in existing(record.artist_id)}
        return [(record.artist_id, track) for track, wanted in record.digests.items() if found.get(track) != wanted]

    differing: list[tuple[str, str]] = []
    for result in run_all(check, [record for record in records if record.digests], workers):
        runtime.check()
        if isinstance(result, Failure):
            raise result.cause
        differing += result or []
    return tuple(sorted(differing))
