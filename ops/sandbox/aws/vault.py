"""Selections of AWS Backup plans: what a plan covers. No job runs here.

docs.aws.amazon.com/aws-backup/latest/devguide/API_CreateBackupSelection.html and .../API_DeleteBackupPlan.html (a plan
with selections is not deleted).
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

from moto.backup.exceptions import (
    AlreadyExistsException,
    InvalidParameterValueException,
    InvalidRequestException,
    ResourceNotFoundException,
)
from moto.backup.responses import BackupResponse

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
    """Four calls that moto lacks, and the rule about plans in use."""
    selections = Selections(world)
    for name in ("create_backup_selection", "get_backup_selection", "list_backup_selections",
                 "delete_backup_selection"):  # fmt: skip
        _add_call(selections, name)
    original = BackupResponse.delete_backup_plan

    def delete_backup_plan(self: BackupResponse) -> str:
        selections.refuse_plan_in_use(self)
        return original(self)

    BackupResponse.delete_backup_plan = delete_backup_plan  # type: ignore[method-assign]


def _add_call(selections: Selections, name: str) -> None:
    call = getattr(selections, name)

    def answer(self: BackupResponse) -> str:
        return json.dumps(call(self))

    setattr(BackupResponse, name, answer)
