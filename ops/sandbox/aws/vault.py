"""AWS Backup: selections of plans, and the calls about jobs, recovery points and restore testing put in place.

docs.aws.amazon.com/aws-backup/latest/devguide/API_CreateBackupSelection.html and .../API_DeleteBackupPlan.html (a plan
with selections is not deleted).
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from functools import partial
from typing import Any

from moto.backup.exceptions import (
    AlreadyExistsException,
    InvalidParameterValueException,
    InvalidRequestException,
    ResourceNotFoundException,
)
from moto.backup.models import Plan as BackupPlan
from moto.backup.models import Vault
from moto.backup.responses import BackupResponse
from moto.core.responses import ActionResult, EmptyResult

from ops.sandbox.aws.backup_http import Routes, serve
from ops.sandbox.aws.backup_jobs import Jobs
from ops.sandbox.aws.recovery_points import RecoveryPoints, vault_of
from ops.sandbox.aws.restore_testing import RestoreTesting
from ops.sandbox.aws.world import World

Document = dict[str, Any]
Plan = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Selection:
    """One selection of a plan."""

    identifier: str
    created_s: float
    creator_request_id: str | None
    content: Document


class Selections:
    """Selections by Region and plan."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._held: dict[Plan, dict[str, Selection]] = {}

    def create_backup_selection(self, handler: BackupResponse) -> Document:
        """CreateBackupSelection."""
        body, plan = json.loads(handler.body), _plan(handler)
        content, held = body["BackupSelection"], self._held.setdefault((handler.region, plan), {})
        for member in ("SelectionName", "IamRoleArn"):
            if not content.get(member):
                raise InvalidParameterValueException(f"{member} is required")
        if any(one.content["SelectionName"] == content["SelectionName"] for one in held.values()):
            raise AlreadyExistsException(f"Backup selection {content['SelectionName']} already exists")
        one = Selection(str(uuid.uuid4()), self._world.now(), body.get("CreatorRequestId"), content)
        held[one.identifier] = one
        return {"SelectionId": one.identifier, "BackupPlanId": plan, "CreationDate": one.created_s}

    def get_backup_selection(self, handler: BackupResponse) -> Document:
        """GetBackupSelection."""
        one, plan = self._one(handler), _plan(handler)
        return {
            "BackupSelection": one.content, "SelectionId": one.identifier, "BackupPlanId": plan,
            "CreationDate": one.created_s, "CreatorRequestId": one.creator_request_id,
        }  # fmt: skip

    def list_backup_selections(self, handler: BackupResponse) -> Document:
        """ListBackupSelections."""
        plan = _plan(handler)
        return {
            "BackupSelectionsList": [
                {
                    "SelectionId": one.identifier, "SelectionName": one.content["SelectionName"],
                    "BackupPlanId": plan, "CreationDate": one.created_s, "IamRoleArn": one.content["IamRoleArn"],
                }
                for one in self._held.get((handler.region, plan), {}).values()
            ]
        }  # fmt: skip

    def delete_backup_selection(self, handler: BackupResponse) -> Document:
        """DeleteBackupSelection."""
        one = self._one(handler)
        del self._held[handler.region, _plan(handler)][one.identifier]
        return {}

    def update_backup_plan(self, handler: BackupResponse) -> Document:
        """UpdateBackupPlan: another version of the same plan; its selections stay."""
        held = handler.backup_backend.get_backup_plan(handler.path.rstrip("/").split("/")[-1], None)
        content = json.loads(handler.body)["BackupPlan"]
        version = BackupPlan(content, held.creator_request_id, handler.backup_backend)
        held.backup_plan, held.version_id = version.backup_plan, version.version_id
        held.advanced_backup_settings = version.advanced_backup_settings
        return held.to_dict()

    def refuse_plan_in_use(self, handler: BackupResponse) -> None:
        """Called before DeleteBackupPlan."""
        plan = handler.path.rstrip("/").split("/")[-1]
        if self._held.get((handler.region, plan)):
            raise InvalidRequestException(
                "Related backup plan selections must be deleted prior to backup plan deletion"
            )

    def _one(self, handler: BackupResponse) -> Selection:
        identifier = handler.path.rstrip("/").split("/")[-1]
        held = self._held.get((handler.region, _plan(handler)), {})
        if identifier not in held:
            raise ResourceNotFoundException(f"Cannot find backup selection {identifier}")
        return held[identifier]


def _plan(handler: BackupResponse) -> str:
    """The plan named in /backup/plans/PLAN/selections/…, which must exist."""
    parts = handler.path.strip("/").split("/")
    plan = parts[2]
    handler.backup_backend.get_backup_plan(backup_plan_id=plan, version_id=None)
    return plan


