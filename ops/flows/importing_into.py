"""`ops import-s3 --into`: a full export, and the incremental ones after it, written into a table that exists.

Nothing is written before every manifest, every object and every line was checked. Items that the exports do not hold
stay. What was written is compared with what the exports say.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ops.dynamodb.accounting import WriteCounts
from ops.environment import TableTarget
from ops.errors import BadArgument, CountsDiffer
from ops.flows import into_outcome, into_table, into_work
from ops.flows.backing_up import work_folder
from ops.flows.common import begun_with, owns, resumable
from ops.flows.held import held
from ops.flows.into_work import How, IntoPlan, IntoResult, Work
from ops.flows.net_lines import Chain, Judged, open_chain
from ops.flows.reading import open_table
from ops.flows.session import Session
from ops.recovery.bulk_puts import LEAST_UNITS, BulkRequest, put_in_bulk
from ops.recovery.manifest import Export
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
    #: Let AWS put the lines itself, by StartBulkPutItems.
    bulk: bool = False
    timeout_s: float | None = None

    @property
    def how(self) -> How:
        """As the writing takes it."""
        return How(self.only_changed, None if self.quarantine else 0, self.rate)


def plan_into(session: Session, table: TableTarget, options: IntoOptions) -> IntoPlan:
    """Every check, nothing changed."""
    with _work(session, table, options) as work:
        if options.bulk:
            _for_bulk(work, options)
        return work.plan


def import_into(session: Session, run: Run, table: TableTarget, options: IntoOptions) -> IntoResult:
    """Check, write, compare; a run that was killed goes on where everything before was acknowledged."""
    with resumable(session, run, f"import-s3 {shlex.quote(options.source)} --into {owns(table)} --yes"):
        options = _kept(run, table, options)
        with _work(session, table, options) as work:
            if options.bulk:
                counts, reports = _put_in_bulk(session, run, work, options)
                result = into_outcome.proven(session, run, work, counts, options.how)
                return replace(result, rejects=reports) if counts.rejected else result
            return into_table.write(session, run, work, options.how)


def _put_in_bulk(session: Session, run: Run, work: Work, options: IntoOptions) -> tuple[WriteCounts, str]:
    """AWS reads the objects of the export itself and puts every line; the counts, and where AWS reports errors."""
    export, found = _for_bulk(work, options)
    bucket, about = export.location.bucket, session.environment.document
    assert bucket is not None
    request = BulkRequest(
        work.bench.table.name, bucket, export.data_prefix, about.export_bucket,
        f"{about.export_prefix}/bulk/{run.id}", None if options.rate is None else int(options.rate),
    )  # fmt: skip
    with session.progress.phase("write", f"{found.puts:,} items into {work.bench.table.name}, by AWS"):
        done = put_in_bulk(session.aws, request, run, session.clock, session.progress, options.timeout_s)
    if done.processed != found.puts:
        raise CountsDiffer(
            f"AWS processed {done.processed:,} lines, the export has {found.puts:,}",
            changed=f"what was put into {work.bench.table.name} stays",
        )
    return WriteCounts(read=found.read, written=found.puts - done.failed, rejected=done.failed), done.reports


def _for_bulk(work: Work, options: IntoOptions) -> tuple[Export, Judged]:
    """The export and what was judged; BadArgument where AWS could not do the same as we would."""
    assert isinstance(work.lines, Chain)
    [export, *more] = work.lines.exports
    strangers = export.strangers()
    refused = {
        "--then: a bulk put deletes nothing": bool(more),
        "--only-changed: it puts every line": options.only_changed,
        "--quarantine: it reads the objects as they are": options.quarantine,
        f"a --rate below {LEAST_UNITS} or a share": not _bulk_rate(options.rate),
        "a local copy: AWS reads from S3": export.location.bucket is None,
        f"objects beside those of the export: {', '.join(one.key for one in strangers[:3])}": bool(strangers),
    }
    for what, is_so in refused.items():
        if is_so:
            raise BadArgument(f"--bulk does not go with {what}", fix=("leave out --bulk",))
    return export, work.judged


def _bulk_rate(rate: str | None) -> bool:
    return rate is None or (rate.isascii() and rate.isdigit() and int(rate) >= LEAST_UNITS)


@contextmanager
def _work(session: Session, table: TableTarget, options: IntoOptions) -> Iterator[Work]:
    bench = open_table(session, table)
    with work_folder() as folder, held(folder, "newest") as newest:
        chain = open_chain(session, bench.table, options.source, options.then, options.accept)
        yield into_work.judged(session, bench, chain, newest, folder, options.how)


def _kept(run: Run, table: TableTarget, given: IntoOptions) -> IntoOptions:
    asked = {
        "source": given.source, "table": table.physical, "then": list(given.then), "only_changed": given.only_changed,
        "quarantine": given.quarantine, "accept": sorted(given.accept), "bulk": given.bulk,
    }  # fmt: skip
    usual = {"then": [], "only_changed": False, "quarantine": False, "accept": [], "bulk": False}
    kept = begun_with(run, asked, usual)
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
        bulk=bool(kept.get("bulk")),
        timeout_s=given.timeout_s,
    )
