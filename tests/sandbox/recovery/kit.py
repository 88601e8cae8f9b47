"""What the tests of this area hold in their hands."""

from __future__ import annotations

from dataclasses import dataclass

from infra.environment import TableDocument
from ops.aws import Aws
from ops.progress import SilentProgress
from ops.recovery import reapply, restore, tables
from ops.recovery.settings import TableSettings, read_settings, wanted_settings
from ops.runs import Run
from ops.sandbox.control import SandboxClock, SandboxControl


@dataclass(frozen=True)
class Bench:
    """What a recovery function is handed."""

    control: Aws
    clock: SandboxClock
    sandbox: SandboxControl
    run: Run
    progress: SilentProgress

    def make(self, document: TableDocument, *, stage_two: bool = True) -> TableSettings:
        """The declared table with its whole contract, made by the code under test."""
        tables.create_like(self.control, document.physical, document, self.run)
        restore.wait_active(self.control, document.physical, self.clock, self.progress)
        self.reapply(document.physical, wanted_settings(document), stage_two=stage_two)
        return wanted_settings(document)

    def reapply(self, table: str, wanted: TableSettings, *, stage_two: bool = True) -> None:
        """Plan and apply both stages."""
        changes = reapply.plan(read_settings(self.control, table), wanted)
        stages: tuple[reapply.Stage, ...] = ("before_proof", "after_proof") if stage_two else ("before_proof",)
        for stage in stages:
            reapply.apply(
                self.control, table, changes, stage=stage, run=self.run, clock=self.clock, progress=self.progress
            )

    def put(self, table: str, *items: tuple[str, str]) -> None:
        """Small items by key."""
        for artist, track in items:
            item = {"artist_id": {"S": artist}, "id": {"S": track}, "genre": {"S": "folk"}}
            self.control.call("dynamodb", "put_item", TableName=table, Item=item)

    def keys(self, table: str) -> set[tuple[str, str]]:
        """Keys that the table holds."""
        found = self.control.pages("dynamodb", "scan", "Items", TableName=table)
        return {(one["artist_id"]["S"], one["id"]["S"]) for one in found}

    def arn(self, table: str) -> str:
        return str(tables.describe(self.control, table)["TableArn"])
