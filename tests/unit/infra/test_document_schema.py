"""The published schema of the environment document accepts what the program writes and refuses what readers refuse."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from infra.config import StackConfig
from infra.document_schema import json_schema
from infra.environment import EnvironmentDocument
from infra.stack import Stack

ROOT = Path(__file__).parents[3]


@pytest.fixture
def document(record: Callable[..., Any]) -> dict[str, Any]:
    config = StackConfig.from_values("dynamo-ops", "test", "us-east-1", {"replicaRegions": "us-west-2"})
    (parameter, _) = record(lambda: Stack(config)).of("aws:ssm/parameter:Parameter")
    found: dict[str, Any] = json.loads(parameter.inputs["value"]["value"])
    return found


@pytest.fixture
def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "docs" / "environment.schema.json").read_text(encoding="utf-8"))
    return found


def test_the_published_schema_is_the_present_one(schema: dict[str, Any]) -> None:
    made = json_schema(EnvironmentDocument, schema["title"])
    assert {name: value for name, value in schema.items() if name != "$comment"} == json.loads(json.dumps(made))


def test_what_the_program_writes_is_valid(document: dict[str, Any], schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(schema).validate(document)
    EnvironmentDocument.from_data(document)


@pytest.mark.parametrize(("member", "value"), [("account", 7), ("environment_class", "staging"), ("tables", [])])
def test_what_readers_refuse_is_invalid(
    document: dict[str, Any], schema: dict[str, Any], member: str, value: Any
) -> None:
    broken = {**document, member: value}
    assert not jsonschema.Draft202012Validator(schema).is_valid(broken)
    with pytest.raises(ValueError, match=member):
        EnvironmentDocument.from_data(broken)


def test_a_missing_member_is_invalid(document: dict[str, Any], schema: dict[str, Any]) -> None:
    del document["export_bucket"]
    assert not jsonschema.Draft202012Validator(schema).is_valid(document)
