"""The scenarios, as data: what breaks, how it is recovered, what a pass demands and what stays unproven."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from ops.errors import BadArgument

Fault = Literal["delete-items", "delete-table"]
Way = Literal["pitr", "system-backup"]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the plan: the mark it ends with (empty when it has none) and what it does."""

    mark: str
    text: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """A disaster and the way back from it; `demands` is the lowest level of proof that passes."""

    id: str
    slug: str
    title: str
    fault: Fault
    way: Way
    demands: str
    share_deleted: float
    fault_s: float
    decision: tuple[str, ...]
    steps: tuple[Step, ...]
    not_proven: tuple[str, ...]


_BEFORE = (
    Step("", "list tables, scaling, alarms, parameters and backups"),
    Step("", "restore the source table to a drill- name: the subject"),
    Step("", "re-apply the recovery contract on the subject, without stream, TTL, replica and protection"),
    Step("", "read the subject whole: the baseline, equal to the source"),
    Step("", "write good traffic through the data plane, every write in the ledger"),
)
_AFTER = (
    Step("T5", "re-apply the lost settings and read them back"),
    Step("", "plant the controls: three kinds of item difference, one setting"),
    Step("T6", "compare every item with the ledger, then every index; undo the controls and read them again"),
    Step("T7", "switch the drill's own pointer to the recovered table"),
    Step("T8", "canary: read and query through the pointer"),
    Step("", "remove everything the drill made and list the resources again"),
)
_EVERYWHERE = (
    "people and approvals: nobody had to be woken, convinced or given rights",
    "alarms: the infrastructure program declares them for the table's own name, a drill copy gets none",
    "stream consumers, event sources, caches and replicas: a drill table has none of them",
)

SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        id="S04",
        slug="mass-delete",
        title="60 % of the items are deleted within 90 seconds",
        fault="delete-items",
        way="pitr",
        demands="service",
        share_deleted=0.6,
        fault_s=90.0,
        decision=(
            "fail over: refused, replicas hold the same deletes",
            "selective repair: right below 20 % damaged items, or when a predicate names them",
            "PITR to a new table at T_bad - 1 s: right when most items are gone and T_bad is known",
        ),
        steps=(
            *_BEFORE,
            Step("T0", "delete 60 % of the keys over 90 s, chosen by the seed"),
            Step("T1", "detect: canary keys are missing, then count by scan"),
            Step("T2", "decide by the share of damaged items"),
            Step("T3", "restore the subject to one second before the first bad write, to a new drill- name"),
            Step("T4", "wait until the restored table is ACTIVE"),
            *_AFTER,
        ),
        not_proven=(
            "merging of good writes made after the first bad one: the writer was fenced before the fault",
            *_EVERYWHERE,
        ),
    ),
    Scenario(
        id="S01",
        slug="table-deleted",
        title="the table is deleted",
        fault="delete-table",
        way="system-backup",
        demands="service",
        share_deleted=1.0,
        fault_s=0.0,
        decision=(
            "PITR: impossible, the history went with the table",
            "SYSTEM backup: AWS keeps the state just before the deletion for 35 days when PITR was on",
            "newest on-demand, vault or exported point: loses everything since it was taken",
        ),
        steps=(
            *_BEFORE,
            Step("T0", "delete the table while the ledger writer is still writing"),
            Step("T1", "detect: the canary read answers ResourceNotFound"),
            Step("T2", "decide: SYSTEM backup of exactly this TableId"),
            Step("T3", "restore the SYSTEM backup to a new drill- name"),
            Step("T4", "wait until the restored table is ACTIVE"),
            *_AFTER,
        ),
        not_proven=(
            "taking the restored table into the infrastructure program (ops adopt)",
            *_EVERYWHERE,
        ),
    ),
)

#: What no sandbox can show, whatever the scenario; the page says it in these words.
SANDBOX_CANNOT_PROVE: tuple[str, ...] = (
    "durations: restores on AWS take minutes even for an empty table; the sandbox clock is advanced, not waited for",
    "throttling and capacity of real partitions",
    "KMS keys and IAM rights: the sandbox accepts every signature",
    "the time cut of real exports and restores, which the quiet gaps of this drill only allow for",
    "quotas on concurrent restores, and the DAX data path",
)


def find_scenario(slug: str) -> Scenario:
    """The scenario of that slug or id; the error names the near ones."""
    for one in SCENARIOS:
        if slug in (one.slug, one.id):
            return one
    slugs = [one.slug for one in SCENARIOS]
    near = difflib.get_close_matches(slug, slugs, n=1)
    hint = f"did you mean {near[0]}?" if near else f"scenarios: {', '.join(slugs)}"
    raise BadArgument(f"no drill scenario '{slug}'", fix=(hint, "ops drill list"))
