"""The error tree keeps its promises to operators and to pipelines."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from ops.aws import AwsError, refuse
from ops.commands._context import exit_code_of
from ops.errors import (
    WARNINGS,
    CredentialsUnusable,
    ItemsDiffer,
    NotAllowed,
    OpsError,
    TableNotFound,
    Throttled,
    WrongAccount,
    error_classes,
)
from ops.errors import exit_code_of as class_exit_code

DOCUMENTED_EXITS = set(range(13)) | {130}


def test_each_error_class_has_a_code_of_its_own() -> None:
    # a class that only adds details inherits the code, and with it the row of the table
    codes = Counter(one.code for one in error_classes() if "code" in vars(one))
    assert [code for code, count in codes.items() if count > 1] == []


@pytest.mark.parametrize("one", list(error_classes()), ids=lambda one: one.code)
def test_each_error_has_title_hint_and_a_documented_exit(one: type[OpsError]) -> None:
    assert one.title
    assert one.hint
    assert class_exit_code(one.code) in DOCUMENTED_EXITS


@pytest.mark.parametrize(
    ("aws_code", "wanted"),
    [
        ("AccessDeniedException", NotAllowed),
        ("AccessDenied", NotAllowed),
        ("ExpiredTokenException", CredentialsUnusable),
        ("UnrecognizedClientException", CredentialsUnusable),
        ("ThrottlingException", Throttled),
        ("ResourceNotFoundException", TableNotFound),
        ("TableNotFoundException", TableNotFound),
        ("ValidationException", AwsError),
    ],
)
def test_denied_is_never_read_as_absent_nor_throttled_as_gone(aws_code: str, wanted: type[OpsError]) -> None:
    with pytest.raises(wanted) as caught:
        refuse(aws_code, "message", "dynamodb:DescribeTable", {"TableName": "top_tracks"})
    assert type(caught.value) is wanted


def test_several_reasons_give_the_exit_code_that_matters_most() -> None:
    assert exit_code_of([]) == 0
    assert exit_code_of([ItemsDiffer("x")]) == 4
    assert exit_code_of([ItemsDiffer("x"), WrongAccount("x"), Throttled("x")]) == 7


def test_each_warning_code_in_the_source_is_in_the_table_and_the_other_way_round() -> None:
    root = Path(__file__).resolve().parents[2]
    texts = [path.read_text(encoding="utf-8") for path in (root / "ops").rglob("*.py") if path.name != "errors.py"]
    used = {code for text in texts for code in re.findall(r"OPS-W\d{3}", text)}
    assert used == set(WARNINGS)


def test_each_error_class_is_raised_somewhere() -> None:
    root = Path(__file__).resolve().parents[2]
    texts = "\n".join(
        path.read_text(encoding="utf-8") for path in (root / "ops").rglob("*.py") if path.name != "errors.py"
    )
    unused = [one.__name__ for one in error_classes() if not re.search(rf"\b{one.__name__}\b", texts)]
    assert unused == []
