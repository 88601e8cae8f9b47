"""Where each member of DynamoDB's API stands when a table is restored.

A test holds this against botocore's model: a member or an operation that AWS adds is unclassed until somebody
has decided about it, and fails the build.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Class = Literal["kept", "re-applied", "derived", "refused"]


@dataclass(frozen=True, slots=True)
class Classed:
    """`kept` by a restore, `re-applied` from the contract, `derived` by AWS, or `refused`: not carried, and why."""

    kind: Class
    why: str


_RESTORE = "carried by both kinds of restore unless overridden"
_LOST = "lost by every restore"

#: `TableDescription.<member>` and `<Operation>`: each Describe, Get and List of DynamoDB.
REGISTRY: dict[str, Classed] = {
    "TableDescription.ArchivalSummary": Classed("derived", "says when AWS archived a table whose key was unusable"),
    "TableDescription.AttributeDefinitions": Classed("kept", _RESTORE),
    "TableDescription.BillingModeSummary": Classed("kept", _RESTORE),
    "TableDescription.CreationDateTime": Classed("derived", "a restored table is a new table"),
    "TableDescription.DeletionProtectionEnabled": Classed("re-applied", f"{_LOST}: off after it"),
    "TableDescription.DisassociationProtectionEnabled": Classed("derived", "on by default for each replica"),
    "TableDescription.GlobalSecondaryIndexes": Classed("kept", _RESTORE),
    "TableDescription.GlobalTableSettingsReplicationMode": Classed("derived", "follows from how replicas were added"),
    "TableDescription.GlobalTableVersion": Classed("derived", "new replicas are of the current version"),
    "TableDescription.GlobalTableWitnesses": Classed(
        "refused", "strongly consistent global tables can only be begun on an empty table, which a restored one is not"
    ),
    "TableDescription.ItemCount": Classed("derived", "about six hours old: never evidence"),
    "TableDescription.KeySchema": Classed("kept", _RESTORE),
    "TableDescription.LatestStreamArn": Classed("derived", "a stream switched on again has a new ARN"),
    "TableDescription.LatestStreamLabel": Classed("derived", "a stream switched on again has a new label"),
    "TableDescription.LocalSecondaryIndexes": Classed("kept", _RESTORE),
    "TableDescription.MultiRegionConsistency": Classed(
        "refused", "strong consistency can only be chosen while a table is empty"
    ),
    "TableDescription.OnDemandThroughput": Classed("kept", _RESTORE),
    "TableDescription.ProvisionedThroughput": Classed("kept", "of now or of then: read back; scaling moves it"),
    "TableDescription.Replicas": Classed("re-applied", f"{_LOST}: the result stands alone"),
    "TableDescription.RestoreSummary": Classed("derived", "gone when the table turns ACTIVE: lineage tags replace it"),
    "TableDescription.SSEDescription": Classed("kept", _RESTORE),
    "TableDescription.StreamSpecification": Classed("re-applied", _LOST),
    "TableDescription.TableArn": Classed("derived", "holds the new name"),
    "TableDescription.TableClassSummary": Classed("re-applied", f"{_LOST}: STANDARD after it"),
    "TableDescription.TableId": Classed("derived", "new for each table"),
    "TableDescription.TableName": Classed("derived", "nothing is ever restored over a table"),
    "TableDescription.TableSizeBytes": Classed("derived", "about six hours old: never evidence"),
    "TableDescription.TableStatus": Classed("derived", "life cycle"),
    "TableDescription.VectorIndexes": Classed("kept", _RESTORE),
    "TableDescription.WarmThroughput": Classed(
        "refused", "not accepted by a restore, and raising it is billed: raise it by hand where a recovery needs it"
    ),
    "DescribeBackup": Classed("derived", "a recovery point, not a setting"),
    "DescribeBulkOperation": Classed("derived", "a job, not a setting"),
    "DescribeContinuousBackups": Classed("re-applied", f"PITR and its period: {_LOST}"),
    "DescribeContributorInsights": Classed("refused", "not in the contract; recorded in the snapshot of a backup"),
    "DescribeEndpoints": Classed("derived", "of the service"),
    "DescribeExport": Classed("derived", "a job, not a setting"),
    "DescribeGlobalTable": Classed("refused", "the version of 2017, which this tool does not handle"),
    "DescribeGlobalTableSettings": Classed("refused", "the version of 2017, which this tool does not handle"),
    "DescribeImport": Classed("derived", "a job, not a setting"),
    "DescribeKinesisStreamingDestination": Classed(
        "refused", "not in the contract; recorded in the snapshot of a backup"
    ),
    "DescribeLimits": Classed("derived", "of the account"),
    "DescribeTable": Classed("derived", "its members are classed one by one above"),
    "DescribeTableReplicaAutoScaling": Classed("re-applied", "read and written through Application Auto Scaling"),
    "DescribeTimeToLive": Classed("re-applied", _LOST),
    "GetItem": Classed("kept", "an item"),
    "GetResourcePolicy": Classed("refused", "not in the contract, and it names the old ARN; recorded by its digest"),
    "ListBackups": Classed("derived", "recovery points, not settings"),
    "ListBulkOperations": Classed("derived", "jobs, not settings"),
    "ListContributorInsights": Classed("refused", "not in the contract; recorded in the snapshot of a backup"),
    "ListExports": Classed("derived", "jobs, not settings"),
    "ListGlobalTables": Classed("refused", "the version of 2017, which this tool does not handle"),
    "ListImports": Classed("derived", "jobs, not settings"),
    "ListTables": Classed("derived", "names"),
    "ListTagsOfResource": Classed("re-applied", _LOST),
}
