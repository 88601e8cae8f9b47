"""The names that the operator roles of one stack are limited to, as ARNs. Pure data."""

from collections.abc import Sequence
from dataclasses import dataclass

DRILL_PREFIX = "drill-"


@dataclass(frozen=True, slots=True)
class Scope:
    """The names that the roles of one stack are limited to.

    `any_region` leaves the Region of a table open, and names its backups, exports and indexes by one pattern: the
    policies of many tables in many Regions would not fit otherwise.
    """

    account: str
    region: str
    replica_regions: tuple[str, ...]
    project: str
    stack: str
    tables: tuple[str, ...]
    logical_names: tuple[str, ...]
    bucket: str
    export_prefix: str
    key_arn: str
    role_prefix: str
    database: str | None = None
    database_cluster: bool = False
    evidence_bucket: str | None = None
    database_resource_id: str | None = None
    database_username: str | None = None
    secret_arns: tuple[str, ...] = ()
    table_key_arns: tuple[str, ...] = ()
    any_region: bool = False

    def table_arns(self, suffix: str = "", names: Sequence[str] | None = None) -> list[str]:
        """ARNs of the declared tables (or of `names`) in every Region of the stack; shorter with `any_region`."""
        regions = ("*",) if self.any_region else (self.region, *self.replica_regions)
        return [
            f"arn:aws:dynamodb:{region}:{self.account}:table/{name}{suffix}"
            for region in regions
            for name in (self.tables if names is None else names)
        ]

    def active_arns(self, suffix: str = "") -> list[str]:
        """ARNs of the declared tables and of what was restored from them: after a cut-over, one of these is in use."""
        if suffix and self.any_region:
            return self.table_arns(suffix, [f"{name}*" for name in self._names()])
        return [*self.table_arns(suffix), *self._restored_arns(suffix)]

    def target_arns(self, suffix: str = "") -> list[str]:
        """ARNs of the tables a restore may create: a table's logical or physical name and more, or a drill's."""
        return [*self._restored_arns(suffix), *self.drill_arns(suffix)]

    def _restored_arns(self, suffix: str) -> list[str]:
        return self.table_arns(suffix, [f"{name}-*" for name in self._names()])

    def _names(self) -> list[str]:
        return list(dict.fromkeys((*self.tables, *self.logical_names)))

    def drill_arns(self, suffix: str = "") -> list[str]:
        return self.table_arns(suffix, [f"{DRILL_PREFIX}*"])

    def parameter(self, *parts: str) -> list[str]:
        """ARNs of parameters under the stack's path, in every Region of the stack."""
        path = "/".join(("parameter", self.project, self.stack, *parts))
        regions = (self.region, *self.replica_regions)
        return [f"arn:aws:ssm:{region}:{self.account}:{path}" for region in regions]

    def regional(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"
