"""Every type the program registers, by token."""

from collections.abc import Mapping

from ops.sandbox.deploy.resources import access, backup, cache, database, network, scaling, storage, tables, watching
from ops.sandbox.deploy.spec import Spec

SPECS: Mapping[str, Spec] = {
    **tables.SPECS,
    **scaling.SPECS,
    **storage.SPECS,
    **network.SPECS,
    **database.SPECS,
    **cache.SPECS,
    **access.SPECS,
    **backup.SPECS,
    **watching.SPECS,
}

# What an endpoint may refuse to create, and why that is accepted: all of it is moto without the sandbox's
# additions, whose server takes everything. Anything else that is refused is an error.
REFUSALS: Mapping[str, str] = {
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": "moto 5.2 loads no AWS managed policies",
    "aws:dynamodb/tableReplica:TableReplica": "moto 5.2 accepts replicas and ignores them",
    "aws:dax/subnetGroup:SubnetGroup": "moto 5.2 has no DAX subnet groups",
    "aws:dax/parameterGroup:ParameterGroup": "moto 5.2 has no DAX parameter groups",
    "aws:backup/selection:Selection": "moto 5.2 has no backup selections",
}

# Declared settings that the endpoint may hold otherwise, and why that is accepted.
DIFFERENCES: Mapping[tuple[str, str], str] = {}