def install(world: World) -> None:
    """What moto lacks: selections, jobs, recovery points, restore testing, and two rules about deleting."""
    selections, points = Selections(world), RecoveryPoints(world)
    for name in ("create_backup_selection", "get_backup_selection", "list_backup_selections",
                 "delete_backup_selection", "update_backup_plan"):  # fmt: skip
        _add_call(selections, name)
    original_plan, original_vault = BackupResponse.delete_backup_plan, BackupResponse.delete_backup_vault

    def delete_backup_plan(self: BackupResponse) -> str:
        selections.refuse_plan_in_use(self)
        return original_plan(self)

    def delete_backup_vault(self: BackupResponse) -> EmptyResult:
        points.refuse_full_vault(self.region, self.path.rstrip("/").split("/")[-1])
        return original_vault(self)

    def counted(self: Vault) -> Document:
        region = self.backup_vault_arn.split(":")[3]
        self.num_of_recovery_points = sum(one.vault == self.backup_vault_name for one in points.of(region))
        return original_dict(self)

    def describe_backup_vault(self: BackupResponse) -> ActionResult:
        # moto leaves out the number of points and the lock
        return ActionResult(vault_of(self.region, self.path.rstrip("/").split("/")[-1]).to_list_dict())

    original_dict = Vault.to_list_dict
    BackupResponse.delete_backup_plan = delete_backup_plan  # type: ignore[method-assign]
    BackupResponse.delete_backup_vault = delete_backup_vault  # type: ignore[method-assign]
    BackupResponse.describe_backup_vault = describe_backup_vault  # type: ignore[method-assign]
    Vault.to_list_dict = counted  # type: ignore[method-assign]
    serve(routes(world, points))


def routes(world: World, points: RecoveryPoints) -> Routes:
    """Every call that moto has no route for."""
    table, jobs, testing = Routes(world), Jobs(world, points), RestoreTesting(world)
    vault = "/backup-vaults/{vault}/recovery-points"
    plan = "/restore-testing/plans/{plan}"
    table.add("PUT", "/backup-jobs", jobs.start_backup)
    table.add("POST", "/backup-jobs/{job}", jobs.stop_backup)
    table.add("PUT", "/restore-jobs", jobs.start_restore)
    table.add("PUT", "/restore-jobs/{job}/validations", jobs.validate)
    table.add("GET", "/restore-jobs/{job}/metadata", jobs.restore_metadata)
    table.add("PUT", "/copy-jobs", jobs.start_copy)
    for kind in ("Backup", "Restore", "Copy"):
        table.add("GET", f"/{kind.lower()}-jobs/{{job}}", partial(jobs.describe, kind))
        table.add("GET", f"/{kind.lower()}-jobs", partial(jobs.listed, kind))
    table.add("GET", "/resources/{resourceArn}/restore-jobs", partial(jobs.listed, "Restore"))
    table.add("GET", "/resources/{resourceArn}/recovery-points", points.by_resource)
    table.add("GET", "/resources/{resourceArn}", points.protected_one)
    table.add("GET", "/resources", points.protected)
    table.add("GET", f"{vault}/{{pointArn}}/restore-metadata", points.metadata)
    table.add("GET", f"{vault}/{{pointArn}}", points.describe)
    table.add("DELETE", f"{vault}/{{pointArn}}", points.delete)
    table.add("POST", f"{vault}/{{pointArn}}", points.change)
    table.add("GET", vault, points.by_vault)
    table.add("GET", "/account-settings", points.settings)
    table.add("PUT", "/account-settings", points.change_settings)
    table.add("PUT", f"{plan}/selections", testing.create_selection)
    table.add("GET", f"{plan}/selections", testing.listed_selections)
    table.add("GET", f"{plan}/selections/{{selection}}", testing.get_selection)
    table.add("PUT", f"{plan}/selections/{{selection}}", testing.update_selection)
    table.add("DELETE", f"{plan}/selections/{{selection}}", testing.delete_selection)
    table.add("PUT", "/restore-testing/plans", testing.create)
    table.add("GET", "/restore-testing/plans", testing.listed)
    table.add("GET", plan, testing.get)
    table.add("PUT", plan, testing.update)
    table.add("DELETE", plan, testing.delete)
    return table


def _add_call(selections: Selections, name: str) -> None:
    call = getattr(selections, name)

    def answer(self: BackupResponse) -> str:
        return json.dumps(call(self))

    setattr(BackupResponse, name, answer)
