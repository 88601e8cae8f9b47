"""The environment document of a stack, from its configuration and the names that AWS gave. Pure."""

from collections.abc import Mapping
from typing import Any

from infra.cache import cluster_name
from infra.config import StackConfig
from infra.contract import TableArgs, table_document
from infra.database import log_exports
from infra.environment import (
    MAXIMUM_BYTES,
    SPLIT_BYTES,
    CacheDocument,
    DatabaseContract,
    DatabaseDocument,
    EnvironmentDocument,
    SourceDocument,
    split,
)
from infra.keys import ConfigError
from infra.permissions import roles

_STANDARD_BYTES = 4096
# Lengths of what AWS makes up; a little more than it makes up today.
_UNKNOWN = "x" * 40
_ADDRESS = "x" * 90


def describe(config: StackConfig, account: str, names: Mapping[str, Any]) -> EnvironmentDocument:
    """The document; `names` holds what only AWS knows."""
    return EnvironmentDocument(
        project=config.project,
        stack=config.stack,
        account=account,
        region=config.region,
        environment_class=config.environment_class,
        replica_regions=config.all_replica_regions,
        tables={table.logical: table for table in names["tables"]},
        database=_database(config, names),
        cache=CacheDocument(cluster_name(config.prefix), names["cache_endpoint"]) if config.cache else None,
        export_bucket=names["bucket"],
        export_prefix=config.export_prefix,
        evidence_bucket=names.get("evidence_bucket"),
        kms_key_arn=names["key"],
        roles=names["roles"],
        backup_vault=names["vault"],
        backup_plan_id=names["plan"],
        topic_arn=names["topic"],
        source=SourceDocument(
            secret_arn=names["source_secret"],
            api_url=config.source_api_url,
            accounts_url=config.source_accounts_url,
        ),
    )


def _database(config: StackConfig, names: Mapping[str, Any]) -> DatabaseDocument | None:
    settings = config.database
    if settings is None:
        return None
    contract = DatabaseContract(
        cluster=settings.aurora,
        instance_class=settings.instance_class,
        backup_days=settings.backup_days,
        multi_az=settings.multi_az,
        deletion_protection=config.deletion_protection,
        subnet_group=names["subnet_group"],
        parameter_group=names["parameter_group"],
        security_groups=(names["database_group"],),
        kms_key_arn=names["key"],
        log_exports=tuple(log_exports(settings.engine)),
        backup_region=settings.backup_region,
        tags=config.tags,
    )
    return DatabaseDocument(
        engine=settings.engine,
        identifier=settings.identifier,
        arn=names["database_arn"],
        resource_id=names["resource_id"],
        address=names["address"],
        port=settings.port,
        database=settings.database,
        username=settings.username,
        secret_arn=names["database_secret"],
        contract=contract,
    )


def is_long(config: StackConfig, account: str) -> bool:
    """Whether the document will be too long to hold the contracts, judged before AWS has named anything.

    Resources may not depend on an output, so the length is taken with names of the length that AWS gives.
    ConfigError when even its parts do not fit into parameters: before any resource, not after all of them.
    """
    document = describe(config, account, _stand_ins(config, account))
    if len(document.to_json().encode()) <= SPLIT_BYTES:
        return False
    text, contracts = split(document)
    for part in (text, *contracts.values()):
        parameter_tier(part)
    return True


def parameter_tier(text: str) -> str:
    """The SSM tier that holds the text: Standard up to 4 KB, Advanced up to 8 KB; ConfigError above."""
    size_bytes = len(text.encode())
    if size_bytes > MAXIMUM_BYTES:
        raise ConfigError(
            f"tables: the environment document has {size_bytes} bytes, a parameter holds {MAXIMUM_BYTES}; "
            "declare fewer tables or indexes in this stack, and the others in another"
        )
    return "Standard" if size_bytes <= _STANDARD_BYTES else "Advanced"


def _stand_ins(config: StackConfig, account: str) -> dict[str, Any]:
    arn = f"arn:aws:service:{config.region}:{account}:"
    tables = [
        table_document(TableArgs(one, config.region, True, config.tags), one.physical, f"{arn}table/{one.physical}")
        for one in config.tables
    ]
    named = f"{arn}{config.prefix}-{_UNKNOWN}"
    texts = ("key", "vault", "plan", "topic", "source_secret", "database_arn", "database_secret")
    groups = ("subnet_group", "parameter_group", "database_group", "resource_id")
    return {
        "tables": tables,
        "roles": {role: f"{arn}role/{config.prefix}-{role}" for role in roles(database=bool(config.database))},
        "bucket": config.export_bucket_name or f"{config.prefix}-exports-{account}",
        "evidence_bucket": f"{config.prefix}-evidence-{account}" if config.evidence else None,
        "address": _ADDRESS,
        "cache_endpoint": _ADDRESS,
        **dict.fromkeys(texts, named),
        **dict.fromkeys(groups, f"{config.prefix}-{_UNKNOWN}"),
    }
