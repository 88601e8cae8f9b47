"""What happens to one resource: same, create, update, replace, refuse; and at the end, delete or retain."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ops.errors import SandboxBroken
from ops.sandbox.deploy.aws import Aws
from ops.sandbox.deploy.changes import changed, keep_ignored, sealed, steps
from ops.sandbox.deploy.model import Inputs, Record
from ops.sandbox.deploy.resources import REFUSALS, SPECS
from ops.sandbox.deploy.spec import Client, Document, NotTaken, Spec, client_for, plain, request, search
from ops.sandbox.deploy.state import State

_NAME_SUFFIX = 7
_UNSUPPORTED_STATUS = (404, 405, 500, 501)
_UNSUPPORTED_CODES = (
    "NotImitatedBySandbox",
    "UnknownOperation",
    "NotImplemented",
    "UnknownOperationException",
    "InvalidAction",
    "404",
)


@dataclass(frozen=True, slots=True)
class Declaration:
    """One resource as the program registers it, secrets unwrapped."""

    urn: str
    type: str
    name: str
    inputs: Inputs
    secrets: tuple[str, ...] = ()
    protect: bool = False
    retain: bool = False
    ignore_changes: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    parent: str = ""
    delete_first: bool = False


@dataclass(slots=True)
class Steps:
    """Applies declarations against the endpoint and keeps the state in step."""

    aws: Aws
    state: State
    refusals: Mapping[str, str] = field(default_factory=lambda: REFUSALS)
    operations: list[tuple[str, str]] = field(default_factory=list)
    live: dict[str, Record] = field(default_factory=dict)

    def apply(self, declared: Declaration) -> Record:
        """Bring one resource to its declaration; `live` holds its record with secrets in clear."""
        spec = SPECS.get(declared.type)
        if spec is None:
            raise SandboxBroken(
                f"the sandbox cannot create {declared.type}",
                why=f"{declared.name}: the type has no entry in ops.sandbox.deploy.resources",
            )
        if declared.urn in self.live:
            raise SandboxBroken(f"the program declares {declared.urn} twice")
        old = self.state.records.get(declared.urn)
        inputs = _named(spec, declared, old)
        if old is None:
            return self._done("create", self._create(spec, declared, inputs))
        _refuse_ignored_secrets(declared)
        inputs = keep_ignored(old.inputs, inputs, declared.ignore_changes)
        kept = sealed(inputs, declared.secrets, self.state.salt)
        different = changed(old.inputs, kept)
        if not different:
            return self._done("same", self._renewed(old, declared, inputs, old.outputs))
        if old.refused:
            return self._done("create", self._create(spec, declared, inputs))
        if not spec.replaces(different):
            return self._done("update", self._update(spec, old, declared, inputs, different))
        return self._done("replace", self._replace(spec, old, declared, inputs, different))

    def finish(self) -> None:
        """Delete what is no longer declared or was replaced, last created first; keep what is protected or retained."""
        gone = [record for urn, record in self.state.records.items() if urn not in self.live]
        for record in gone:
            if record.protect:
                raise SandboxBroken(
                    f"{record.name} ({record.type}) is protected and no longer declared",
                    why="a protected resource must be unprotected by an apply before it may be removed",
                    changed="the declared resources were applied; nothing was deleted",
                )
        for record in reversed(gone):
            if not record.retain:
                self._delete(record)
            self.operations.append(("retain" if record.retain else "delete", record.urn))
            del self.state.records[record.urn]
        while self.state.replaced:
            self._delete(self.state.replaced[-1])
            self.state.replaced.pop()

    def _done(self, operation: str, record: Record) -> Record:
        """Remember a resource: with secrets for this run, with digests in the state."""
        operation = "refuse" if record.refused and operation != "same" else operation
        self.operations.append((operation, record.urn))
        self.live[record.urn] = record
        kept = sealed(record.inputs, record.secrets, self.state.salt)
        outputs = {key: value for key, value in record.outputs.items() if key not in record.secrets}
        self.state.records[record.urn] = _copy(record, kept, outputs)
        return record

    def _create(self, spec: Spec, declared: Declaration, inputs: Inputs) -> Record:
        try:
            identifier, outputs = self._send(spec, inputs)
        except Exception as error:  # noqa: BLE001 - accepted when listed, else raised as SandboxBroken
            reason = self._refusal(declared.type, error)
            record = self._record(declared, inputs, f"refused-{declared.name}", dict(inputs))
            record.refused = reason
            return record
        return self._record(declared, inputs, identifier, outputs)

    def _send(self, spec: Spec, inputs: Inputs) -> tuple[str, Document]:
        client = client_for(self.aws, inputs.get("region"))
        creator = client_for(self.aws, spec.created_in(inputs)) if spec.created_in else client
        parameters = request(spec, creator, spec.create, inputs)
        region = inputs.get("region") or self.aws.region
        if spec.create == "create_bucket" and region != "us-east-1":
            parameters["CreateBucketConfiguration"] = {"LocationConstraint": region}
        response = plain(getattr(creator(spec.service), spec.create)(**parameters))
        extra = spec.after(client, inputs, response) if spec.after else None
        return self._answer(spec, inputs, response, extra or {})

    def _answer(self, spec: Spec, inputs: Inputs, response: Document, extra: Document) -> tuple[str, Document]:
        document = {"i": inputs, "o": response}
        outputs = {name: search(path, document) for name, path in spec.outputs.items()}
        identifier = search(spec.id, document)
        if identifier is None:
            raise SandboxBroken(f"{spec.create} answered without {spec.id}")
        return str(identifier), {**inputs, **outputs, **extra}

    def _update(self, spec: Spec, old: Record, declared: Declaration, inputs: Inputs, different: set[str]) -> Record:
        if spec.upsert:
            identifier, outputs = self._guarded(declared, lambda: self._send(spec, inputs))
            return self._record(declared, inputs, identifier, outputs)
        update = spec.update
        if update is None:
            raise SandboxBroken(f"{declared.type} has no update")
        client = client_for(self.aws, inputs.get("region"))
        self._guarded(declared, lambda: update(client, old, inputs, different))
        return self._record(declared, inputs, old.id, {**old.outputs, **inputs})

    def _replace(self, spec: Spec, old: Record, declared: Declaration, inputs: Inputs, different: set[str]) -> Record:
        named = ", ".join(sorted(different))
        if old.protect or declared.protect:
            raise SandboxBroken(
                f"{declared.name} ({declared.type}) is protected and would have to be replaced",
                why=f"{named} cannot be changed in place",
            )
        depended_on = any(old.urn in record.dependencies for record in self.state.records.values())
        if depended_on and not declared.delete_first:
            # Made beside the old one, as the engine does: what depends on it moves over, and it goes at the end.
            record = self._create(spec, declared, _renamed(spec, declared, inputs, old))
            if not old.retain:
                self.state.replaced.append(old)
            return record
        if not old.retain:
            self._delete(old)
        return self._create(spec, declared, inputs)

    def _delete(self, record: Record) -> None:
        spec = SPECS[record.type]
        if record.refused or spec.delete is None:
            return
        operation, paths = spec.delete
        document = {"i": record.inputs, "out": record.outputs, "id": record.id}
        parameters = {name: search(path, document) for name, path in paths.items()}
        client = self.aws.client(spec.service, record.region)
        try:
            getattr(client, operation)(**parameters)
        except client.exceptions.ClientError as error:
            raise SandboxBroken(
                f"{record.name} ({record.type}) could not be deleted",
                why=str(error),
                changed="resources deleted before it are gone",
            ) from error

    def _guarded(self, declared: Declaration, act: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return act()
        except (BotoCoreError, ClientError, NotTaken) as error:
            raise self._failure(declared.type, declared.name, error) from error

    def _refusal(self, type_: str, error: Exception) -> str:
        """The text of a refusal that is on the list; any other failure is raised."""
        if type_ in self.refusals and unsupported(error, SPECS[type_].lacking):
            answer = getattr(error, "response", None) or {}
            code = answer.get("Error", {}).get("Code") or type(error).__name__
            return f"{self.refusals[type_]} ({code})"
        raise self._failure(type_, "", error) from error

    def _failure(self, type_: str, name: str, error: Exception) -> Exception:
        if isinstance(error, SandboxBroken):
            return error
        return SandboxBroken(
            f"{' '.join(filter(None, (type_, name)))} could not be applied",
            why=f"{type(error).__name__}: {error}",
            changed="the resources before it were applied and are in the state",
        )

    def _record(self, declared: Declaration, inputs: Inputs, identifier: str, outputs: Document) -> Record:
        return Record(
            urn=declared.urn,
            type=declared.type,
            id=identifier,
            inputs=inputs,
            outputs=outputs,
            protect=declared.protect,
            retain=declared.retain,
            dependencies=sorted(declared.dependencies),
            parent=declared.parent,
            secrets=list(declared.secrets),
        )

    def _renewed(self, old: Record, declared: Declaration, inputs: Inputs, outputs: Document) -> Record:
        record = self._record(declared, inputs, old.id, {**outputs, **inputs})
        record.refused = old.refused
        return record

    def client(self, record: Record) -> Client:
        return client_for(self.aws, record.region)


def _refuse_ignored_secrets(declared: Declaration) -> None:
    """The state knows a secret's digest only, so its old value cannot be kept."""
    for path in declared.ignore_changes:
        if steps(path)[0] in declared.secrets:
            raise SandboxBroken(f"{declared.urn}: the sandbox cannot ignore changes of the secret {path}")


