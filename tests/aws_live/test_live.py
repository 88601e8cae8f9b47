"""The cases on a real account; see conftest."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.aws_live.cases import CASES, Place


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_aws_does_what_the_sandbox_claims(place: Place, case: Callable[[Place], None]) -> None:
    case(place)
