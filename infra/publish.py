"""The environment document in the parameter store of every Region, and what the last one said."""

import json
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.config import StackConfig
from infra.contract import local_index_documents
from infra.description import parameter_tier
from infra.environment import EnvironmentDocument, IndexDocument, contract_path, parameter_path, split
from infra.keys import ConfigError


def publish(config: StackConfig, document: pulumi.Output[EnvironmentDocument], *, long: bool) -> pulumi.Output[str]:
    """Write it in the home Region and in every replica's: the loss of a Region must not take the document.

    Returns the text of the main parameter.
    """
    parts = document.apply(lambda found: split(found) if long else (found.to_json(), {}))
    text = parts.apply(lambda found: found[0])
    for region in (None, *config.all_replica_regions):
        suffix = f"-{region}" if region else ""
        path = parameter_path(config.project, config.stack)
        _parameter(config, f"environment{suffix}", path, text, region, "Environment document of the stack, read by ops")
        for table in config.tables if long else ():
            path = contract_path(config.project, config.stack, table.logical)
            name = f"contract-{table.logical}{suffix}"
            about = f"Declared settings of {table.logical}, read by ops"
            _parameter(config, name, path, _contract(parts, table.logical), region, about)
    return text


def _contract(parts: pulumi.Output[tuple[str, dict[str, str]]], logical: str) -> pulumi.Output[str]:
    return parts.apply(lambda found: found[1][logical])


def _parameter(
    config: StackConfig, name: str, path: str, value: pulumi.Output[str], region: str | None, description: str
) -> None:
    aws.ssm.Parameter(
        name,
        name=path,
        description=description,
        type="String",
        tier=value.apply(parameter_tier),
        value=value,
        region=region,
        tags=config.tags,
    )


def refuse_frozen_changes(config: StackConfig) -> None:
    """ConfigError when a table of the last document got other keys or local indexes: both are fixed at creation.

    Without this the change would show up as the replacement of a table, halfway through an update.
    """
    path = parameter_path(config.project, config.stack)
    found = aws.ssm.get_parameters_by_path(path=path.rsplit("/", 1)[0])
    for name, value in zip(found.names, found.values, strict=True):
        if name == path:
            _compare(config, json.loads(value))


def _compare(config: StackConfig, last: dict[str, Any]) -> None:
    for table in config.tables:
        known = last.get("tables", {}).get(table.logical)
        if known is None or known.get("physical") != table.physical:
            continue
        keys = table.schema
        declared = {
            "partitionKey": (keys.partition_key.name, keys.partition_key.type),
            "sortKey": (keys.sort_key.name, keys.sort_key.type) if keys.sort_key else None,
            "localIndexes": set(local_index_documents(keys)),
        }
        held = {
            "partitionKey": _key(known.get("partition_key")),
            "sortKey": _key(known.get("sort_key")),
            "localIndexes": {IndexDocument.from_data(index) for index in known.get("local_indexes", ())},
        }
        for member, value in declared.items():
            if value != held[member]:
                raise ConfigError(
                    f"tables.{table.logical}.{member}: fixed when the table {table.physical} was created; "
                    "declare another physical name for a table of another shape"
                )


def _key(found: dict[str, str] | None) -> tuple[str, str] | None:
    return (found["name"], found["type"]) if found else None
