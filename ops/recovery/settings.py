"""The settings around a table: read them, state what the contract wants, hold one against the other.

No AWS call returns this list at once, and a restore keeps only a part of it
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html);
`ops.recovery.registry` says of each member of DynamoDB's API where it stands.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

from infra.environment import IndexDocument, JsonDocument, ReplicaContract, ScalingRule, TableDocument
from ops.aws import ControlPlane
from ops.model.proof import SettingDifference
from ops.recovery import reading
from ops.recovery.registry import REGISTRY, Classed

__all__ = [
    "REGISTRY", "UNSTATED", "CapacitySetting", "Classed", "TableSettings", "differences", "flatten", "from_json",
    "read_settings", "scope_name", "to_json", "wanted_settings", "with_lineage",
]  # fmt: skip

#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Tagging.html
_MOST_TAGS = 50
UNSTATED = "not in the contract"
#: Facets of which the contract says nothing: the snapshot holds them, a comparison leaves them out.
_NOT_CONTRACT = ("on_demand", "warm_throughput", "resource_policy", "kinesis", "insights", "alarms")
#: Facets in which something extra is a difference too: inherited scaling acts, an extra replica costs.
_CLOSED = ("scaling", "replicas", "index")


@dataclass(frozen=True, slots=True)
class CapacitySetting(JsonDocument):
    """Provisioned units of the table (index None) or of an index."""

    index: str | None = None
    read: int = field(kw_only=True)
    write: int = field(kw_only=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSettings(JsonDocument):
    """Everything that AWS keeps or drops around the items of a table.

    None and empty mean "off" or "none". A facet in `unknown` is neither: it was not readable, or the contract
    does not speak of it; the text says which.
    """

    billing_mode: str
    indexes: tuple[IndexDocument, ...] = ()
    capacity: tuple[CapacitySetting, ...] = ()
    on_demand: dict[str, str] = field(default_factory=dict)
    warm_throughput: dict[str, str] = field(default_factory=dict)
    pitr_days: int | None = None
    ttl_attribute: str | None = None
    stream_view: str | None = None
    table_class: str = "STANDARD"
    deletion_protection: bool = False
    sse: str = "AWS owned"
    tags: dict[str, str] = field(default_factory=dict)
    scaling: tuple[ScalingRule, ...] = ()
    replicas: tuple[ReplicaContract, ...] = ()
    resource_policy: str | None = None
    kinesis: str | None = None
    insights: dict[str, str] = field(default_factory=dict)
    alarms: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)

    def but(self, **changed: object) -> Self:
        """The same settings with some of them changed."""
        return dataclasses.replace(self, **changed)  # type: ignore[arg-type]


def read_settings(control: ControlPlane, table: str, region: str | None = None) -> TableSettings:
    """What the table has now; TableNotFound.

    A facet outside the contract that this caller may not read, or that the sandbox does not imitate, is listed
    in `unknown`; one of the contract that cannot be read is an error.
    """
    return TableSettings(**reading.read_facets(control, table, region, CapacitySetting))


def wanted_settings(document: TableDocument) -> TableSettings:
    """What the environment document declares; capacity only where no scaling moves it."""
    contract = document.contract
    scaled = {(rule.index, rule.dimension) for rule in contract.scaling}
    capacity = []
    if contract.billing_mode == "PROVISIONED" and contract.read_capacity and contract.write_capacity:
        scopes: list[str | None] = [None, *(index.name for index in document.indexes)]
        capacity = [
            CapacitySetting(scope, read=contract.read_capacity, write=contract.write_capacity)
            for scope in scopes
            if not {(scope, "read"), (scope, "write")} & scaled
        ]
    unknown = dict.fromkeys(_NOT_CONTRACT, UNSTATED)
    if not capacity:
        unknown["capacity"] = UNSTATED
    if contract.sse_kms_key_arn is None:
        unknown["sse"] = UNSTATED
    return TableSettings(
        billing_mode=contract.billing_mode,
        indexes=document.indexes,
        capacity=tuple(capacity),
        pitr_days=contract.pitr_days,
        ttl_attribute=contract.ttl_attribute,
        stream_view=contract.stream_view,
        table_class=contract.table_class,
        deletion_protection=contract.deletion_protection,
        sse=contract.sse_kms_key_arn or "",
        tags=dict(contract.tags),
        scaling=contract.scaling,
        replicas=contract.replicas,
        unknown=unknown,
    )


def with_lineage(wanted: TableSettings, *, source: str, restored_to: str, run: str) -> TableSettings:
    """The same settings, with the tags that say where a restored table comes from.

    RestoreSummary vanishes when the table turns ACTIVE, so the lineage must be kept by the tool: as much of it as
    there is room for beside the declared tags, since AWS refuses all tags of a call that asks for too many.
    """
    lineage = {"ops:run": run, "ops:source": source, "ops:restored-to": restored_to}
    room = _MOST_TAGS - len(wanted.tags.keys() - lineage.keys())
    return wanted.but(tags={**wanted.tags, **dict(list(lineage.items())[: max(room, 0)])})


def to_json(settings: TableSettings) -> str:
    """Compact JSON with sorted members, for the snapshot beside a backup."""
    return settings.to_json()


def from_json(text: str | bytes) -> TableSettings:
    """The settings of a snapshot; ValueError names a missing or mistyped member."""
    return TableSettings.from_json(text)


def flatten(settings: TableSettings) -> dict[str, str]:
    """Setting name to short text, sorted by name; the facets in `unknown` with their reason."""
    found = dict(_flat(settings))
    for facet, reason in settings.unknown.items():
        stated = [name for name in found if name == facet or name.startswith(f"{facet}.")]
        for name in stated:
            del found[name]
        found[facet] = reason
    return dict(sorted(found.items()))


def _flat(settings: TableSettings) -> Iterator[tuple[str, str]]:
    yield "billing_mode", settings.billing_mode
    yield "table_class", settings.table_class
    yield "sse", settings.sse
    yield "deletion_protection", _on(settings.deletion_protection)
    yield "pitr", _on(settings.pitr_days is not None)
    if settings.pitr_days is not None:
        yield "pitr.days", str(settings.pitr_days)
    yield "ttl", settings.ttl_attribute or "off"
    yield "stream", settings.stream_view or "off"
    yield "resource_policy", settings.resource_policy or "none"
    yield "kinesis", settings.kinesis or "none"
    for index in settings.indexes:
        yield f"index.{index.name}", _index_text(index)
    for one in settings.capacity:
        yield f"capacity.{scope_name(one.index)}", f"{one.read} read, {one.write} write"
    for rule in settings.scaling:
        yield f"scaling.{scope_name(rule.index)}.{rule.dimension}", _rule_text(rule)
    for replica in settings.replicas:
        protection = _on(replica.deletion_protection)
        yield f"replicas.{replica.region}", f"pitr {_on(replica.pitr)}, deletion protection {protection}"
    for facet in ("tags", "on_demand", "warm_throughput", "insights", "alarms"):
        for name, value in getattr(settings, facet).items():
            yield f"{facet}.{name}", value


def scope_name(index: str | None) -> str:
    """How a setting's name says which index it is about; an index may itself be called `table`."""
    if index is None:
        return "table"
    return "index:table" if index == "table" else index


