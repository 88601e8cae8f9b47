"""The environment document: what a stack tells `ops` about itself, as frozen data with JSON in and out.

The Pulumi program writes it to SSM in the home Region and in every replica Region; `ops` reads nothing
else about a stack. It holds names, ARNs and declared settings, never a secret value. Members that this
version does not know are ignored; a missing or mistyped one is a ValueError that names it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from infra.document import JsonDocument as JsonDocument

SCHEMA = "ops.environment/1"
MAXIMUM_BYTES = 8192  # what an SSM parameter of the advanced tier holds
SPLIT_BYTES = 7680  # above it, the contracts move to parameters of their own
_DIGEST = "contract_sha256"

EnvironmentClass = Literal["sandbox", "development", "production"]
AttributeType = Literal["S", "N", "B"]
Projection = Literal["ALL", "KEYS_ONLY", "INCLUDE"]
BillingMode = Literal["PROVISIONED", "PAY_PER_REQUEST"]
Dimension = Literal["read", "write"]
TableClass = Literal["STANDARD", "STANDARD_INFREQUENT_ACCESS"]


def parameter_path(project: str, stack: str) -> str:
    """Name of the SSM parameter that holds the environment document."""
    return f"/{project}/{stack}/environment"


def pointer_path(project: str, stack: str, logical: str) -> str:
    """Name of the SSM parameter that holds the active physical name of a logical table.

    It belongs to `ops`, not to the Pulumi program; absent means the declared physical name.
    """
    return f"/{project}/{stack}/tables/{logical}"


def contract_path(project: str, stack: str, logical: str) -> str:
    """Name of the SSM parameter that holds a table's contract when the document is too long to hold it."""
    return f"/{project}/{stack}/contract/{logical}"


@dataclass(frozen=True, slots=True)
class KeyAttribute(JsonDocument):
    name: str
    type: AttributeType = "S"


@dataclass(frozen=True, slots=True)
class IndexDocument(JsonDocument):
    name: str
    partition_key: KeyAttribute
    sort_key: KeyAttribute | None = None
    projection: Projection = "ALL"
    include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScalingRule(JsonDocument):
    """Target tracking of one dimension of the table (index None) or of one index."""

    index: str | None = None
    dimension: Dimension = field(kw_only=True)
    minimum: int = field(kw_only=True)
    maximum: int = field(kw_only=True)
    target_percent: int = 70
    scale_in_cooldown_s: int = 60
    scale_out_cooldown_s: int = 60


@dataclass(frozen=True, slots=True)
class ReplicaContract(JsonDocument):
    region: str
    pitr: bool = True
    deletion_protection: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryContract(JsonDocument):
    """The declared settings of a table that a restore must end with; `pitr_days` None means PITR off."""

    billing_mode: BillingMode
    read_capacity: int | None = None
    write_capacity: int | None = None
    pitr_days: int | None = None
    ttl_attribute: str | None = None
    stream_view: str | None = None
    table_class: TableClass = "STANDARD"
    deletion_protection: bool = True
    sse_kms_key_arn: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    scaling: tuple[ScalingRule, ...] = ()
    replicas: tuple[ReplicaContract, ...] = ()
    replica_kms_key_arns: dict[str, str] = field(default_factory=dict)
    on_demand_reads: int | None = None
    on_demand_writes: int | None = None
    kinesis_stream_arn: str | None = None


@dataclass(frozen=True, slots=True)
class Objectives(JsonDocument):
    """What a recovery is measured against: seconds of RTO and RPO, and how many items may be lost."""

    rto_s: float
    rpo_s: float
    max_lost_items: int
    level: str = "items"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDocument(JsonDocument):
    logical: str
    physical: str
    arn: str
    region: str
    partition_key: KeyAttribute
    sort_key: KeyAttribute | None = None
    indexes: tuple[IndexDocument, ...] = ()
    local_indexes: tuple[IndexDocument, ...] = ()
    contract: RecoveryContract
    objectives: Objectives


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseContract(JsonDocument):
    """The declared settings of a database that a restore must end with: RDS restores fall back to its defaults."""

    cluster: bool = False
    instance_class: str
    backup_days: int
    multi_az: bool = False
    deletion_protection: bool = True
    iam_authentication: bool = True
    publicly_accessible: bool = False
    subnet_group: str
    parameter_group: str
    security_groups: tuple[str, ...] = ()
    kms_key_arn: str | None = None
    log_exports: tuple[str, ...] = ()
    backup_region: str | None = None
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseDocument(JsonDocument):
    engine: str
    identifier: str
    arn: str
    resource_id: str
    address: str
    port: int
    database: str
    username: str
    secret_arn: str
    contract: DatabaseContract | None = None


@dataclass(frozen=True, slots=True)
class CacheDocument(JsonDocument):
    name: str
    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDocument(JsonDocument):
    kind: str = "spotify"
    secret_arn: str
    api_url: str
    accounts_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentDocument(JsonDocument):
    schema: str = SCHEMA
    project: str
    stack: str
    account: str
    region: str
    environment_class: EnvironmentClass
    replica_regions: tuple[str, ...] = ()
    tables: dict[str, TableDocument]
    database: DatabaseDocument | None = None
    cache: CacheDocument | None = None
    export_bucket: str
    export_prefix: str = "exports"
    evidence_bucket: str | None = None
    kms_key_arn: str | None = None
    roles: dict[str, str] = field(default_factory=dict)
    backup_vault: str | None = None
    backup_plan_id: str | None = None
    topic_arn: str | None = None
    source: SourceDocument | None = None

    def __post_init__(self) -> None:
        if self.schema != SCHEMA:
            raise ValueError(f"EnvironmentDocument.schema: {self.schema!r} is not {SCHEMA!r}")
        for logical, table in self.tables.items():
            if table.logical != logical:
                raise ValueError(f"EnvironmentDocument.tables: {logical!r} holds the table {table.logical!r}")


def split(document: EnvironmentDocument) -> tuple[str, dict[str, str]]:
    """The document with a digest in place of each table's contract, and the contracts' texts by logical name."""
    data, contracts = document.to_data(), {}
    for logical, table in data["tables"].items():
        contracts[logical] = _compact(table.pop("contract"))
        table[_DIGEST] = hashlib.sha256(contracts[logical].encode()).hexdigest()
    return _compact(data), contracts


def moved_contracts(text: str) -> tuple[str, ...]:
    """Logical names of the tables whose contract lies in a parameter of its own."""
    data = json.loads(text)
    tables = data.get("tables") if isinstance(data, dict) else None
    found = tables.items() if isinstance(tables, dict) else ()
    return tuple(name for name, table in found if isinstance(table, dict) and _DIGEST in table)


def join(text: str, contracts: Mapping[str, str]) -> EnvironmentDocument:
    """The whole document again; ValueError names a contract that is missing or was not split from this document."""
    data = json.loads(text)
    for logical in moved_contracts(text):
        if logical not in contracts:
            raise ValueError(f"EnvironmentDocument.tables.{logical}.contract: its parameter is missing")
        table, digest = data["tables"][logical], hashlib.sha256(contracts[logical].encode()).hexdigest()
        if digest != table[_DIGEST]:
            raise ValueError(f"EnvironmentDocument.tables.{logical}.contract: its parameter has another SHA-256")
        table["contract"] = json.loads(contracts[logical])
    return EnvironmentDocument.from_data(data)


def _compact(data: Any) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
