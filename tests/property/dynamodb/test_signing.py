"""Our signature is botocore's, byte for byte."""

from __future__ import annotations

from datetime import UTC, datetime
from unittest import mock

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.aws import Credentials
from ops.dynamodb.signing import CONTENT_TYPE, Signer
from tests.property.examples import examples

WORDS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=30)
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
REGIONS = st.sampled_from(["us-east-1", "eu-central-2", "cn-north-1", "us-gov-west-1"])
HOSTS = st.sampled_from(
    [
        "dynamodb.us-east-1.amazonaws.com",
        "127.0.0.1:8000",
        "dynamodb.eu-central-2.api.aws",
        "[::1]:8000",
        "x.example:443",
    ]
)
PATHS = st.sampled_from(["/", "/dynamodb", "/behind/a/gateway/", "/with-_.~signs"])
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))
OPERATIONS = st.sampled_from(["Scan", "BatchWriteItem", "GetItem"])


def botocore_authorization(
    host: str, region: str, credentials: Credentials, target: str, body: bytes, moment: datetime, path: str = "/"
) -> str:
    request = AWSRequest(
        method="POST",
        url=f"http://{host}{path}",
        data=body,
        headers={"Content-Type": CONTENT_TYPE, "X-Amz-Target": target, "Host": host},
    )
    theirs = BotocoreCredentials(credentials.access_key, credentials.secret_key, credentials.token)
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=moment.replace(tzinfo=None)):
        botocore.auth.SigV4Auth(theirs, "dynamodb", region).add_auth(request)
    return str(request.headers["Authorization"])


@settings(max_examples=examples(200), deadline=None)
@given(
    HOSTS, PATHS, REGIONS, WORDS, SECRETS, st.none() | SECRETS, OPERATIONS, st.lists(st.binary(), min_size=1), MOMENTS
)
def test_each_signature_equals_botocores(
    host: str,
    path: str,
    region: str,
    access: str,
    secret: str,
    token: str | None,
    operation: str,
    bodies: list[bytes],
    moment: datetime,
) -> None:
    signer = Signer(region=region, host=host, path=path)
    credentials = Credentials(access, secret, token)
    target = f"DynamoDB_20120810.{operation}"
    for body in bodies:  # the key of the day is derived once and used again
        ours = signer.headers(credentials, target, body, moment)["authorization"]
        assert ours == botocore_authorization(host, region, credentials, target, body, moment, path)


@settings(max_examples=examples(50), deadline=None)
@given(SECRETS, SECRETS, MOMENTS, MOMENTS)
def test_new_credentials_and_a_new_day_take_a_new_key(
    first: str, second: str, today: datetime, later: datetime
) -> None:
    signer = Signer(region="us-east-1", host="127.0.0.1:8000")
    for secret, moment in ((first, today), (second, today), (second, later), (first, later)):
        credentials = Credentials("AKID", secret)
        ours = signer.headers(credentials, "DynamoDB_20120810.Scan", b"{}", moment)["authorization"]
        assert ours == botocore_authorization(
            "127.0.0.1:8000", "us-east-1", credentials, "DynamoDB_20120810.Scan", b"{}", moment
        )
