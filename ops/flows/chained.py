"""A full export and the incremental ones after it as one side of a comparison: the table as it was at their end."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.clock import rfc3339
from ops.errors import SourceHasBadLines
from ops.flows.held import held, held_again
from ops.flows.net_lines import Chain, Judged, chain_of
from ops.flows.session import Session
from ops.model.items import Item, KeySchema
from ops.model.proof import SideInfo
from ops.recovery.addresses import is_local_export
from ops.verify.sides import LinesSide

_NAME = "newest"
NAMED_PROBLEMS = 5


def addresses_of(text: str) -> tuple[str, ...]:
    """`FULL+CHANGES+CHANGES`: the exports that a text joins by `+`; one text where it joins none."""
    parts = text.split("+")
    whole = all(one.startswith("s3://") or is_local_export(one) for one in parts)
    return tuple(parts) if whole else (text,)


def chained_side(
    session: Session, addresses: Sequence[str], keys: KeySchema, folder: Path, weakness: str, ttl: str | None
) -> LinesSide:
    """Every line is judged before the first item is handed out; SourceHasBadLines for one that cannot be used."""
    chain = chain_of(session, addresses, keys, {})
    last = chain.exports[-1]
    told = dict.fromkeys((weakness, *(one for export in chain.exports for one in export.weaknesses)))
    info = SideInfo("export", chain.address, rfc3339(last.exported_at.replace(microsecond=0)), "; ".join(told))
    return LinesSide(info, _Chained(chain, folder).items, keys, None, ttl)


@dataclass(slots=True)
class _Chained:
    """Judged when it is first read; which export has the last word on a key stays on the disk for the next time."""

    chain: Chain
    folder: Path
    judged: Judged | None = None
    own: Path | None = None

    def items(self) -> Iterator[Item]:
        judged, own = self._judged()
        with held_again(own, _NAME) as newest:
            yield from self.chain.items(judged, newest)

    def _judged(self) -> tuple[Judged, Path]:
        if self.judged is None or self.own is None:
            self.own = Path(tempfile.mkdtemp(dir=self.folder, prefix="chain-"))
            with held(self.own, _NAME, keep=True) as newest:
                self.judged = self.chain.judge(newest)
            self._refuse(self.judged)
        return self.judged, self.own

    def _refuse(self, judged: Judged) -> None:
        if judged.problems:
            named = [f"{one.source} line {one.line}: {one.reason}" for one in judged.problems[:NAMED_PROBLEMS]]
            raise SourceHasBadLines(
                f"{self.chain.address} has {judged.rejected:,} unusable lines of {judged.read:,}", why="; ".join(named)
            )
