"""The sandbox's own tests on a real account: the same functions, with another `lab` (see conftest)."""

from __future__ import annotations

from tests.aws_live.same import FIXTURES, SAME, cases_of

globals().update(cases_of(*(module for module in SAME if module not in FIXTURES)))
