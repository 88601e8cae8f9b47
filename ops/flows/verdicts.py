"""What a comparison proves of its subject, in words and as an error."""

from __future__ import annotations

from ops.errors import ItemsDiffer, NotProven, OpsError
from ops.model.items import key_text
from ops.model.proof import Comparison

#: Differing keys that an error text names; the answer lists them all.
NAMED_KEYS = 5


def why_void(proof: Comparison) -> str:
    """Why a comparison proves nothing."""
    if not proof.void:
        return ""
    for name, side in (("expected", proof.expected), ("found", proof.found)):
        if side.declared is not None and side.declared != side.items:
            return f"the {name} side was not read whole: {side.items:,} of {side.declared:,} items"
    if proof.all_ignored:
        rules = ", ".join(sorted(proof.ignored))
        return f"every item was left out by rule {rules}: zero items compared is never a proof"
    return "both sides are empty: zero items compared is never a proof"


def first_keys(proof: Comparison) -> str:
    """The first differing keys with what happened to them."""
    named = [f"{one.kind} {key_text(one.key) if one.key else one.key_digest}" for one in proof.differences[:NAMED_KEYS]]
    more = proof.differing - len(named)
    return "; ".join(named) + (f"; and {more:,} more" if named and more > 0 else "")


def reason_to_fail(proof: Comparison, subject: str) -> OpsError | None:
    """None when proven equal; NotProven for a void comparison; ItemsDiffer with the keys for a difference."""
    if proof.equal:
        return None
    if proof.differing:
        what = f"{proof.differing:,} items of {subject} differ from {proof.expected.info.where}"
        return ItemsDiffer(what, why=first_keys(proof))
    return NotProven(f"nothing was proven about {subject}", why=why_void(proof))
