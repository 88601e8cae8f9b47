"""Bucket policies are kept and returned, not enforced.

docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html: "deny unless TLS" is a Deny with a
condition. moto leaves conditions out when it decides, so such a statement would deny everything to everybody.
"""

from __future__ import annotations

from typing import Any

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket


def install() -> None:
    """Let every request through, as the sandbox does with IAM (GAP-03)."""

    def get_permission(self: FakeBucket, action: str, resource: str) -> Any:
        return PermissionResult.NEUTRAL

    FakeBucket.get_permission = get_permission  # type: ignore[method-assign]
