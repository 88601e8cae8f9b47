"""Numbers by value, plain JSON there and back, sizes as AWS counts them."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.dynamodb.attributes import (
    Unacceptable,
    canonical_number,
    from_plain,
    item_size,
    to_plain,
    validate_item,
    validate_value,
    value_size,
)
from ops.model.items import KeySchema
from tests.property.examples import examples

WIDE = Context(prec=400)
DIGITS = st.text("0123456789", min_size=1, max_size=38)


@st.composite
def number_texts(draw: st.DrawFn) -> str:
    digits = draw(DIGITS)
    point = draw(st.none() | st.integers(0, len(digits)))
    text = digits if point is None else f"{digits[:point]}.{digits[point:]}"
    exponent = draw(st.none() | st.integers(-80, 80))
    tail = (
        ""
        if exponent is None
        else draw(st.sampled_from("eE")) + draw(st.sampled_from(["", "+"])) * (exponent >= 0) + str(exponent)
    )
    return draw(st.sampled_from(["", "-", "+"])) + text + tail


@settings(max_examples=examples(500))
@given(number_texts())
def test_the_canonical_number_has_the_same_value_and_one_notation(text: str) -> None:
    canonical = canonical_number(text)
    assert Decimal(canonical) == Decimal(text)
    assert canonical_number(canonical) == canonical
    assert not set(canonical) & set("eE+")
    assert canonical not in ("-0", "")
    assert not ("." in canonical and canonical.endswith(("0", ".")))
    assert not canonical.lstrip("-").startswith("0") or canonical.lstrip("-").startswith("0.") or canonical == "0"


@settings(max_examples=examples(300))
@given(number_texts(), number_texts())
def test_equal_values_have_equal_texts_and_others_not(left: str, right: str) -> None:
    assert (canonical_number(left) == canonical_number(right)) == (Decimal(left) == Decimal(right))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        ".",
        "1e",
        "NaN",
        "Infinity",
        "1_000",
        "\u0661",
        " 1",
        "1 ",
        "0x10",
        "1" * 39,
        "1e126",
        "1e-131",
        "1,5",
        "--1",
        "1e9999999",
        "1.0e-130000",
    ],
)
def test_what_is_no_dynamodb_number_is_refused(text: str) -> None:
    with pytest.raises(Unacceptable):
        canonical_number(text)


@pytest.mark.parametrize("value", [5, 1.5, None, True, b"1", Decimal(1)])
def test_a_number_that_is_not_text_is_refused(value: object) -> None:
    with pytest.raises(Unacceptable):
        canonical_number(value)


@pytest.mark.parametrize(
    "text", ["9.9999999999999999999999999999999999999E+125", "1E-130", "-1E-130", "1" * 38, "1" + "0" * 125]
)
def test_the_ends_of_the_range_are_accepted(text: str) -> None:
    assert Decimal(canonical_number(text)) == Decimal(text)


PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.text()
    | st.integers(-(10**37), 10**37)
    | st.decimals(-(10**6), 10**6, allow_nan=False, places=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=examples(300))
@given(PLAIN)
def test_plain_json_comes_back_as_it_went_in(value: Any) -> None:
    encoded = from_plain(value)
    validate_value(encoded, "value")
    assert to_plain(orjson.loads(orjson.dumps(encoded))) == value


@pytest.mark.parametrize("value", [1.5, float("nan"), {1, "a"}, set(), object(), 1 + 2j])
def test_what_has_no_type_is_refused(value: object) -> None:
    with pytest.raises(Unacceptable):
        from_plain(value)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "héé"}, 5),
        ({"N": "0"}, 1),
        ({"N": "71"}, 2),
        ({"N": "12345"}, 4),
        ({"N": "100"}, 2),
        ({"N": "0.005"}, 2),
        ({"N": "100.5"}, 3),
        ({"B": "AP8="}, 2),
        ({"BOOL": False}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["ab", "c"]}, 3),
        ({"NS": ["1", "22"]}, 4),
        ({"BS": ["AP8="]}, 2),
        ({"L": []}, 3),
        ({"L": [{"S": "a"}, {"S": "b"}]}, 7),
        ({"M": {"ab": {"S": "c"}}}, 7),
    ],
)
def test_sizes_follow_the_page_on_capacity(value: dict[str, Any], size: int) -> None:
    assert value_size(value) == size
    assert item_size({"xy": value}) == size + 2


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"S": "a", "N": "1"},
        {"X": "a"},
        {"S": 1},
        {"S": None},
        {"N": 1},
        {"BOOL": "true"},
        {"NULL": False},
        {"B": "?"},
        {"SS": []},
        {"SS": ["a", "a"]},
        {"SS": [1]},
        {"NS": ["1", "1.0"]},
        {"BS": ["AP8=", "AP9="]},
        {"L": {}},
        {"M": []},
        {"M": {"": {"S": "a"}}},
        {"L": [{"L": [{"Z": 1}]}]},
        {"S": "\ud800"},
        [],
        "text",
        None,
    ],
)
def test_a_malformed_value_is_refused_with_its_place(value: object) -> None:
    with pytest.raises(Unacceptable) as caught:
        validate_item({"pk": {"S": "a"}, "outer": value}, KeySchema("pk"))
    assert "outer" in str(caught.value) or "attribute name" in str(caught.value)


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"S": "x"}
    for _ in range(levels - 1):
        value = {"L": [value]}
    return value


def test_nesting_ends_at_thirty_two_levels() -> None:
    validate_value(nested(32), "deep")
    with pytest.raises(Unacceptable):
        validate_value(nested(33), "deep")


def test_an_item_may_have_exactly_the_limit() -> None:
    keys = KeySchema("pk")
    validate_item({"pk": {"S": "a"}, "x": {"S": "y" * (409_600 - 4)}}, keys)
    with pytest.raises(Unacceptable):
        validate_item({"pk": {"S": "a"}, "x": {"S": "y" * (409_600 - 3)}}, keys)


def test_keys_have_limits_of_their_own() -> None:
    keys = KeySchema("pk", "S", "sk", "S")
    validate_item({"pk": {"S": "a" * 2048}, "sk": {"S": "b" * 1024}}, keys)
    for item in ({"pk": {"S": "a" * 2049}, "sk": {"S": "b"}}, {"pk": {"S": "a"}, "sk": {"S": "b" * 1025}}):
        with pytest.raises(Unacceptable):
            validate_item(item, keys)
