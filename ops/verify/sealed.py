"""A comparison with a seal alone: equal or not, and in which buckets not."""

from __future__ import annotations

from collections import Counter

from ops.model.proof import Comparison, Difference, DifferenceKind
from ops.verify.gathering import Gathered
from ops.verify.seal import leaves_of
from ops.verify.sides import SealedSide


def against_seal(expected: Gathered, found: Gathered, listed: int) -> Comparison:
    """Compare leaf by leaf.

    Differences are buckets, named by the three hexadecimal digits with which the digests of their keys begin. A
    bucket counts as many missing or extra items as its number of items tells, or one changed item: at least so many
    differ.
    """
    found_counts, found_leaves = _leaves(found)
    counts: Counter[str] = Counter()
    differences: list[Difference] = []
    for bucket, (count, leaf) in enumerate(zip(*_leaves(expected), strict=True)):
        if leaf == found_leaves[bucket]:
            continue
        kind: DifferenceKind = "changed"
        if count != found_counts[bucket]:
            kind = "missing" if count > found_counts[bucket] else "extra"
        counts[kind] += max(1, abs(count - found_counts[bucket]))
        differences.append(Difference(kind, f"{bucket:03x}", None))
    return Comparison(
        expected=expected.count,
        found=found.count,
        missing=counts["missing"],
        extra=counts["extra"],
        changed=counts["changed"],
        shape=expected.faults + found.faults,
        differences=tuple(differences[:listed]),
        listed_all=len(differences) <= listed and not expected.faults + found.faults,
    )


def _leaves(gathered: Gathered) -> tuple[tuple[int, ...], tuple[bytes, ...]]:
    side = gathered.side
    if isinstance(side, SealedSide):
        return side.seal.counts, tuple(map(bytes.fromhex, side.seal.leaves))
    counts, leaves = leaves_of(gathered.spill)
    return tuple(counts), tuple(leaves)
