"""What every stack must keep, as data: one sentence and one function over all resources each.

They run in the tests over the resources that an apply recorded, and as a Pulumi policy pack
(`pulumi preview --policy-pack infra/policypack`).
"""

from collections.abc import Sequence

from infra import rules_stores, rules_tables
from infra.rules import MINIMUM_PITR_DAYS, Resource, Rule, Violation
from infra.schema import TARGET_PERCENT

RULES = (
    Rule(
        "time-travel", f"every table keeps {MINIMUM_PITR_DAYS} days of point-in-time recovery", rules_tables.time_travel
    ),
    Rule("kept", "what holds data is protected and retained, what guards it is retained with it", rules_stores.kept),
    Rule("guarded", "tables, replicas and databases have deletion protection", rules_stores.guarded),
    Rule("scaled", "every provisioned table and index scales reads and writes in every Region", rules_tables.scaled),
    Rule("target", f"scaling tracks {TARGET_PERCENT} %", rules_tables.target_utilization),
    Rule("floor", "the bounds of scaling hold the capacity of the table", rules_tables.floors),
    Rule("attributes", "a table declares the attributes of its keys and no other", rules_tables.attributes),
    Rule("bucket", "buckets are versioned, encrypted, private, owned and reached by TLS only", rules_stores.buckets),
    Rule("database", "databases are encrypted, backed up, private and hold no password of ours", rules_stores.database),
    Rule("actions", "no policy allows a wildcard action or everybody", rules_stores.no_wildcards),
    Rule("region", "a replica lies in another Region than its table", rules_tables.regions_differ),
    Rule("parity", "a replica has a key of its Region and the tags, as its table has", rules_tables.parity),
    Rule("covered", "AWS Backup covers every table and database", rules_stores.covered),
    Rule("locked", "a bucket that can lock its objects does", rules_stores.locked),
    Rule("closed", "no port is open to the world", rules_stores.closed),
    Rule("pointer", "the pointer of a table is no resource of the program", rules_tables.pointers),
)


def violations(resources: Sequence[Resource]) -> list[Violation]:
    """Every broken promise of a stack."""
    return [Violation(rule.name, name, reason) for rule in RULES for name, reason in rule.check(resources)]
