"""Questions to the comparison itself, on items in memory: a dropped page, the smallest changes of all kinds, ghosts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ops.drill.bench import Bench
from ops.drill.damage import new_key
from ops.drill.details import DETAILS
from ops.drill.sides import Comparer, compare_sides, memory_side
from ops.model.drill import Planted
from ops.model.items import AttributeValue, Item
from ops.verify.fingerprint import recorder

#: Enough to hold every form; the comparison is the same code whatever the number.
SAMPLE = 1000
PAGE_SHARE = 4
#: Beyond this many digits a longer notation would no longer be a DynamoDB number.
_MAX_DIGITS = 30
_DETAIL = "drill_detail"
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def check_verifier(bench: Bench, comparer: Comparer, expected: Sequence[Item]) -> tuple[Planted, ...]:
    """C22: a page that was not read must show. C23: another notation of equal values must not. C24: a change must."""
    # the item with every type was written last, so it stands at the end
    sample = list(expected[-SAMPLE:])
    return (
        _dropped_page(bench, comparer, sample),
        _other_notation(bench, comparer, sample),
        _every_detail(bench, comparer, sample),
    )


def _dropped_page(bench: Bench, comparer: Comparer, sample: list[Item]) -> Planted:
    page = sample[: max(1, len(sample) // PAGE_SHARE)]
    whole, rest = memory_side(bench.schema, sample, "expected"), memory_side(bench.schema, sample[len(page) :], "found")
    found = compare_sides(comparer, bench.schema, whole, rest)
    dropped = {recorder(bench.schema)(item).key.hex() for item in page}
    reported = {one.key_digest for one in found.differences if one.kind == "missing"}
    caught = not found.equal and found.missing == len(page) and reported <= dropped
    what = f"a page of {len(page)} of {len(sample)} items dropped"
    return Planted("C22", what, "comparison in memory", caught, f"{found.missing} missing")


def _other_notation(bench: Bench, comparer: Comparer, sample: list[Item]) -> Planted:
    rewritten = [rewrite(item) for item in sample]
    whole, other = memory_side(bench.schema, sample, "expected"), memory_side(bench.schema, rewritten, "found")
    found = compare_sides(comparer, bench.schema, whole, other)
    caught = found.equal and found.found.items == len(sample)
    what = "the same values in another notation: 71 as 71.0, sets, maps and base64 written differently"
    return Planted("C23", what, "comparison in memory", caught, f"{found.differing} differences, as wanted none")


def _every_detail(bench: Bench, comparer: Comparer, sample: list[Item]) -> Planted:
    """Made-up items that differ in one detail each, and every item of the sample with one attribute more."""
    random = bench.chance("details")
    keys = [new_key(sample[number % len(sample)], bench.schema, number, random) for number in range(len(DETAILS))]
    before = [_with(key, one.before) for key, one in zip(keys, DETAILS, strict=True)]
    after = [_with(key, one.after) for key, one in zip(keys, DETAILS, strict=True)]
    wanted = memory_side(bench.schema, [*sample, *before], "expected")
    found = memory_side(bench.schema, [*({**item, _DETAIL: {"N": "1"}} for item in sample), *after], "found")
    read = compare_sides(comparer, bench.schema, wanted, found)
    record = recorder(bench.schema)
    reported = {one.key_digest for one in read.differences if one.kind == "changed"}
    missed = [one.what for one, item in zip(DETAILS, before, strict=True) if record(item).key.hex() not in reported]
    unseen = sum(record(item).key.hex() not in reported for item in sample)
    missed += [f"an attribute more on {unseen} of {len(sample)} items"] if unseen else []
    caught = not missed and read.changed == read.differing == len(reported) == len(sample) + len(DETAILS)
    what = f"{len(DETAILS)} items changed in one detail each, one attribute more on {len(sample)} others"
    said = f"not reported: {', '.join(missed)}" if missed else f"{read.changed} changed"
    return Planted("C24", what, "comparison in memory", caught, said)


def _with(key: Item, value: AttributeValue | None) -> Item:
    return key if value is None else {**key, _DETAIL: value}


def rewrite(item: Item) -> Item:
    """The same item by DynamoDB's rules, written in another way wherever there is one."""
    return {name: _rewritten(item[name]) for name in reversed(list(item))}


def _rewritten(value: AttributeValue) -> AttributeValue:
    (tag, content), *_ = value.items()
    forms: dict[str, Any] = {
        "N": lambda: _number(content),
        "B": lambda: _base64(content),
        "SS": lambda: list(reversed(content)),
        "NS": lambda: [_number(one) for one in reversed(content)],
        "BS": lambda: [_base64(one) for one in reversed(content)],
        "L": lambda: [_rewritten(one) for one in content],
        "M": lambda: {name: _rewritten(content[name]) for name in reversed(list(content))},
    }
    return {tag: forms[tag]() if tag in forms else content}


def _number(text: str) -> str:
    plain = len(text) <= _MAX_DIGITS and text.lstrip("-").isdigit()
    return f"{text}.0" if plain else text


def _base64(text: str) -> str:
    """Set an unused bit of the last character: decoders ignore it."""
    body = text.rstrip("=")
    if body == text:
        return text
    last = _BASE64.index(body[-1])
    return f"{body[:-1]}{_BASE64[last | 1]}{text[len(body) :]}"
