"""The cases of tests/aws_live, in the sandbox: what is to be confirmed on AWS must hold here first."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from ops.sandbox.aws.claims import claims
from tests.aws_live.cases import CASES, Place


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_live_case_passes_in_the_sandbox_and_cleans_up(lab: Any, case: Callable[[Place], None]) -> None:
    def wait(seconds: float) -> None:
        lab.control.advance(seconds)

    place = Place(lab.dynamodb, lab.client("s3"), "us-east-1", uuid.uuid4().hex[:8], now=lab.clock.now, wait=wait)
    case(place)
    assert list(place.clean_up()) == []
    pages = lab.dynamodb.get_paginator("list_tables").paginate()
    assert not [name for page in pages for name in page["TableNames"] if place.run in name]
    assert not [one for one in lab.client("s3").list_buckets()["Buckets"] if place.run in one["Name"]]


def test_a_live_case_names_claims_that_exist() -> None:
    named = {f"test_{name}" for names in CASES.values() for name in names}
    assert named <= {claim.test for claim in claims()}
