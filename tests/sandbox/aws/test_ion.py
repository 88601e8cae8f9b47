"""Ion text: what the documentation shows, and every value there and back."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.sandbox.aws import ion
from ops.sandbox.aws.values import checked_value, normal_number

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
NUMBERS = st.one_of(
    st.integers(-(10**37), 10**37).map(str), st.decimals(-1000, 1000, places=4).map(lambda one: format(one, "f"))
).map(lambda text: normal_number(text)[0])
BINARY = st.binary(max_size=9).map(lambda raw: base64.b64encode(raw).decode())
SCALARS = st.one_of(
    TEXT.map(lambda one: {"S": one}), NUMBERS.map(lambda one: {"N": one}), BINARY.map(lambda one: {"B": one}),
    st.booleans().map(lambda one: {"BOOL": one}), st.just({"NULL": True}),
    st.lists(TEXT, min_size=1, max_size=3, unique=True).map(lambda one: {"SS": one}),
    st.lists(NUMBERS, min_size=1, max_size=3, unique=True).map(lambda one: {"NS": one}),
    st.lists(BINARY, min_size=1, max_size=3, unique=True).map(lambda one: {"BS": one}),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda one: {"L": one}),
        st.dictionaries(TEXT, inner, max_size=3).map(lambda one: {"M": one}),
    ),
    max_leaves=8,
)


def test_ion_lines_read_as_the_documentation_shows_them() -> None:
    item: dict[str, dict[str, Any]] = {
        "Authors": {"SS": ["Author1", "Author2"]}, "Dimensions": {"S": "8.5 x 11.0 x 1.5"}, "Id": {"N": "103"},
        "InPublication": {"BOOL": False}, "PageCount": {"N": "600"}, "Price": {"N": "2000"},
    }  # fmt: skip
    assert ion.line({"Item": ion.struct(item)}).decode() == (
        '$ion_1_0 {Item:{Authors:$dynamodb_SS::["Author1","Author2"],Dimensions:"8.5 x 11.0 x 1.5",Id:103.,'
        "InPublication:false,PageCount:6d2,Price:2d3}}"
    )


@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_every_value_survives_ion(wire: dict[str, Any]) -> None:
    (found,) = ion.values(ion.line({"Item": ion.struct(wire)}).decode())
    read = {name: checked_value(value)[0] for name, value in found["M"]["Item"]["M"].items()}
    assert read == {name: checked_value(value)[0] for name, value in wire.items()}


@pytest.mark.parametrize(
    ("text", "wire"),
    [("{a:1_000}", {"a": {"N": "1000"}}), ("{'a b':null.string}", {"a b": {"NULL": True}}),
     ("{a:'''x''' '''y'''}", {"a": {"S": "xy"}}), ("// note\n{a:other::true /* yes */}", {"a": {"BOOL": True}}),
     ('{"a":{{ AA== }},}', {"a": {"B": "AA=="}}), ("{a:-1.50d-2}", {"a": {"N": "-1.50E-2"}})],
)  # fmt: skip
def test_ion_of_other_writers_is_read_too(text: str, wire: dict[str, Any]) -> None:
    (found,) = ion.values(text)
    assert found == {"M": wire}


@pytest.mark.parametrize("text", ["{a:1", "{a 1}", "[1 2]", "{a:2024T}", "{a:(1)}", "{a:'''x", "{a:$dynamodb_SS::[1]}"])
def test_what_is_no_ion_value_of_dynamodb_is_refused(text: str) -> None:
    with pytest.raises(ion.Malformed):
        list(ion.values(text))
