"""The environment as AWS describes it: its document, its active tables, and the names users give to resources."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Any

from infra.environment import (
    EnvironmentDocument,
    TableDocument,
    contract_path,
    join,
    moved_contracts,
    parameter_path,
    pointer_path,
)
from ops.aws import AwsError, ControlPlane, Identity
from ops.errors import BadArgument, EnvironmentNotFound, ResourceNotFound, WrongAccount


@dataclass(frozen=True, slots=True)
class TableTarget:
    """A table that a command is about; `document` is None for a physical name the document does not declare."""

    physical: str
    logical: str | None
    region: str
    document: TableDocument | None

    @property
    def label(self) -> str:
        """How the table is called in messages and file names."""
        return self.logical or self.physical


@dataclass(frozen=True, slots=True)
class Environment:
    """A stack, opened: its document and who is asking."""

    document: EnvironmentDocument
    identity: Identity
    pointers: dict[str, str]

    @property
    def is_sandbox(self) -> bool:
        """Whether this is a sandbox: its times are simulated, its figures are not AWS figures."""
        return self.document.environment_class == "sandbox"

    @property
    def backend(self) -> str:
        """`sandbox` or `aws`, for every report."""
        return "sandbox" if self.is_sandbox else "aws"

    def declared(self, logical: str) -> TableDocument:
        """The declared table of that logical name; the error names the near ones."""
        if logical in self.document.tables:
            return self.document.tables[logical]
        known = sorted(self.document.tables)
        near = difflib.get_close_matches(logical, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"declared tables: {', '.join(known)}"
        raise ResourceNotFound(
            f"environment {self.document.stack} declares no table '{logical}'",
            fix=(hint, "write ddb:NAME for a table outside the environment document", "ops list tables"),
        )

    def table(self, resource: str) -> TableTarget:
        """A logical name, `ddb:PHYSICAL` or a table ARN, as the table it stands for now."""
        physical, region = _physical(resource)
        if physical is None:
            table = self.declared(resource)
            return TableTarget(self.pointers.get(resource, table.physical), resource, table.region, table)
        for logical, table in self.document.tables.items():
            if physical in (self.pointers.get(logical, table.physical), table.physical):
                return TableTarget(physical, logical, region or table.region, table)
        return TableTarget(physical, None, region or self.document.region, None)


def open_environment(control: ControlPlane, project: str, stack: str) -> Environment:
    """Read identity, document and pointers; refuses credentials of another account before anything else."""
    identity = identity_of(control)
    document = _read_document(control, project, stack)
    if document.account != identity.account:
        raise WrongAccount(
            f"credentials are of account {identity.account} ({identity.arn})",
            why=f"environment {stack} of {project} belongs to account {document.account}",
        )
    return Environment(document, identity, read_pointers(control, document))


def read_pointers(control: ControlPlane, document: EnvironmentDocument) -> dict[str, str]:
    """Active physical names that `ops` has set; a logical table without one is at its declared name."""
    return _parameters(
        control, {pointer_path(document.project, document.stack, name): name for name in document.tables}
    )


def _parameters(control: ControlPlane, paths: dict[str, str]) -> dict[str, str]:
    """Values by the names that `paths` gives to parameters; those that do not exist are left out."""
    found: dict[str, str] = {}
    names = list(paths)
    for start in range(0, len(names), 10):  # GetParameters takes ten names
        answer = control.call("ssm", "get_parameters", Names=names[start : start + 10])
        found.update({paths[one["Name"]]: one["Value"] for one in answer["Parameters"]})
    return found


def identity_of(control: ControlPlane) -> Identity:
    """The caller, by `sts:GetCallerIdentity`."""
    answer = control.call("sts", "get_caller_identity")
    return Identity(answer["Account"], answer["Arn"])


def _read_document(control: ControlPlane, project: str, stack: str) -> EnvironmentDocument:
    path = parameter_path(project, stack)
    try:
        value: Any = control.call("ssm", "get_parameter", Name=path)["Parameter"]["Value"]
    except AwsError as error:
        if error.aws_code != "ParameterNotFound":
            raise
        raise EnvironmentNotFound(
            f"no environment '{stack}' of project '{project}' in {control.region}",
            why=f"SSM has no parameter {path}",
            fix=(
                _known_stacks(control, project),
                "check --env, --project and --region; pulumi up writes the document",
            ),
        ) from error
    try:
        moved = {contract_path(project, stack, name): name for name in moved_contracts(value)}
        return join(value, _parameters(control, moved))
    except ValueError as error:
        raise EnvironmentNotFound(
            f"the environment document {path} cannot be read", why=str(error), fix=("run pulumi up again",)
        ) from error


def _known_stacks(control: ControlPlane, project: str) -> str:
    found = control.pages("ssm", "get_parameters_by_path", "Parameters", Path=f"/{project}", Recursive=True)
    stacks = sorted({one["Name"].split("/")[2] for one in found if one["Name"].endswith("/environment")})
    return f"environments of {project} here: {', '.join(stacks)}" if stacks else f"{project} has no environment here"


def check_table_name(name: str) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html"""
    if not re.fullmatch(r"[A-Za-z0-9_.-]{3,255}", name):
        raise BadArgument(f"'{name}' is not a table name: 3 to 255 letters, digits, '_', '.', '-'")


_ARN = re.compile(r"arn:aws[\w-]*:dynamodb:(?P<region>[\w-]+):\d{12}:table/(?P<name>[\w.-]{3,255})$")


def _physical(resource: str) -> tuple[str | None, str | None]:
    if resource.startswith("arn:"):
        found = _ARN.match(resource)
        if found is None:
            raise BadArgument(f"'{resource}' is not the ARN of a table")
        return found["name"], found["region"]
    if resource.startswith("ddb:"):
        name = resource.removeprefix("ddb:")
        check_table_name(name)
        return name, None
    if not re.fullmatch(r"[\w.-]+", resource):
        raise BadArgument(f"'{resource}' is not a table: no such form", fix=("write a logical name or ddb:NAME",))
    return None, None
