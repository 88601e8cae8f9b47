"""How one Pulumi type is created, changed, deleted and read back through the AWS API."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ops.sandbox.deploy.aws import Aws
from ops.sandbox.deploy.model import Inputs, Record

Document = dict[str, Any]
Client = Callable[[str], Any]
After = Callable[[Client, Inputs, Document], Document | None]
Update = Callable[[Client, Record, Inputs, set[str]], None]
Reader = Callable[[Client, Record], Document]


class NotTaken(Exception):
    """The endpoint answered a creation with success and did not do it."""


@dataclass(frozen=True, slots=True)
class Spec:
    """One entry of the table. Expressions are JMESPath over `i` (inputs), `o` (response), `out`, `id`.

    `identity` lists inputs whose change makes another resource; `update` None means any change does;
    `upsert` sends the create operation again. `read` returns what AWS holds, keyed like the inputs.
    `unread` names inputs that AWS does not answer with, and why. `after` makes the follow-up calls of a
    creation and may add outputs; `lacking` are error codes by which the endpoint says it has no such thing;
    `autoname` is the input that gets a generated name when it has none; `created_in` is the Region that
    takes the creation, when it is not the resource's own.
    """

    service: str
    create: str
    id: str = "i.name"
    rename: Mapping[str, str] = field(default_factory=dict)
    skip: tuple[str, ...] = ()
    constants: Mapping[str, Any] = field(default_factory=dict)
    shape: Callable[[Inputs], Inputs] | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    after: After | None = None
    upsert: bool = False
    update: Update | None = None
    identity: tuple[str, ...] = ("name",)
    delete: tuple[str, Mapping[str, str]] | None = None
    read: Reader | None = None
    unread: Mapping[str, str] = field(default_factory=dict)
    autoname: str | None = None
    lacking: tuple[str, ...] = ()
    created_in: Callable[[Inputs], str] | None = None

    def replaces(self, changed: set[str]) -> bool:
        """Whether a change of these inputs makes another resource."""
        if changed & {*self.identity, "region"}:
            return True
        return not self.upsert and self.update is None


def client_for(aws: Aws, region: str | None) -> Client:
    """Clients by service name, in the resource's own Region."""
    return lambda service: aws.client(service, region)


def search(expression: str, document: Document) -> Any:
    import jmespath

    return jmespath.search(expression, document)


def plain(response: Any) -> Document:
    """A response without datetimes and without metadata."""
    found: Document = json.loads(json.dumps(response, default=str))
    found.pop("ResponseMetadata", None)
    return found


def fields(found: Any, **paths: str) -> Document:
    """Inputs by name from JMESPath expressions over a response; absent ones stay absent."""
    values = {name: search(path, found) for name, path in paths.items()}
    return {name: value for name, value in values.items() if value is not None}


def tag_map(entries: Any, key: str = "Key", value: str = "Value") -> dict[str, str]:
    """A list of tags as AWS answers it, as a mapping."""
    return {entry[key]: entry[value] for entry in entries or []}


def request(spec: Spec, client: Client, operation: str, inputs: Inputs, drop: tuple[str, ...] = ()) -> Document:
    """Parameters of `operation` from inputs, converted by botocore's own model."""
    from botocore import xform_name

    from ops.sandbox.deploy.shapes import convert

    model = client(spec.service).meta.service_model
    names = {xform_name(name): name for name in model.operation_names}
    shaped = spec.shape(inputs) if spec.shape else inputs
    left_out = {*spec.skip, *drop, "region"}
    data = {key: value for key, value in shaped.items() if key not in left_out}
    converted = convert(model.operation_model(names[operation]).input_shape, data, spec.rename)
    return {**converted, **spec.constants}
