"""A recorder: what a component registers, with the options the SDK sends, and no provider behind it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pulumi.runtime import mocks

from ops.sandbox.deploy.loops import on_own_loop, run_program

PROJECT, STACK = "dynamo-ops", "test"


def pytest_configure(config: pytest.Config) -> None:
    """pulumi_aws warns of its own deprecated types whenever its modules are imported."""
    config.addinivalue_line("filterwarnings", "ignore::DeprecationWarning:pulumi_aws.*")


@dataclass(frozen=True)
class Registered:
    type: str
    name: str
    inputs: dict[str, Any]
    protect: bool
    retain: bool
    ignore_changes: list[str]
    dependencies: set[str]
    urn: str
    import_id: str = ""


class Answers(mocks.Mocks):
    """Every resource gets an ARN and its own name; data functions get what the program needs.

    `stored` are parameters that the store already holds, by name.
    """

    def __init__(self, stored: dict[str, str] | None = None) -> None:
        super().__init__()
        self.stored = stored or {}

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        outputs = {
            "arn": f"arn:aws:mock:us-east-1:123456789012:{args.typ.split('/')[0]}/{args.name}",
            **args.inputs,
        }
        if args.typ == "aws:dynamodb/table:Table":
            outputs["arn"] = f"arn:aws:dynamodb:us-east-1:123456789012:table/{args.inputs['name']}"
        if args.typ == "aws:rds/instance:Instance":
            outputs |= {"resourceId": "db-ABC", "address": "db.example", "endpoint": "db.example:5432"}
            outputs["masterUserSecrets"] = [{"secretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:db"}]
        if args.typ == "aws:rds/cluster:Cluster":
            outputs |= {"clusterResourceId": "cluster-ABC", "endpoint": "c.example", "readerEndpoint": "r.example"}
            outputs["masterUserSecrets"] = [{"secretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:db"}]
        if args.typ.startswith("aws:rds/") and args.typ.endswith("Group"):
            outputs.setdefault("name", f"{args.name}-made")
        return f"{args.name}-id", outputs

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        if args.token == "aws:index/getCallerIdentity:getCallerIdentity":
            return {"accountId": "123456789012", "arn": "a", "userId": "u", "id": "i"}, []
        if args.token == "aws:ssm/getParametersByPath:getParametersByPath":
            return {"names": list(self.stored), "values": list(self.stored.values()), "arns": [], "types": []}, []
        if args.token == "aws:ssm/getParameter:getParameter":
            return {"name": args.args["name"], "value": "ami-1", "type": "String", "id": "p"}, []
        names = ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d"]
        return {"names": names, "zoneIds": [], "groupNames": [], "id": "z"}, []


class Recorder(mocks.MockMonitor):
    """The SDK's mock monitor, remembering the whole request."""

    def __init__(self, stored: dict[str, str] | None = None) -> None:
        super().__init__(Answers(stored))
        self.found: list[Registered] = []

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        return f"{type_}::{name}"

    def Invoke(self, request: Any) -> Any:
        base: Any = super()
        return on_own_loop(lambda: base.Invoke(request))

    def RegisterResource(self, request: Any) -> Any:
        base: Any = super()
        response = on_own_loop(lambda: base.RegisterResource(request))
        inputs = self.resources[response.urn].state if response.urn in self.resources else {}
        self.found.append(
            Registered(
                type=request.type,
                name=request.name,
                inputs=inputs,
                protect=request.protect,
                retain=request.retainOnDelete,
                ignore_changes=list(request.ignoreChanges),
                dependencies=set(request.dependencies),
                urn=response.urn,
                import_id=request.importId,
            )
        )
        return response


@dataclass(frozen=True)
class Recording:
    """What was registered, by type and name."""

    resources: list[Registered]

    def of(self, type_: str) -> list[Registered]:
        return [found for found in self.resources if found.type == type_]

    def one(self, type_: str, name: str | None = None) -> Registered:
        (found,) = (entry for entry in self.of(type_) if name in (None, entry.name))
        return found

    def reaches(self, start: Registered) -> set[str]:
        """URNs that `start` waits for, directly or through others."""
        by_urn = {found.urn: found for found in self.resources}
        seen: set[str] = set()
        todo = list(start.dependencies)
        while todo:
            urn = todo.pop()
            if urn not in seen and urn in by_urn:
                seen.add(urn)
                todo += by_urn[urn].dependencies
        return seen


@pytest.fixture(scope="session")
def record() -> Callable[..., Recording]:
    """Run a declaration to its end and return what it registered; it keeps nothing between runs."""

    def run(declare: Callable[[], Any], stored: dict[str, str] | None = None) -> Recording:
        monitor = Recorder(stored)
        run_program(monitor, PROJECT, STACK, declare)
        return Recording(monitor.found)

    return run
