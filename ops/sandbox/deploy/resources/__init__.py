"""Every type the program registers, by token; what the sandbox cannot take of it, with reasons."""

from collections.abc import Mapping

from ops.sandbox.deploy.resources import (
    access,
    backup,
    bastion,
    cache,
    clusters,
    database,
    network,
    replicas,
    scaling,
    secrets,
    storage,
    tables,
    watching,
)
from ops.sandbox.deploy.spec import Spec

SPECS: Mapping[str, Spec] = {
    **tables.SPECS,
    **replicas.SPECS,
    **scaling.SPECS,
    **secrets.SPECS,
    **storage.SPECS,
    **network.SPECS,
    **bastion.SPECS,
    **database.SPECS,
    **clusters.SPECS,
    **cache.SPECS,
    **access.SPECS,
    **backup.SPECS,
    **watching.SPECS,
}

# What the sandbox may refuse to create, and why that is accepted. Anything else that is refused is an error.
REFUSALS: Mapping[str, str] = {
    "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication": (
        "no automated backups of RDS in another Region"
    ),
}

# Declared settings that the sandbox may hold otherwise, and why that is accepted: `name`, or `name[*].member` of
# every entry of a list.
DIFFERENCES: Mapping[tuple[str, str], str] = {
    ("aws:dynamodb/table:Table", "globalSecondaryIndexes[*].onDemandThroughput"): "moto 5.2 forgets maxima of an index",
    ("aws:dynamodb/tableReplica:TableReplica", "kmsKeyArn"): "a replica has its table's key here, and none is used",
}


def cannot() -> tuple[str, ...]:
    """Everything of the program that a sandbox cannot take or cannot show, one line each, with the reason."""
    refused = [f"{_short(type_)} is not created: {reason}" for type_, reason in REFUSALS.items()]
    held = [f"{_short(type_)}.{name} may differ: {reason}" for (type_, name), reason in DIFFERENCES.items()]
    unread = [
        f"{_short(type_)}.{name} is not read back: {reason}"
        for type_, spec in SPECS.items()
        for name, reason in spec.unread.items()
    ]
    return tuple(sorted([*refused, *held, *unread]))


def _short(type_: str) -> str:
    """`aws:rds/instance:Instance` as `rds.Instance`."""
    module, _, name = type_.removeprefix("aws:").partition(":")
    return f"{module.split('/')[0]}.{name}"
