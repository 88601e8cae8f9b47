"""What is typed becomes placeholders; what cannot be read is told with its column."""

from __future__ import annotations

import pytest

from ops.dynamodb.expressions import parse_sort, parse_where, path_parts
from ops.errors import BadArgument


@pytest.mark.parametrize(
    ("typed", "text", "names", "values"),
    [
        ("popularity > 90", "#w0 > :w0", {"#w0": "popularity"}, {":w0": {"N": "90"}}),
        ("popularity>=9.50", "#w0 >= :w0", {"#w0": "popularity"}, {":w0": {"N": "9.5"}}),
        ("a != 'x y'", "#w0 <> :w0", {"#w0": "a"}, {":w0": {"S": "x y"}}),
        ('name = "say \\"hi\\""', "#w0 = :w0", {"#w0": "name"}, {":w0": {"S": 'say "hi"'}}),
        ("album.year = 2020", "#w0.#w1 = :w0", {"#w0": "album", "#w1": "year"}, {":w0": {"N": "2020"}}),
        ("tags[2].name = null", "#w0[2].#w1 = :w0", {"#w0": "tags", "#w1": "name"}, {":w0": {"NULL": True}}),
        ("`odd name`.x = true", "#w0.#w1 = :w0", {"#w0": "odd name", "#w1": "x"}, {":w0": {"BOOL": True}}),
        ("`and` = 1", "#w0 = :w0", {"#w0": "and"}, {":w0": {"N": "1"}}),
        ("a between 1 and 2", "#w0 BETWEEN :w0 AND :w1", {"#w0": "a"}, {":w0": {"N": "1"}, ":w1": {"N": "2"}}),
        ("a in (1, 'x')", "#w0 IN (:w0, :w1)", {"#w0": "a"}, {":w0": {"N": "1"}, ":w1": {"S": "x"}}),
        ("begins_with(a, 'x')", "begins_with(#w0, :w0)", {"#w0": "a"}, {":w0": {"S": "x"}}),
        ("contains(a, 'x')", "contains(#w0, :w0)", {"#w0": "a"}, {":w0": {"S": "x"}}),
        ("attribute_exists(a.b)", "attribute_exists(#w0.#w1)", {"#w0": "a", "#w1": "b"}, {}),
        ("attribute_type(a, 'N')", "attribute_type(#w0, :w0)", {"#w0": "a"}, {":w0": {"S": "N"}}),
        ("size(a) < 5", "size(#w0) < :w0", {"#w0": "a"}, {":w0": {"N": "5"}}),
        ("not a = 1", "NOT #w0 = :w0", {"#w0": "a"}, {":w0": {"N": "1"}}),
        ("not not a = 1", "#w0 = :w0", {"#w0": "a"}, {":w0": {"N": "1"}}),
    ],
)
def test_a_condition_is_translated(typed: str, text: str, names: dict[str, str], values: dict[str, object]) -> None:
    found = parse_where(typed)
    assert (found.text, found.names, found.values) == (text, names, values)


def test_parentheses_and_words_keep_their_order() -> None:
    found = parse_where("(a = 1 OR b = 2) and not (c = 3 or a = 4)")
    assert found.text == "(#w0 = :w0 OR #w1 = :w1) AND NOT (#w2 = :w2 OR #w0 = :w3)"


@pytest.mark.parametrize(
    ("typed", "column"),
    [
        ("", 1),
        ("popularity >", 13),
        ("popularity 90", 12),
        ("popularity > 90 extra", 17),
        ("a = 'open", 5),
        ("a = 1 and", 10),
        ("(a = 1", 7),
        ("a = 1)", 6),
        ("a ~ 1", 3),
        ("a in ()", 7),
        ("a between 1 or 2", 13),
        ("contains(a)", 1),
        ("and = 1", 1),
        ("a = " + "1" * 39, 5),
        ("a = 1e999999", 5),
        ("not", 4),
        ("(" * 3000, 51),
    ],
)
def test_what_cannot_be_read_is_told_with_its_column(typed: str, column: int) -> None:
    with pytest.raises(BadArgument) as caught:
        parse_where(typed)
    assert f"column {column}:" in caught.value.what


def test_many_negations_do_not_exhaust_the_parser() -> None:
    assert parse_where("not " * 5000 + "a = 1").text == "#w0 = :w0"


@pytest.mark.parametrize(
    ("typed", "kind", "text", "values"),
    [
        ("t1", "S", "#s0 = :s0", {":s0": {"S": "t1"}}),
        ("2020", "S", "#s0 = :s0", {":s0": {"S": "2020"}}),
        ("2020", "N", "#s0 = :s0", {":s0": {"N": "2020"}}),
        ("2020", None, "#s0 = :s0", {":s0": {"N": "2020"}}),
        ("'2020'", None, "#s0 = :s0", {":s0": {"S": "2020"}}),
        ("2020-11-20", None, "#s0 = :s0", {":s0": {"S": "2020-11-20"}}),
        ("> 'a b'", "S", "#s0 > :s0", {":s0": {"S": "a b"}}),
        (">= 5", "N", "#s0 >= :s0", {":s0": {"N": "5"}}),
        ("between 1 and 20", "N", "#s0 BETWEEN :s0 AND :s1", {":s0": {"N": "1"}, ":s1": {"N": "20"}}),
        ("BETWEEN 'a' AND 'b'", "S", "#s0 BETWEEN :s0 AND :s1", {":s0": {"S": "a"}, ":s1": {"S": "b"}}),
        ("begins_with ab", "S", "begins_with(#s0, :s0)", {":s0": {"S": "ab"}}),
    ],
)
def test_a_sort_condition_takes_the_type_of_the_key(
    typed: str, kind: str | None, text: str, values: dict[str, object]
) -> None:
    found = parse_sort(typed, "strange sort.key", kind)
    assert (found.text, found.names, found.values) == (text, {"#s0": "strange sort.key"}, values)


@pytest.mark.parametrize("typed", ["", "<> 5", "!= 5", "> ", "'a"])
def test_a_sort_condition_that_dynamodb_has_not_is_refused(typed: str) -> None:
    with pytest.raises(BadArgument):
        parse_sort(typed, "sk", "N")


def test_a_text_is_no_number_key() -> None:
    with pytest.raises(BadArgument):
        parse_sort("> abc", "sk", "N")


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", "a[x]", "a[1", "a]"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(BadArgument):
        path_parts(path)
