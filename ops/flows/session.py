"""What every flow is handed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from ops.aws import Aws
from ops.clock import Clock
from ops.environment import Environment, TableTarget
from ops.progress import Progress


@dataclass(frozen=True, slots=True)
class Session:
    """An opened environment with the seams to time, chance and the user."""

    aws: Aws
    environment: Environment
    clock: Clock
    progress: Progress
    random: Random

    def table(self, resource: str) -> TableTarget:
        """The table that a resource name stands for."""
        return self.environment.table(resource)
