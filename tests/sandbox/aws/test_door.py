"""Real credentials are refused; what the state file holds is complete."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import ops.sandbox.aws
from ops.sandbox.aws.keeping import HOLDERS

# made anew by every process, or made for one request: nothing of them outlives the process
NOT_KEPT = {
    "admin.Admin", "application.SandboxApplication", "backup_http.Routes", "dataplane.DataPlane", "door.Door",
    "serving.Server",
}  # fmt: skip


def _client(endpoint: str, service: str, key: str, token: str | None = None) -> Any:
    return boto3.client(
        service, region_name="us-east-1", endpoint_url=endpoint, aws_access_key_id=key,
        aws_secret_access_key="x" * 40, aws_session_token=token, config=Config(retries={"max_attempts": 0}),
    )  # fmt: skip


@pytest.mark.parametrize("service", ["dynamodb", "s3", "sts", "rds"])
@pytest.mark.parametrize("prefix", ["AKIA", "ASIA"])
def test_a_key_that_looks_real_is_refused_by_its_ends_only(lab: Any, service: str, prefix: str) -> None:
    key = prefix + "Q3EGRIBXGY2MZ7TV"
    call = {"dynamodb": "list_tables", "s3": "list_buckets", "sts": "get_caller_identity"}
    with pytest.raises(ClientError, match="looks like a real one") as caught:
        getattr(_client(lab.endpoint, service, key), call.get(service, "describe_db_instances"))()
    said = str(caught.value)
    assert f"{prefix}...Z7TV" in said and key not in said
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_presigned_url_with_a_real_looking_key_is_refused(lab: Any) -> None:
    import urllib.error
    import urllib.request

    s3 = _client(lab.endpoint, "s3", "AKIAQ3EGRIBXGY2MZ7TV")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "any", "Key": "any"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url)


@pytest.mark.parametrize("key", ["sandbox", "AKIAIOSFODNN7EXAMPLE"])
def test_dummies_and_the_keys_of_the_documentation_are_served(lab: Any, key: str) -> None:
    assert "TableNames" in _client(lab.endpoint, "dynamodb", key).list_tables()


def test_keys_that_the_sandbox_gave_out_are_served(lab: Any) -> None:
    role = "arn:aws:iam::123456789012:role/any"
    given = lab.client("sts").assume_role(RoleArn=role, RoleSessionName="drill")["Credentials"]
    client = _client(lab.endpoint, "dynamodb", given["AccessKeyId"], given["SessionToken"])
    assert "TableNames" in client.list_tables()


def test_every_object_that_lives_as_long_as_the_sandbox_is_kept() -> None:
    """A class that is made with the world, or one of the others, holds state that --keep must carry."""
    found = set()
    for module in pkgutil.iter_modules(ops.sandbox.aws.__path__):
        loaded = importlib.import_module(f"ops.sandbox.aws.{module.name}")
        for name, kind in inspect.getmembers(loaded, inspect.isclass):
            own = kind.__module__ == loaded.__name__ and "__init__" in vars(kind)
            if own and {"world", "now", "history"} & set(inspect.signature(kind).parameters):
                found.add(f"{module.name}.{name}")
    assert (
        found - NOT_KEPT - set(HOLDERS) - {"export_files.ExportRun", "keeping._Pickler", "keeping._Unpickler"} == set()
    )
    assert found >= NOT_KEPT
