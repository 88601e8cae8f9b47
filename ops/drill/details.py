"""The smallest changes that a value can undergo, at least one for everything that a comparison could leave out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ops.model.items import AttributeValue


@dataclass(frozen=True, slots=True)
class Detail:
    """One attribute before and after; None is no attribute."""

    what: str
    before: AttributeValue | None
    after: AttributeValue | None


def _lists(depth: int, text: str) -> AttributeValue:
    value: dict[str, Any] = {"S": text}
    for _ in range(depth):
        value = {"L": [{"N": "1"}, value]}
    return value


def _maps(depth: int, text: str) -> AttributeValue:
    value: dict[str, Any] = {"S": text}
    for _ in range(depth):
        value = {"M": {"a": {"N": "1"}, "b": value}}
    return value


DETAILS: tuple[Detail, ...] = (
    Detail("the last of 38 digits", {"N": "1" * 37 + "2"}, {"N": "1" * 38}),
    Detail("the last of 38 digits of a fraction", {"N": "0." + "1" * 37 + "2"}, {"N": "0." + "1" * 38}),
    Detail("the sign of a number", {"N": "1"}, {"N": "-1"}),
    Detail("the exponent of a large number", {"N": "1E+124"}, {"N": "1E+125"}),
    Detail("the exponent of a small number", {"N": "1E-129"}, {"N": "1E-130"}),
    Detail("a number that became text", {"N": "71"}, {"S": "71"}),
    Detail("a binary that became text", {"B": "AQ=="}, {"S": "AQ=="}),
    Detail("a flag that became text", {"BOOL": True}, {"S": "true"}),
    Detail("the last bit of a binary", {"B": "AP8="}, {"B": "AP4="}),
    Detail("the length of a binary of zeros", {"B": "AA=="}, {"B": "AAA="}),
    Detail("an empty binary that is gone", {"B": ""}, None),
    Detail("an empty text that is gone", {"S": ""}, None),
    Detail("an empty text that became NULL", {"S": ""}, {"NULL": True}),
    Detail("a NULL that is gone", {"NULL": True}, None),
    Detail("an empty list that is gone", {"L": []}, None),
    Detail("an empty map that is gone", {"M": {}}, None),
    Detail("an empty list that became a map", {"L": []}, {"M": {}}),
    Detail("a flag", {"BOOL": False}, {"BOOL": True}),
    Detail("letter case", {"S": "text"}, {"S": "Text"}),
    Detail("a space at the end of a text", {"S": "text"}, {"S": "text "}),
    Detail("the last letter of a long text", {"S": "a" * 5000 + "b"}, {"S": "a" * 5000 + "c"}),
    Detail("a letter and its accent written as two", {"S": "\u00e9"}, {"S": "e\u0301"}),
    Detail("a letter beyond the basic plane", {"S": "\U0001f3b5"}, {"S": "\U0001f3b6"}),
    Detail("a member of a set of texts", {"SS": ["a", "b"]}, {"SS": ["a", "c"]}),
    Detail("a member of a set of texts that is gone", {"SS": ["a", "b"]}, {"SS": ["a"]}),
    Detail("a member of a set of numbers", {"NS": ["1", "2"]}, {"NS": ["1", "2.5"]}),
    Detail("a member of a set of binaries", {"BS": ["AA==", "AQ=="]}, {"BS": ["AA==", "Ag=="]}),
    Detail("a set that became a list", {"SS": ["a"]}, {"L": [{"S": "a"}]}),
    Detail("the order of a list", {"L": [{"S": "a"}, {"S": "b"}]}, {"L": [{"S": "b"}, {"S": "a"}]}),
    Detail("a member of a list that stands twice", {"L": [{"S": "a"}, {"S": "a"}]}, {"L": [{"S": "a"}]}),
    Detail("a text four lists down", _lists(4, "a"), _lists(4, "b")),
    Detail("a text four maps down", _maps(4, "a"), _maps(4, "b")),
    Detail("a text thirty maps down", _maps(30, "a"), _maps(30, "b")),
    Detail("a name in a map", {"M": {"name": {"S": "a"}}}, {"M": {"Name": {"S": "a"}}}),
    Detail("an attribute more", None, {"S": "a"}),
)
