"""The environment document: what a stack tells `ops` about itself, as frozen data with JSON in and out.

The Pulumi program writes it to SSM in the home Region and in every replica Region; `ops` reads nothing
else about a stack. It holds names, ARNs and declared settings, never a secret value. Members that this
version does not know are ignored; a missing or mistyped one is a ValueError that names it.
"""

import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from typing import Any, ClassVar, Literal, Self, Union, get_args, get_origin, get_type_hints

SCHEMA = "ops.environment/1"

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


class JsonDocument:
    """JSON in and out for frozen dataclasses; members that are None are left out."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def to_data(self) -> dict[str, Any]:
        """The document as plain JSON values."""
        members = ((entry.name, getattr(self, entry.name)) for entry in fields(self))
        return {name: _encode(value) for name, value in members if value is not None}

    def to_json(self) -> str:
        """The document as compact JSON with sorted members: equal documents give equal text."""
        return json.dumps(self.to_data(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Build the document from plain JSON values; ValueError names a missing or mistyped member."""
        document: Self = _decode_document(cls, data, cls.__name__)
        return document

    @classmethod
    def from_json(cls, text: str | bytes | Mapping[str, Any]) -> Self:
        """Build the document from JSON text (or from its already parsed members)."""
        if isinstance(text, Mapping):
            return cls.from_data(text)
        try:
            data = json.loads(text)
        except ValueError as error:
            raise ValueError(f"{cls.__name__}: not JSON: {error}") from error
        return cls.from_data(data)


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
    contract: RecoveryContract
    objectives: Objectives


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


def _encode(value: Any) -> Any:
    if isinstance(value, JsonDocument):
        return value.to_data()
    if isinstance(value, tuple):
        return [_encode(entry) for entry in value]
    if isinstance(value, dict):
        return {key: _encode(entry) for key, entry in value.items()}
    return value


@cache
def _hints(document: type) -> dict[str, Any]:
    return get_type_hints(document)


def _decode_document(document: Any, data: Any, path: str) -> Any:
    _expect(Mapping, "an object", data, path)
    hints = _hints(document)
    members: dict[str, Any] = {}
    for entry in fields(document):
        where = f"{path}.{entry.name}"
        if data.get(entry.name) is not None:
            members[entry.name] = _decode(hints[entry.name], data[entry.name], where)
        elif entry.default is MISSING and entry.default_factory is MISSING:
            raise ValueError(f"{where}: required member is missing")
    return document(**members)


def _decode(hint: Any, value: Any, path: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return _decode(inner, value, path)
    if origin is Literal:
        if value not in arguments or isinstance(value, bool):
            raise ValueError(f"{path}: {value!r} is not one of {', '.join(arguments)}")
        return value
    if origin is tuple:
        _expect((list, tuple), "a list", value, path)
        return tuple(_decode(arguments[0], entry, f"{path}[{at}]") for at, entry in enumerate(value))
    if origin is dict:
        _expect(Mapping, "an object", value, path)
        return {str(key): _decode(arguments[1], entry, f"{path}.{key}") for key, entry in value.items()}
    if is_dataclass(hint):
        return _decode_document(hint, value, path)
    return _decode_scalar(hint, value, path)


def _decode_scalar(hint: Any, value: Any, path: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    _expect(hint, hint.__name__, value, path)
    return value


def _expect(kind: Any, wanted: str, value: Any, path: str) -> None:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{path}: expected {wanted}, found {type(value).__name__}")
