"""The side that the Pulumi SDK talks to: a resource monitor in this process.

It stands on the SDK's own mock monitor, whose override sees the whole request (protect, ignoreChanges,
retainOnDelete, dependencies). Only the (de)serializers of `pulumi.runtime.rpc` are semi-internal.
"""

import threading
from typing import Any

from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime import mocks, rpc, sync_await
from pulumi.runtime.proto import resource_pb2

from ops.errors import SandboxBroken
from ops.sandbox.deploy.invokes import INVOKES
from ops.sandbox.deploy.loops import on_own_loop
from ops.sandbox.deploy.steps import Declaration, Steps

_STACK = "pulumi:pulumi:Stack"


class _NoMocks(mocks.Mocks):
    """Never asked: every method of the monitor that would is overridden."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        raise SandboxBroken(f"the mock was asked for {args.typ}")

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise SandboxBroken(f"the mock was asked for {args.token}")


class Monitor(mocks.MockMonitor):
    """Turns registrations into declarations and their results into replies; one at a time.

    Calls arrive on a thread pool; the first failure is kept, because the SDK passes on its text only.
    """

    def __init__(self, steps: Steps, project: str, stack: str) -> None:
        super().__init__(_NoMocks())
        self._steps = steps
        self._project, self._stack = project, stack
        self._retained: dict[str, bool] = {}
        self._lock = threading.RLock()
        self.outputs: dict[str, Any] = {}
        self.failure: Exception | None = None

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """The real engine's form: every parent type but the stack's, joined by $.

        Project and stack are kept here: the SDK's are context variables, absent on the pool's threads.
        """
        chain = parent.split("::")[2] if parent else ""
        qualified = type_ if chain in ("", _STACK) else f"{chain}${type_}"
        return f"urn:pulumi:{self._stack}::{self._project}::{qualified}::{name}"

    def RegisterResource(self, request: Any) -> Any:
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == _STACK:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        return self._kept(lambda: self._register(urn, request))

    def _register(self, urn: str, request: Any) -> Any:
        _refuse_unsupported(request)
        self._refuse_rename(urn, request)
        retained = request.retainOnDelete if request.HasField("retainOnDelete") else None
        self._retained[urn] = self._retained.get(request.parent, False) if retained is None else retained
        inputs, secrets = _plain(rpc.deserialize_properties(request.object))
        if not request.custom:
            return self._reply(urn, "", inputs, ())
        record = self._steps.apply(
            Declaration(
                urn=urn,
                type=request.type,
                name=request.name,
                inputs=inputs,
                secrets=secrets,
                protect=request.protect,
                retain=self._retained[urn],
                ignore_changes=tuple(request.ignoreChanges),
                dependencies=tuple(request.dependencies),
                parent=request.parent,
                delete_first=request.deleteBeforeReplace,
            )
        )
        return self._reply(urn, record.id, record.outputs, secrets)

    def _refuse_rename(self, urn: str, request: Any) -> None:
        """An alias matters only when the state still knows the resource by its former name.

        The SDK itself sends some (a Bucket was once a BucketV2).
        """
        former = {*request.aliasURNs, *(alias.urn for alias in request.aliases if alias.urn)}
        for alias in request.aliases:
            if alias.HasField("spec"):
                parent = "" if alias.spec.noParent else alias.spec.parentUrn or request.parent
                type_, name = alias.spec.type or request.type, alias.spec.name or request.name
                former.add(self.make_urn(parent, type_, name))
        known = sorted(former & set(self._steps.state.records) - {urn})
        if known:
            _refuse(f"{urn} was {known[0]}: the sandbox does not follow renames; begin with a new sandbox")

    def _reply(self, urn: str, identifier: str, outputs: dict[str, Any], secrets: tuple[str, ...]) -> Any:
        self.resources[urn] = mocks.MockMonitor.ResourceRegistration(urn, identifier, outputs)
        sent = {
            key: rpc.wrap_rpc_secret(value) if key in secrets else value
            for key, value in outputs.items()
            if value is not None
        }
        properties = sync_await._sync_await(rpc.serialize_properties(sent, {}))
        return resource_pb2.RegisterResourceResponse(urn=urn, id=identifier, object=properties)

    def RegisterResourceOutputs(self, request: Any) -> Any:
        if f"::{_STACK}::" in request.urn:
            found = on_own_loop(lambda: rpc.deserialize_properties(request.outputs))
            self.outputs, _ = _plain(found)
        return empty_pb2.Empty()

    def Invoke(self, request: Any) -> Any:
        return self._kept(lambda: self._invoke(request))

    def _invoke(self, request: Any) -> Any:
        function = INVOKES.get(request.tok)
        if function is None:
            raise SandboxBroken(
                f"the sandbox cannot answer {request.tok}",
                why="a data function without an entry in ops.sandbox.deploy.invokes",
            )
        arguments, _ = _plain(rpc.deserialize_properties(request.args))
        answer = sync_await._sync_await(rpc.serialize_properties(function(self._steps.aws, arguments), {}))
        return resource_pb2.ResourceInvokeResponse(**{"failures": None, "return": answer})

    def ReadResource(self, request: Any) -> Any:
        kind = "stack references" if "StackReference" in request.type else "existing resources (.get)"
        return self._kept(lambda: _refuse(f"the sandbox cannot read {kind}: {request.type} {request.name}"))

    def _kept(self, act: Any) -> Any:
        with self._lock:
            if self.failure is not None:
                raise SandboxBroken("an earlier resource failed") from self.failure
            try:
                return on_own_loop(act)
            except Exception as error:
                # The SDK turns whatever is raised here into text; the original is raised after the run.
                self.failure = error
                raise


def _refuse_unsupported(request: Any) -> None:
    """What would need the real engine is refused rather than imitated."""
    if request.type.startswith("pulumi:providers:") or request.provider:
        _refuse(f"{request.name}: the sandbox takes no explicit provider; give the resource a region instead")
    if request.importId:
        _refuse(f"{request.name}: the sandbox does not imitate imports; adopt with the real Pulumi CLI")


def _refuse(what: str) -> None:
    raise SandboxBroken(what)


def _plain(properties: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Values without secret wrappers, and the names of those that were secret.

    The SDK pushes secretness up to the top-level property, so that is where it is looked for.
    """
    secrets = tuple(key for key, value in properties.items() if rpc.is_rpc_secret(value))
    plain = {key: rpc.unwrap_rpc_secret(value) for key, value in properties.items()}
    return {key: value for key, value in plain.items() if not key.startswith("__")}, secrets
