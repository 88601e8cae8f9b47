"""The canonical form against the meaning of a value: the same text exactly where two values mean the same."""

from __future__ import annotations

import base64
from decimal import Decimal, localcontext
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.verify.canonical import ShapeError, canonical_item
from ops.verify.fingerprint import recorder
from ops.verify.reading import Reader
from tests.property.examples import examples
from tests.property.verify.strategies import KEYS, line_of

#: Everything that the notation itself is made of, an escape, a control character, two ways to write one letter.
TEXTS = st.text(st.sampled_from('"[]{},:\\/SNML1 \x00\né\u0301e\U0001f3b8'), max_size=4)
NUMBERS = st.builds(
    lambda digits, exponent: f"{digits}E{exponent}", st.integers(1 - 10**38, 10**38 - 1), st.integers(-60, 60)
)
BINARIES = st.binary(max_size=3).map(lambda raw: base64.b64encode(raw).decode())
VALUES = st.recursive(
    st.one_of(
        TEXTS.map(lambda text: {"S": text}),
        NUMBERS.map(lambda text: {"N": text}),
        BINARIES.map(lambda text: {"B": text}),
        st.sampled_from([{"NULL": True}, {"BOOL": True}, {"BOOL": False}, {"N": "-0"}, {"M": {}}, {"L": []}]),
        st.lists(TEXTS, min_size=1, max_size=4, unique=True).map(lambda texts: {"SS": texts}),
        st.lists(NUMBERS, min_size=1, max_size=3, unique_by=Decimal).map(lambda texts: {"NS": texts}),
        st.lists(BINARIES, min_size=1, max_size=3, unique=True).map(lambda texts: {"BS": texts}),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda members: {"L": members}),
        st.dictionaries(TEXTS, inner, max_size=3).map(lambda members: {"M": members}),
    ),
    max_leaves=5,
)
ITEMS = st.dictionaries(TEXTS, VALUES, max_size=3)


def meaning(value: Any) -> Any:
    """What a value is, without any notation."""
    [(tag, content)] = value.items()
    if tag == "N":
        return tag, exact(content)
    if tag == "B":
        return tag, base64.b64decode(content)
    if tag in ("SS", "NS", "BS"):
        return tag, frozenset(meaning({tag[0]: member}) for member in content)
    if tag == "L":
        return tag, tuple(map(meaning, content))
    if tag == "M":
        return tag, all_of(content)
    return tag, content


def all_of(item: Any) -> Any:
    return frozenset((name, meaning(value)) for name, value in item.items())


def exact(number: str) -> tuple[int, tuple[int, ...], int]:
    with localcontext(prec=200):
        sign, digits, exponent = Decimal(number).normalize().as_tuple()
    assert isinstance(exponent, int)
    return (sign, digits, exponent) if any(digits) else (0, (0,), 0)


def rewritten(value: Any, random: Random) -> Any:
    """The same value in another notation."""
    [(tag, content)] = value.items()
    if tag == "N":
        return {"N": respelled(content, random)}
    if tag == "B":
        return {"B": loosened(content, random)}
    if tag in ("SS", "NS", "BS"):
        members = [rewritten({tag[0]: member}, random)[tag[0]] for member in content]
        return {tag: random.sample(members, len(members))}
    if tag == "L":
        return {"L": [rewritten(member, random) for member in content]}
    return {"M": anew(content, random)} if tag == "M" else value


def anew(item: Any, random: Random) -> Any:
    """The same item in another notation and another order."""
    return {name: rewritten(item[name], random) for name in random.sample(list(item), len(item))}


def respelled(number: str, random: Random) -> str:
    digits, _, exponent = number.partition("E")
    spare = random.randint(0, 3)
    spelled = random.choice(
        [
            f"{digits}{'0' * spare}E{int(exponent or 0) - spare}",
            f"{digits}.{'0' * spare}e{exponent or 0}",
            plain(number),
        ]
    )
    return spelled if spelled.startswith("-") else random.choice(["", "+", "00"]) + spelled


def plain(number: str) -> str:
    with localcontext(prec=200):
        return f"{Decimal(number):f}"


def loosened(text: str, random: Random) -> str:
    """Bits that no byte uses may be anything: `AA==` and `AB==` are one byte."""
    unused = {1: 2, 2: 4}.get(text.count("="))
    if unused is None:
        return text
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = len(text.rstrip("=")) - 1
    free = 1 << unused
    return text[:last] + alphabet[alphabet.index(text[last]) + random.randrange(free)] + text[last + 1 :]


@settings(max_examples=examples(300), deadline=None)
@given(ITEMS, ITEMS, st.randoms(use_true_random=False))
def test_two_items_have_one_text_exactly_if_they_mean_the_same(one: Any, other: Any, random: Random) -> None:
    again = anew(one, random)
    assert all_of(one) == all_of(again)
    assert canonical_item(one) == canonical_item(again)
    assert (canonical_item(one) == canonical_item(other)) == (all_of(one) == all_of(other))


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(ITEMS, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_a_block_of_lines_gives_one_digest_to_what_means_the_same(items: Any, random: Random) -> None:
    """However it is written, and whatever shape was learned from the lines before."""
    whole = [{**item, "pk": {"S": "a"}, "sk": {"N": "1"}} for item in items]
    block = b"".join(line_of(one, random) for item in whole for one in (item, anew(item, random)))
    found = Reader(KEYS).digests(block)
    wanted = [recorder(KEYS)(item).item for item in whole for _ in "12"]
    assert not found.faulty
    assert dict(zip(found.lines, found.items, strict=True)) == dict(enumerate(wanted))


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.text('],[a"', max_size=3), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_a_set_of_strings_has_one_text_in_any_order_unless_it_holds_a_member_twice(
    members: list[str], random: Random
) -> None:
    """Members that look like the notation around them."""
    given_, again = ({"s": {"SS": list(some)}} for some in (members, random.sample(members, len(members))))
    if len(set(members)) == len(members):
        assert canonical_item(given_) == canonical_item(again) == text_of({"s": {"SS": sorted(members)}})
    else:
        with pytest.raises(ShapeError, match="twice"):
            canonical_item(again)


def text_of(item: object) -> bytes:
    return orjson.dumps(item, option=orjson.OPT_SORT_KEYS)
