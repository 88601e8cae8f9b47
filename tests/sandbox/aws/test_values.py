"""Attribute values: checked, normalised, measured."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.core.exceptions import JsonRESTError

from ops.sandbox.aws.values import checked_value, normal_number

NUMBERS = st.builds(
    lambda sign, digits, exponent: f"{sign}{digits}e{exponent}",
    st.sampled_from(["", "-", "+"]),
    st.integers(min_value=1, max_value=10**38 - 1),
    st.integers(min_value=-130, max_value=88),
)


@given(NUMBERS)
def test_a_number_keeps_its_value_and_is_stored_in_one_form(text: str) -> None:
    stored, _ = normal_number(text)
    assert Decimal(stored) == Decimal(text)
    assert normal_number(stored)[0] == stored
    assert "e" not in stored.lower() and not stored.startswith("+")


@given(NUMBERS, st.integers(min_value=0, max_value=5))
def test_equal_numbers_have_one_stored_form(text: str, zeros: int) -> None:
    mantissa, exponent = text.split("e")
    longer = f"{mantissa}.{'0' * zeros}e{exponent}" if zeros else text
    assert normal_number(longer) == normal_number(text)


@pytest.mark.parametrize(
    ("given_text", "stored"),
    [("12.50", "12.5"), ("0012.500", "12.5"), ("-0", "0"), ("0.0", "0"), ("1e3", "1000"), (".5", "0.5"), ("5.", "5")],
)
def test_numbers_are_trimmed_of_needless_zeros(given_text: str, stored: str) -> None:
    assert normal_number(given_text)[0] == stored


@pytest.mark.parametrize(
    "text",
    ["1" * 39, "1.0000000000000000000000000000000000000001", "1e126", "-1e126", "1e-131", "", " 1", "1 ", "abc",
     "NaN", "Infinity", "1_000", "٣", "0x1", "1e", "--1"],
)  # fmt: skip
def test_more_than_38_digits_out_of_range_or_no_number_is_refused(text: str) -> None:
    with pytest.raises(JsonRESTError):
        normal_number(text)


@pytest.mark.parametrize("text", ["9" * 38, "9." + "9" * 37 + "e125", "1e-130", "1" + "0" * 60])
def test_numbers_at_the_limits_are_accepted(text: str) -> None:
    assert Decimal(normal_number(text)[0]) == Decimal(text)


@pytest.mark.parametrize(
    "value",
    [{"SS": []}, {"NS": []}, {"BS": []}, {"SS": ["a", "a"]}, {"NS": ["1", "1.0"]}, {"BS": ["QQ==", "QQ=="]},
     {"NULL": False}, {}, {"S": "a", "N": "1"}, {"X": "a"}],
)  # fmt: skip
def test_empty_sets_duplicates_and_malformed_values_are_refused(value: dict[str, Any]) -> None:
    with pytest.raises(JsonRESTError):
        checked_value(value)


@pytest.mark.parametrize(
    "value",
    [{"L": {}}, {"L": ""}, {"L": "ab"}, {"M": []}, {"M": "ab"}, {"SS": "ab"}, {"NS": "12"}, {"BS": {"QQ==": 1}},
     {"BOOL": "true"}, {"S": 1}, {"N": 1}, {"B": 1}],
)  # fmt: skip
def test_a_value_of_another_type_than_it_says_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(JsonRESTError) as caught:
        checked_value(value)
    assert "SerializationException" in str(caught.value.description)


@pytest.mark.parametrize(
    ("value", "size_bytes"),
    [({"S": "Größe"}, 7), ({"N": "0"}, 1), ({"N": "7"}, 2), ({"N": "-7"}, 3), ({"N": "1000"}, 2), ({"N": "-123"}, 4),
     ({"BOOL": True}, 1), ({"NULL": True}, 1), ({"B": "QUJD"}, 3), ({"SS": ["a", "bc"]}, 3), ({"NS": ["1", "12"]}, 4),
     ({"L": []}, 3), ({"L": [{"S": "ab"}, {"N": "1"}]}, 9), ({"M": {}}, 3), ({"M": {"é": {"S": "ab"}}}, 8)],
)  # fmt: skip
def test_what_is_normal_is_kept_as_it_is_and_measured(value: dict[str, Any], size_bytes: int) -> None:
    before = orjson.dumps(value)
    stored, size = checked_value(value)
    assert (size, orjson.dumps(stored), orjson.dumps(value)) == (size_bytes, before, before)


@pytest.mark.parametrize("wrap", [lambda one: {"L": [{"S": "a"}, one]}, lambda one: {"M": {"a": {"S": "a"}, "b": one}}])
def test_what_is_not_normal_is_stored_normal_and_the_given_value_is_left_alone(wrap: Any) -> None:
    value = wrap({"N": "01.0"})
    stored, _ = checked_value(value)
    assert (stored, value) == (wrap({"N": "1"}), wrap({"N": "01.0"}))


def _nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"S": "end"}
    for number in range(levels):
        value = {"M": {"a": value}} if number % 2 else {"L": [value]}
    return value


def test_nesting_of_32_levels_is_the_limit() -> None:
    checked_value(_nested(32))
    with pytest.raises(JsonRESTError, match=r"(?i)nest"):
        checked_value(_nested(33))


@pytest.mark.parametrize(
    ("value", "size"),
    [({"S": "héé"}, 5), ({"N": "0"}, 1), ({"N": "12"}, 2), ({"N": "123"}, 3), ({"N": "-123"}, 4), ({"N": "1000"}, 2),
     ({"B": "QUJD"}, 3), ({"BOOL": True}, 1), ({"NULL": True}, 1), ({"L": []}, 3), ({"L": [{"S": "ab"}]}, 6),
     ({"M": {"k": {"S": "ab"}}}, 7), ({"SS": ["a", "bc"]}, 3)],
)  # fmt: skip
def test_sizes_follow_the_published_arithmetic(value: dict[str, Any], size: int) -> None:
    assert checked_value(value)[1] == size


def test_binaries_with_other_unused_bits_are_one_value() -> None:
    assert checked_value({"B": "QQ=="})[0] == checked_value({"B": "QR=="})[0]
