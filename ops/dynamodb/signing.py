"""AWS Signature Version 4 for DynamoDB requests, with the key of the day kept.

docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. botocore's own signer
derives the key anew for each request; at 25 items a request that is most of the cost of a bulk load.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime

from ops.aws import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "dynamodb"
CONTENT_TYPE = "application/x-amz-json-1.0"


class Signer:
    """Signs POST requests to one host and path of one region. Safe to share between threads."""

    def __init__(self, *, region: str, host: str, path: str = "/") -> None:
        self._region = region
        self._host = host
        self._path = path or "/"
        # One slot, replaced whole: two threads may both compute it, neither can see half of it.
        self._day_key: tuple[str, str, bytes] = ("", "", b"")

    def headers(self, credentials: Credentials, target: str, body: bytes, now: datetime) -> dict[str, str]:
        """All signed headers of a request for `target` (`DynamoDB_20120810.Scan`), Authorization included."""
        stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        signed = {
            "content-type": CONTENT_TYPE,
            "host": self._host,
            "x-amz-date": stamp,
            "x-amz-target": target,
        }
        if credentials.token:
            signed["x-amz-security-token"] = credentials.token
        return {**signed, "authorization": self._authorization(credentials, signed, body, stamp)}

    def _authorization(self, credentials: Credentials, signed: Mapping[str, str], body: bytes, stamp: str) -> str:
        names = ";".join(sorted(signed))
        lines = "\n".join(f"{name}:{' '.join(signed[name].split())}" for name in sorted(signed))
        digest = hashlib.sha256(body).hexdigest()
        canonical = f"POST\n{self._path}\n\n{lines}\n\n{names}\n{digest}"
        day = stamp[:8]
        scope = f"{day}/{self._region}/{SERVICE}/aws4_request"
        text = f"{ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.new(self._key(credentials.secret_key, day), text.encode(), hashlib.sha256)
        return (
            f"{ALGORITHM} Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={names}, Signature={signature.hexdigest()}"
        )

    def _key(self, secret: str, day: str) -> bytes:
        kept_day, kept_secret, key = self._day_key
        if kept_day == day and kept_secret == secret:
            return key
        key = f"AWS4{secret}".encode()
        for part in (day, self._region, SERVICE, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        self._day_key = (day, secret, key)
        return key