def _copy(record: Record, inputs: Inputs, outputs: Document) -> Record:
    return Record(
        urn=record.urn,
        type=record.type,
        id=record.id,
        inputs=inputs,
        outputs=outputs,
        protect=record.protect,
        retain=record.retain,
        dependencies=record.dependencies,
        parent=record.parent,
        secrets=record.secrets,
        refused=record.refused,
    )


def _named(spec: Spec, declared: Declaration, old: Record | None) -> Inputs:
    """Inputs with a name where the provider would make one: the one it has, so that a second apply finds it."""
    if spec.autoname is None or declared.inputs.get(spec.autoname):
        return declared.inputs
    held = old.inputs[spec.autoname] if old else _made_name(declared, "")
    return {**declared.inputs, spec.autoname: held}


def _renamed(spec: Spec, declared: Declaration, inputs: Inputs, old: Record) -> Inputs:
    """A made name anew: the successor lives beside the old one for a while."""
    if spec.autoname is None or declared.inputs.get(spec.autoname):
        return inputs
    return {**inputs, spec.autoname: _made_name(declared, str(old.inputs[spec.autoname]))}


def _made_name(declared: Declaration, after: str) -> str:
    return f"{declared.name}-{hashlib.sha256(f'{declared.urn}{after}'.encode()).hexdigest()[:_NAME_SUFFIX]}"


def unsupported(error: Exception, lacking: tuple[str, ...] = ()) -> bool:
    """Whether the endpoint does not know the operation (exact types and codes: NotImplementedError is a
    RuntimeError, and a refusal for content must not pass for one for lack of support)."""
    if type(error) in (NotImplementedError, NotTaken):
        return True
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return False
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    code = str(response.get("Error", {}).get("Code", ""))
    unnamed = status in _UNSUPPORTED_STATUS and code in ("", str(status))
    return unnamed or code in (*_UNSUPPORTED_CODES, *lacking)
