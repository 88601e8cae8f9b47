"""As test_same, for tests that share a fixture of their module."""

from __future__ import annotations

from tests.aws_live.same import cases_of

globals().update(cases_of("capacity"))
