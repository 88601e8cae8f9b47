"""Digests read by learned shapes are those that the parser gives, whatever the lines look like."""

from __future__ import annotations

from random import Random
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.verify.fingerprint import recorder
from ops.verify.reading import Reader
from tests.property.examples import examples
from tests.property.verify.strategies import KEYS, MALFORMED, VALUES, line_of

ATTRIBUTES = st.dictionaries(st.sampled_from(["x", "y", "%s", "Item", "é", ""]), st.one_of(VALUES, VALUES, MALFORMED))
KEY_VALUES = st.tuples(
    st.one_of(st.just({"S": "a"}), VALUES, MALFORMED), st.one_of(st.just({"N": "1"}), VALUES, MALFORMED)
)


def check(lines: list[bytes]) -> None:
    """Any number of shapes gives what no shape gives."""
    record = recorder(KEYS)
    wanted = []
    for number, line in enumerate(lines):
        parsed = orjson.loads(line)
        bare = set(parsed) == {"Item"} and isinstance(parsed["Item"], dict)
        made = record(parsed["Item"] if bare else parsed)
        wanted.append((number + 5, made.key, made.item, bool(made.fault)))
    for shapes in (0, 1, 6):
        found = Reader(KEYS, shapes=shapes).digests(b"".join(lines), 5)
        read = zip(found.lines, found.keys, found.items, (at in found.faulty for at in found.lines), strict=True)
        assert sorted(read) == wanted


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.tuples(KEY_VALUES, ATTRIBUTES), max_size=6), st.randoms(use_true_random=False))
def test_any_lines_give_the_digests_of_the_parser(parts: Any, random: Random) -> None:
    check([line_of({"pk": pk, "sk": sk, **rest}, random) for (pk, sk), rest in parts])


@settings(max_examples=examples(200), deadline=None)
@given(st.dictionaries(st.sampled_from(["x", "y", "%d"]), VALUES, min_size=1), st.data())
def test_lines_of_one_shape_with_other_values_give_the_digests_of_the_parser(model: Any, data: st.DataObject) -> None:
    random = data.draw(st.randoms(use_true_random=False))
    model = {"pk": {"S": "a"}, "sk": {"N": "1"}, **model}
    text = line_of(model, random)
    lines = [text]
    for _ in range(4):
        old, new = (data.draw(st.sampled_from([b"1", b"a", b"=", b"0", b",", b'"', b"}", b"A", b" "])) for _ in "12")
        changed = text.replace(old, new, data.draw(st.integers(1, 3)))
        try:
            parsed = orjson.loads(changed)
        except orjson.JSONDecodeError:
            continue
        if isinstance(parsed, dict) and parsed and isinstance(parsed.get("Item", {}), dict):
            lines.append(changed)
    check(lines)
