"""The operator roles by name, what each may do and who may assume it; no wildcard action anywhere."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from infra import drilling, protecting, recovering
from infra.keys import ConfigError
from infra.scope import Scope
from infra.statements import Document, Statement

ROLES: Mapping[str, Callable[[Scope], list[Statement]]] = {
    "ops-read": protecting.read,
    "ops-backup": protecting.backup,
    "ops-export": protecting.export,
    "ops-import": protecting.import_,
    "ops-restore": recovering.restore,
    "ops-settings": recovering.settings,
    "ops-cutover": recovering.cutover,
    "ops-load": recovering.load,
    "ops-repair": recovering.repair,
    "ops-rds-restore": recovering.rds_restore,
    "ops-drill": drilling.drill,
}
NEEDS_DATABASE = frozenset({"ops-rds-restore"})
BREAK_GLASS = frozenset({"ops-restore", "ops-repair", "ops-rds-restore"})
INLINE_LIMIT = 10_240  # characters of all inline policies of a role, white space not counted
# A role that demands a tag on the caller must let the caller set it.
TAGGED = frozenset({"ops-repair"})


def roles(*, database: bool) -> list[str]:
    """The roles of a stack: without a database there is none to restore it."""
    return [role for role in ROLES if database or role not in NEEDS_DATABASE]


def document(role: str, scope: Scope) -> Document:
    """The permission policy of a role."""
    return {"Version": "2012-10-17", "Statement": ROLES[role](scope)}


def fitting(scope: Scope) -> Scope:
    """`scope`, or a shorter one when a policy would be too long; ConfigError when that is not enough.

    IAM takes 10,240 characters of inline policies in a role.
    """
    if _longest(scope) <= INLINE_LIMIT:
        return scope
    shorter = replace(scope, any_region=True)
    if (length := _longest(shorter)) > INLINE_LIMIT:
        raise ConfigError(
            f"tables: the policy of a role would have {length} characters, IAM takes {INLINE_LIMIT}; "
            "declare fewer tables in this stack, and the others in another"
        )
    return shorter


def _longest(scope: Scope) -> int:
    return max(len(policy_text(role, scope)) for role in roles(database=scope.database is not None))


def policy_text(role: str, scope: Scope) -> str:
    """The permission policy of a role as IAM is given it."""
    return json.dumps(document(role, scope), separators=(",", ":"))


def trust(role: str, account: str, principals: Sequence[str]) -> Document:
    """Who may assume a role: the named principals, else this account; break-glass roles only with MFA."""
    statement: Statement = {
        "Effect": "Allow",
        "Principal": {"AWS": list(principals) or [f"arn:aws:iam::{account}:root"]},
        "Action": ["sts:AssumeRole", "sts:TagSession"] if role in TAGGED else ["sts:AssumeRole"],
    }
    if role in BREAK_GLASS:
        statement["Condition"] = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    return {"Version": "2012-10-17", "Statement": [statement]}
