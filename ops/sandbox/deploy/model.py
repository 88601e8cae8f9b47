"""What an apply returns and remembers: plain data."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Inputs = dict[str, Any]


class Setting(NamedTuple):
    """One declared setting and what AWS answered; `note` says why a difference is expected, if it is."""

    urn: str
    setting: str
    declared: Any
    found: Any
    note: str = ""


@dataclass(frozen=True, slots=True)
class Deployment:
    """Outputs of the program, what was done to which resource, what the endpoint could not take."""

    outputs: dict[str, Any]
    operations: list[tuple[str, str]]
    refused: list[tuple[str, str]]
    settings: list[Setting]
    resources: list["Record"]

    @property
    def counts(self) -> dict[str, int]:
        """How many resources were created, updated, replaced, deleted, retained or left the same."""
        return dict(Counter(operation for operation, _ in self.operations))

    @property
    def differences(self) -> list[Setting]:
        """Settings that AWS does not hold as declared, without an accepted reason."""
        return [setting for setting in self.settings if not setting.note and setting.found != setting.declared]


@dataclass(slots=True)
class Record:
    """A resource as the state remembers it; `secrets` names the inputs whose values are digests."""

    urn: str
    type: str
    id: str
    inputs: Inputs
    outputs: dict[str, Any]
    protect: bool = False
    retain: bool = False
    dependencies: list[str] = field(default_factory=list)
    parent: str = ""
    secrets: list[str] = field(default_factory=list)
    refused: str = ""

    @property
    def name(self) -> str:
        return self.urn.rsplit("::", 1)[1]

    @property
    def region(self) -> str | None:
        """The Region the resource names itself, when it is not the stack's."""
        return self.inputs.get("region")
