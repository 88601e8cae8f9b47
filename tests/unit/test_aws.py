"""Region, profile, credentials, endpoint and authorities are found as every AWS tool finds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ops.aws import Aws
from ops.errors import BadResponse, CredentialsUnusable

CONFIG = """
[profile home]
region = eu-central-1
aws_access_key_id = of-the-profile
aws_secret_access_key = secret
ca_bundle = /of/the/profile.pem

[profile silent]
aws_access_key_id = of-the-silent
aws_secret_access_key = secret

[profile failing]
credential_process = /bin/false

[profile babbling]
credential_process = /bin/echo no-json

[profile single-sign-on]
sso_start_url = https://example.awsapps.com/start
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = reader

[profile circular]
role_arn = arn:aws:iam::123456789012:role/a
source_profile = nobody
"""


@pytest.fixture(autouse=True)
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A config file with these profiles, and no region in the environment."""
    path = tmp_path / "config"
    path.write_text(CONFIG)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    return path


def without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")


def test_the_region_is_the_given_one_else_the_profiles_else_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Aws(region="us-west-2", profile="home").region == "us-west-2"
    assert Aws(region=None, profile="home").region == "eu-central-1"
    assert Aws(region=None, profile="home").endpoint("dynamodb") == "https://dynamodb.eu-central-1.amazonaws.com"
    assert Aws(region=None, profile="silent").region == "us-east-1"
    monkeypatch.setenv("AWS_PROFILE", "home")
    assert Aws(region=None).region == "eu-central-1"


def test_keys_of_the_environment_beat_its_profile_but_not_one_that_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "home")
    assert Aws(region="us-east-1").credentials().access_key == "sandbox"
    assert Aws(region="us-east-1", profile="silent").credentials().access_key == "of-the-silent"
    without_keys(monkeypatch)
    assert Aws(region="us-east-1").credentials().access_key == "of-the-profile"


@pytest.mark.parametrize("profile", ["failing", "babbling", "single-sign-on", "circular", "missing"])
def test_credentials_that_cannot_be_had_are_told_as_such_by_both_doors(
    monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    without_keys(monkeypatch)
    for given in (profile, None):
        if given is None:
            monkeypatch.setenv("AWS_PROFILE", profile)
        with pytest.raises(CredentialsUnusable) as by_data:
            Aws(region="us-east-1", profile=given).credentials()
        with pytest.raises(CredentialsUnusable) as by_control:
            Aws(region="us-east-1", profile=given).call("sts", "get_caller_identity")
        assert by_data.value.exit_code == by_control.value.exit_code == 8


def test_a_config_file_that_cannot_be_read_is_told_as_such(monkeypatch: pytest.MonkeyPatch, configured: Path) -> None:
    configured.write_text("[profile broken\n")
    with pytest.raises(CredentialsUnusable, match="config"):
        _ = Aws(region=None, profile="broken").region


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, "https://dynamodb.eu-west-1.amazonaws.com"),
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, "https://dynamodb-fips.us-west-2.amazonaws.com"),
        ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "https://dynamodb.eu-west-1.api.aws"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_DYNAMODB": "http://10.0.0.1"}, "http://10.0.0.1"),
        ({"AWS_ENDPOINT_URL_S3": "http://10.0.0.2"}, "https://dynamodb.eu-west-1.amazonaws.com"),
    ],
)
def test_the_endpoint_is_the_one_that_botocore_would_use(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], url: str
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    region = "us-west-2" if "AWS_USE_FIPS_ENDPOINT" in environ else "eu-west-1"
    assert Aws(region="us-east-1").endpoint("dynamodb", region) == url


def test_ignored_endpoints_are_ignored_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert Aws(region="us-east-1").endpoint_override() == "http://127.0.0.1:1"
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert Aws(region="us-east-1").endpoint_override() is None
    assert Aws(region="us-east-1").endpoint("dynamodb") == "https://dynamodb.us-east-1.amazonaws.com"


def test_the_authorities_come_from_the_variable_else_from_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Aws(region="us-east-1").ca_bundle() is None
    assert Aws(region="us-east-1", profile="home").ca_bundle() == "/of/the/profile.pem"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/of/requests.pem")
    assert Aws(region="us-east-1").ca_bundle() == "/of/requests.pem"
    monkeypatch.setenv("AWS_CA_BUNDLE", "/of/the/variable.pem")
    assert Aws(region="us-east-1").ca_bundle() == "/of/the/variable.pem"


@pytest.mark.parametrize("tokens", [["a", "a"], ["a", "b", "a"]])
def test_pages_that_come_again_are_an_error_and_no_loop(monkeypatch: pytest.MonkeyPatch, tokens: list[str]) -> None:
    answers: Any = iter([*({"TableNames": [token], "LastEvaluatedTableName": token} for token in tokens)])
    monkeypatch.setattr(Aws, "call", lambda self, service, operation, **params: next(answers))
    with pytest.raises(BadResponse, match="list_tables gives a page again"):
        list(Aws(region="us-east-1").pages("dynamodb", "list_tables", "TableNames"))


def test_pages_are_followed_to_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: Any = iter([{"TableNames": [n], "LastEvaluatedTableName": n} for n in "abc"] + [{"TableNames": ["d"]}])
    asked: list[dict[str, Any]] = []

    def call(self: Aws, service: str, operation: str, **params: Any) -> Any:
        asked.append(params)
        return next(answers)

    monkeypatch.setattr(Aws, "call", call)
    assert list(Aws(region="us-east-1").pages("dynamodb", "list_tables", "TableNames")) == ["a", "b", "c", "d"]
    assert [one.get("ExclusiveStartTableName") for one in asked] == [None, "a", "b", "c"]
