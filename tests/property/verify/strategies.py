"""Items of all ten types, and lines that write them in every way that JSON and DynamoDB allow."""

from __future__ import annotations

import base64
import json
from random import Random
from typing import Any

from hypothesis import strategies as st

from ops.model.items import Item, KeySchema

KEYS = KeySchema("pk", "S", "sk", "N")

NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12).map(str)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
BINARY = st.binary(max_size=6).map(lambda raw: base64.b64encode(raw).decode())


def sets(of: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    """Members of a set, each once."""
    return st.lists(of, min_size=1, max_size=3, unique=True)


SCALARS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(lambda v: {"S": v}, TEXTS),
    st.builds(lambda v: {"N": v}, NUMBERS),
    st.builds(lambda v: {"B": v}, BINARY),
    st.builds(lambda v: {"BOOL": v}, st.booleans()),
    st.just({"NULL": True}),
    st.builds(lambda v: {"SS": v}, sets(TEXTS)),
    st.builds(
        lambda v: {"NS": [str(n) for n in v]},
        st.lists(st.integers(1 - 10**38, 10**38 - 1), min_size=1, max_size=3, unique=True),
    ),
    st.builds(lambda v: {"BS": v}, sets(BINARY)),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(lambda v: {"L": v}, st.lists(inner, max_size=3)),
        st.builds(lambda v: {"M": v}, st.dictionaries(TEXTS, inner, max_size=3)),
    ),
    max_leaves=6,
)
KEY = st.tuples(st.sampled_from(["a", "b", "A"]), st.integers(0, 5))
TABLES = st.dictionaries(KEY, st.dictionaries(st.sampled_from(["x", "y", "z"]), VALUES, max_size=3), max_size=12)

#: What is no DynamoDB value, or is one twice.
MALFORMED: st.SearchStrategy[Any] = st.sampled_from(
    [{"N": "NaN"}, {"N": "1_0"}, {"N": ""}, {"N": "9" * 39}, {"SS": []}, {"SS": ["a", "a"]}, {"NS": ["1", "1.0"]},
     {"B": "!"}, {"B": "A"}, {"BS": ["AA==", "AB=="]}, {"X": "1"}, {"S": 1}, {"BOOL": "true"}, {"NULL": False}, {},
     {"S": "a", "N": "1"}, "text", 7, None, [], {"M": []}, {"L": {}}, {"M": {"a": "b"}}, {"L": ["a"]}, {"N": 5}]
)  # fmt: skip


def items_of(table: dict[tuple[str, int], Item]) -> list[Item]:
    """The items of a table of the strategy TABLES."""
    return [{"pk": {"S": pk}, "sk": {"N": str(sk)}, **rest} for (pk, sk), rest in table.items()]


def line_of(item: Any, random: Random) -> bytes:
    """One of the ways to write an item as a line: order, blanks, escapes, wrapper."""
    document = {"Item": item} if random.random() < 0.7 else item
    text = json.dumps(
        _shuffled(document, random) if random.random() < 0.5 else document,
        ensure_ascii=random.random() < 0.3,
        separators=random.choice([(",", ":"), (", ", ": ")]),
    )
    return text.encode() + b"\n"


def _shuffled(value: Any, random: Random) -> Any:
    if isinstance(value, dict):
        names = list(value)
        random.shuffle(names)
        return {name: _shuffled(value[name], random) for name in names}
    return [_shuffled(one, random) for one in value] if isinstance(value, list) else value
