"""Records the Scan pages that the server replays: items in pages of about 1 MB, with the key where each one ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from bench.items import items

PAGE_BYTES = 1024 * 1024


def write_pages(folder: Path, kind: str, count: int) -> Path:
    """`folder/pages-KIND-COUNT` with the files `bodies` and `index`, as bench/server.c describes them."""
    target = folder / f"pages-{kind}-{count}"
    index = target / "index"
    if index.exists():
        return target
    target.mkdir(parents=True, exist_ok=True)
    lines = []
    with (target / "bodies").open("wb") as bodies:
        for page in _pages(items(kind, count)):
            body = f'{{"Count":{len(page)},"ScannedCount":{len(page)},"Items":[{",".join(page)}]'.encode()
            last = json.loads(page[-1])
            key = json.dumps({"artist_id": last["artist_id"], "id": last["id"]}, separators=(",", ":"))
            lines.append(f"{len(body)}\t{len(page)}\t{last['id']['S']}\t{key}\n")
            bodies.write(body)
    index.write_text("".join(lines))
    return target


def _pages(texts: Iterator[str]) -> Iterator[list[str]]:
    page: list[str] = []
    size = 0
    for text in texts:
        page.append(text)
        size += len(text.encode())
        if size >= PAGE_BYTES:
            yield page
            page, size = [], 0
    if page:
        yield page
