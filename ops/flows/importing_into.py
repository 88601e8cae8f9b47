"""`ops import-s3 --into`: a full export, and the incremental ones after it, written into a table that exists.

Nothing is written before every manifest, every object and every line was checked. Items that the exports do not hold
stay. What was written is compared with what the exports say.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ops.environment import TableTarget
from ops.flows import into_table
from ops.flows.backing_up import work_folder
from ops.flows.common import options_of, owns, resumable
from ops.flows.held import held
from ops.flows.into_table import How, IntoPlan, IntoResult, Work
from ops.flows.net_lines import open_chain
from ops.flows.reading import open_table
from ops.flows.session import Session
from ops.runs import Run


@dataclass(frozen=True, slots=True)
class IntoOptions:
    """`then`: incremental exports after `source`, oldest first. `accept`: see `net_lines.ACCEPTED`.

    `rate` is as `CapacityLimit.of` takes it.
    """

    source: str
    then: tuple[str, ...] = ()
    only_changed: bool = False
    quarantine: bool = False
    accept: frozenset[str] = frozenset()
    rate: str | None = None

    @property
    def how(self) -> How:
        """As the writing takes it."""
        return How(self.only_changed, None if self.quarantine else 0, self.rate)


def plan_into(session: Session, table: TableTarget, options: IntoOptions) -> IntoPlan:
    """Every check, nothing changed."""
    with _work(session, table, options) as work:
        return work.plan


def import_into(session: Session, run: Run, table: TableTarget, options: IntoOptions) -> IntoResult:
    """Check, write, compare; a run that was killed goes on where everything before was acknowledged."""
    with resumable(session, run, f"import-s3 {options.source} --into {owns(table)} --yes"):
        options = _kept(run, table, options)
        with _work(session, table, options) as work:
            return into_table.write(session, run, work, options.how)


@contextmanager
def _work(session: Session, table: TableTarget, options: IntoOptions) -> Iterator[Work]:
    bench = open_table(session, table)
    with work_folder() as folder, held(folder, "newest") as newest:
        chain = open_chain(session, bench.table, options.source, options.then, options.accept)
        yield into_table.judged(session, bench, chain, newest, folder, options.how)


def _kept(run: Run, table: TableTarget, given: IntoOptions) -> IntoOptions:
    kept = options_of(
        run, source=given.source, table=table.physical, then=list(given.then), only_changed=given.only_changed,
        quarantine=given.quarantine, accept=sorted(given.accept),
    )  # fmt: skip
    then, accept = kept["then"], kept["accept"]
    assert isinstance(then, list)
    assert isinstance(accept, list)
    return IntoOptions(
        source=str(kept["source"]),
        then=tuple(str(one) for one in then),
        only_changed=bool(kept["only_changed"]),
        quarantine=bool(kept["quarantine"]),
        accept=frozenset(str(one) for one in accept),
        rate=given.rate,
    )