def _on(value: bool) -> str:
    return "on" if value else "off"


def _rule_text(rule: ScalingRule) -> str:
    return (
        f"{rule.minimum} to {rule.maximum} at {rule.target_percent} %, "
        f"in after {rule.scale_in_cooldown_s} s, out after {rule.scale_out_cooldown_s} s"
    )


def _index_text(index: IndexDocument) -> str:
    keys = [key for key in (index.partition_key, index.sort_key) if key is not None]
    include = f" {', '.join(sorted(index.include))}" if index.include else ""
    return f"{' + '.join(f'{key.name} ({key.type})' for key in keys)}, {index.projection}{include}"


def differences(wanted: TableSettings, found: TableSettings) -> tuple[SettingDifference, ...]:
    """Each wanted setting that is not as wanted, in the order of names.

    Extra tags (lineage, AWS's own) are allowed; extra scaling rules, replicas and indexes are differences.
    """
    want = {name: value for name, value in flatten(wanted).items() if name not in wanted.unknown}
    have = flatten(found)
    names = set(want)
    names |= {name for name in have if name.split(".")[0] in _CLOSED and "." in name} - _unstated(wanted, have)
    listed = []
    for name in sorted(names):
        left, right = want.get(name, "none"), have.get(name, _missing(name, found))
        if left != right:
            listed.append(SettingDifference(name, left, right))
    return tuple(listed)


def _unstated(wanted: TableSettings, have: dict[str, str]) -> set[str]:
    return {name for name in have if name.split(".")[0] in wanted.unknown}


def _missing(name: str, found: TableSettings) -> str:
    return "off" if name == "pitr" else found.unknown.get(name.split(".")[0], "none")
