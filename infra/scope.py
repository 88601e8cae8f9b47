"""The names that the operator roles of one stack are limited to, as ARNs. Pure data."""

from collections.abc import Sequence
from dataclasses import dataclass

DRILL_PREFIX = "drill-"


@dataclass(frozen=True, slots=True)
class Scope:
    """The names that the roles of one stack are limited to."""

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

    def table_arns(self, suffix: str = "", names: Sequence[str] | None = None) -> list[str]:
        """ARNs of the declared tables (or of `names`) in every Region of the stack."""
        regions = (self.region, *self.replica_regions)
        return [
            f"arn:aws:dynamodb:{region}:{self.account}:table/{name}{suffix}"
            for region in regions
            for name in (self.tables if names is None else names)
        ]

    def target_arns(self, suffix: str = "") -> list[str]:
        """ARNs of the tables a restore may create: a table's logical or physical name and more, or a drill's."""
        names = dict.fromkeys((*self.tables, *self.logical_names))
        return self.table_arns(suffix, [*(f"{name}-*" for name in names), f"{DRILL_PREFIX}*"])

    def drill_arns(self, suffix: str = "") -> list[str]:
        return self.table_arns(suffix, [f"{DRILL_PREFIX}*"])

    def parameter(self, *parts: str) -> list[str]:
        """ARNs of parameters under the stack's path, in every Region of the stack."""
        path = "/".join(("parameter", self.project, self.stack, *parts))
        regions = (self.region, *self.replica_regions)
        return [f"arn:aws:ssm:{region}:{self.account}:{path}" for region in regions]

    def regional(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"
