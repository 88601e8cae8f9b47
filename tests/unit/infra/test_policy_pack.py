"""The policy pack as the Pulumi CLI runs it: its own process, asked over gRPC about what the provider answers."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
import yaml  # type: ignore[import-untyped]
from google.protobuf import struct_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from infra.config import StackConfig
from infra.policies import RULES
from infra.rules import TABLE
from infra.stack import Stack

ROOT = Path(__file__).parents[3]
PACK = ROOT / "infra" / "policypack"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # how the engine writes a text that only an update will know
ANSWER_S = 60
Answered = list[tuple[Any, dict[str, Any]]]


@pytest.fixture(scope="module")
def pack() -> Iterator[Any]:
    """The pack, started as the CLI's analyzer plugin starts it: in its folder, with the engine's address and `.`."""
    command = [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", "."]
    with subprocess.Popen(command, cwd=PACK, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield analyzer_pb2_grpc.AnalyzerStub(channel)
        process.terminate()


@pytest.fixture(scope="module")
def declared(record: Callable[..., Any]) -> list[Any]:
    config = StackConfig.from_values(
        "dynamo-ops", "test", "us-east-1", {"replicaRegions": "us-west-2", "evidenceLockDays": "1"}
    )
    resources: list[Any] = record(lambda: Stack(config)).resources
    return resources


@pytest.fixture
def answered(declared: list[Any]) -> Answered:
    """A whole stack with what the provider adds to its inputs, some time after the first update."""
    return [(found, _as_answered(found)) for found in declared]


def _as_answered(found: Any) -> dict[str, Any]:
    """The provider names every Region, shows the rules of a group inline, and a table at its scaled capacity."""
    properties: dict[str, Any] = deepcopy(
        {name: value for name, value in found.inputs.items() if not name.startswith("__")}
    )
    if found.type.startswith("aws:"):
        properties.setdefault("region", "us-east-1")
    if found.type == GROUP:
        rule = {"protocol": "tcp", "fromPort": 5432, "toPort": 5432, "cidrBlocks": ["10.20.0.0/16"]}
        properties |= {"ingress": [rule], "egress": []}
    if found.type == TABLE:
        properties |= {"arn": f"arn:aws:dynamodb:us-east-1:123456789012:table/{properties['name']}", "readCapacity": 60}
        for index in properties["globalSecondaryIndexes"]:
            index["hashKey"] = index["keySchemas"][0]["attributeName"]
    if found.type == "aws:rds/instance:Instance":
        properties["arn"] = "arn:aws:mock:us-east-1:123456789012:aws:rds/artists"
    return properties


def ask(pack: Any, resources: Answered) -> list[Any]:
    """What the pack says about the stack."""
    sent = []
    for found, properties in resources:
        held = struct_pb2.Struct()
        held.update(properties)
        options = analyzer_pb2.AnalyzerResourceOptions(protect=found.protect)
        sent.append(
            analyzer_pb2.AnalyzerResource(
                type=found.type, urn=f"urn:{found.name}", name=found.name, properties=held, options=options
            )
        )
    request = analyzer_pb2.AnalyzeStackRequest(resources=sent)
    return list(pack.AnalyzeStack(request, timeout=ANSWER_S).diagnostics)


def test_the_pack_offers_every_rule_as_mandatory(pack: Any) -> None:
    info = pack.GetAnalyzerInfo(struct_pb2.Struct(), timeout=ANSWER_S)
    assert [policy.name for policy in info.policies] == [rule.name for rule in RULES]
    assert {policy.enforcementLevel for policy in info.policies} == {analyzer_pb2.MANDATORY}


def test_a_stack_as_the_provider_answers_it_passes(pack: Any, answered: Answered) -> None:
    assert [found.message for found in ask(pack, answered)] == []


def test_a_fault_stops_the_update_and_names_the_resource(pack: Any, answered: Answered) -> None:
    for found, properties in answered:
        if found.type == TABLE:
            properties["deletionProtectionEnabled"] = False
    (said,) = ask(pack, answered)
    assert (said.policyName, said.urn, said.enforcementLevel) == ("guarded", "urn:top_tracks", analyzer_pb2.MANDATORY)
    assert "deletion protection is off" in said.message


def test_a_group_that_is_open_to_the_world_stops_the_update(pack: Any, answered: Answered) -> None:
    _, group = next(entry for entry in answered if entry[0].type == GROUP)
    group["ingress"][0]["cidrBlocks"] = ["0.0.0.0/0"]
    assert {said.policyName for said in ask(pack, answered)} == {"closed"}


def test_a_preview_that_cannot_know_yet_only_advises(pack: Any, answered: Answered) -> None:
    for found, properties in answered:
        if found.type == TABLE:
            properties["arn"] = UNKNOWN
        if found.type.endswith(":TableReplica"):
            properties["globalTableArn"] = UNKNOWN
    said = ask(pack, answered)
    assert {found.policyName for found in said} == {"scaled", "region", "parity", "covered"}
    assert {found.enforcementLevel for found in said} == {analyzer_pb2.ADVISORY}
    assert all("can't be known during preview" in found.message for found in said)


def test_the_pack_runs_in_the_environment_that_holds_the_rules() -> None:
    """Without it the CLI takes whatever python3 is on the PATH, which has neither the rules nor the SDK."""
    said = yaml.safe_load((PACK / "PulumiPolicy.yaml").read_text())["runtime"]
    program = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["runtime"]
    assert said["name"] == program["name"] == "python"
    assert (PACK / said["options"]["virtualenv"]).resolve() == ROOT / program["options"]["virtualenv"]
