"""Restore testing plans and their selections. No schedule runs here: whoever drills starts the restore job himself.

docs.aws.amazon.com/aws-backup/latest/devguide/API_RestoreTestingPlanForCreate.html (window of 1 to 365 days, schedule),
.../API_RestoreTestingSelectionForCreate.html (ValidationWindowHours 0 to 168; conditions or ARNs).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from moto.backup.exceptions import AlreadyExistsException, InvalidParameterValueException, ResourceNotFoundException

from ops.sandbox.aws.backup_http import Call, Document, missing, page, refused
from ops.sandbox.aws.world import ACCOUNT, World

_NAME = re.compile(r"[a-zA-Z0-9_]{1,50}")
ALGORITHMS = ("LATEST_WITHIN_WINDOW", "RANDOM_WITHIN_WINDOW")
KINDS = ("CONTINUOUS", "SNAPSHOT")


@dataclass(slots=True)
class Plan:
    """One plan and its selections."""

    content: Document
    selections: dict[str, Document] = field(default_factory=dict)


class RestoreTesting:
    """Plans by Region and name."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._held: dict[str, dict[str, Plan]] = {}

    def create(self, call: Call) -> Document:
        """CreateRestoreTestingPlan."""
        (wanted,) = call.need("RestoreTestingPlan")
        _checked_plan(wanted, whole=True)
        name, plans = wanted["RestoreTestingPlanName"], self._held.setdefault(call.region, {})
        if name in plans:
            raise AlreadyExistsException(f"Restore testing plan {name} already exists")
        selection = {"ExcludeVaults": [], "SelectionWindowDays": 30} | wanted["RecoveryPointSelection"]
        plans[name] = Plan(
            {"ScheduleExpressionTimezone": "Etc/UTC", "StartWindowHours": 24}
            | wanted
            | {
                "RecoveryPointSelection": selection, "CreationTime": self._world.now(),
                "RestoreTestingPlanArn": f"arn:aws:backup:{call.region}:{ACCOUNT}:restore-testing-plan:{name}",
                **_creator(call),
            }
        )  # fmt: skip
        return _named(plans[name].content, "CreationTime")

    def get(self, call: Call) -> Document:
        """GetRestoreTestingPlan."""
        return {"RestoreTestingPlan": self._plan(call).content}

    def listed(self, call: Call) -> Document:
        """ListRestoreTestingPlans."""
        hidden = ("RecoveryPointSelection", "CreatorRequestId")
        plans = (one.content for one in self._held.get(call.region, {}).values())
        shown = ({name: value for name, value in one.items() if name not in hidden} for one in plans)
        return page(call, "RestoreTestingPlans", shown)

    def update(self, call: Call) -> Document:
        """UpdateRestoreTestingPlan."""
        content = self._plan(call).content
        (wanted,) = call.need("RestoreTestingPlan")
        _checked_plan(wanted, whole=False)
        selection = content["RecoveryPointSelection"] | (wanted.get("RecoveryPointSelection") or {})
        content |= wanted | {"RecoveryPointSelection": selection, "LastUpdateTime": self._world.now()}
        return _named(content, "CreationTime") | {"UpdateTime": content["LastUpdateTime"]}

    def delete(self, call: Call) -> None:
        """DeleteRestoreTestingPlan: only one without selections, and an unknown one is no error in its model."""
        plan = self._held.get(call.region, {}).get(call.path["plan"])
        if plan is not None and plan.selections:
            raise refused(f"Restore testing plan {call.path['plan']} has selections; delete them first")
        self._held.get(call.region, {}).pop(call.path["plan"], None)

    def create_selection(self, call: Call) -> Document:
        """CreateRestoreTestingSelection."""
        plan = self._plan(call)
        (wanted,) = call.need("RestoreTestingSelection")
        for name in ("RestoreTestingSelectionName", "ProtectedResourceType", "IamRoleArn"):
            if not wanted.get(name):
                raise missing(name)
        _checked_selection(wanted)
        name = wanted["RestoreTestingSelectionName"]
        if name in plan.selections:
            raise AlreadyExistsException(f"Restore testing selection {name} already exists")
        plan.selections[name] = (
            {"ValidationWindowHours": 0}
            | wanted
            | {
                "CreationTime": self._world.now(), "RestoreTestingPlanName": call.path["plan"], **_creator(call),
            }
        )  # fmt: skip
        return _named(plan.content) | _named(plan.selections[name], "CreationTime", "RestoreTestingSelectionName")

    def get_selection(self, call: Call) -> Document:
        """GetRestoreTestingSelection."""
        return {"RestoreTestingSelection": self._selection(call)}

    def listed_selections(self, call: Call) -> Document:
        """ListRestoreTestingSelections."""
        shown = (
            "CreationTime", "IamRoleArn", "ProtectedResourceType", "RestoreTestingPlanName",
            "RestoreTestingSelectionName", "ValidationWindowHours",
        )  # fmt: skip
        found = self._plan(call).selections.values()
        return page(call, "RestoreTestingSelections", ({name: one[name] for name in shown} for one in found))

    def update_selection(self, call: Call) -> Document:
        """UpdateRestoreTestingSelection."""
        found = self._selection(call)
        (wanted,) = call.need("RestoreTestingSelection")
        _checked_selection(wanted)
        found |= wanted
        names = _named(self._plan(call).content) | _named(found, "CreationTime", "RestoreTestingSelectionName")
        return names | {"UpdateTime": self._world.now()}

    def delete_selection(self, call: Call) -> None:
        """DeleteRestoreTestingSelection."""
        self._selection(call)
        del self._plan(call).selections[call.path["selection"]]

    def _plan(self, call: Call) -> Plan:
        plan = self._held.get(call.region, {}).get(call.path["plan"])
        if plan is None:
            raise ResourceNotFoundException(f"Restore testing plan {call.path['plan']} does not exist")
        return plan

    def _selection(self, call: Call) -> Document:
        found = self._plan(call).selections.get(call.path["selection"])
        if found is None:
            raise ResourceNotFoundException(f"Restore testing selection {call.path['selection']} does not exist")
        return found


def _named(content: Document, *more: str) -> Document:
    names = ("RestoreTestingPlanName", "RestoreTestingPlanArn", *more)
    return {name: content[name] for name in names if name in content}


def _creator(call: Call) -> Document:
    given = call.body.get("CreatorRequestId")
    return {} if given is None else {"CreatorRequestId": given}


def _checked_plan(wanted: Document, *, whole: bool) -> None:
    if whole:
        for name in ("RestoreTestingPlanName", "ScheduleExpression", "RecoveryPointSelection"):
            if not wanted.get(name):
                raise missing(name)
        if not _NAME.fullmatch(wanted["RestoreTestingPlanName"]):
            raise InvalidParameterValueException("RestoreTestingPlanName must be 1 to 50 letters, digits, underscores")
    selection = wanted.get("RecoveryPointSelection") or {}
    if whole:
        for name in ("Algorithm", "IncludeVaults", "RecoveryPointTypes"):
            if not selection.get(name):
                raise missing(name)
    if selection.get("Algorithm", ALGORITHMS[0]) not in ALGORITHMS:
        raise InvalidParameterValueException(f"Algorithm must be one of {', '.join(ALGORITHMS)}")
    if not set(selection.get("RecoveryPointTypes", ())) <= set(KINDS):
        raise InvalidParameterValueException(f"RecoveryPointTypes are {', '.join(KINDS)}")
    if not 1 <= selection.get("SelectionWindowDays", 30) <= 365:
        raise InvalidParameterValueException("SelectionWindowDays must be between 1 and 365")
    if not 1 <= wanted.get("StartWindowHours", 24) <= 168:
        raise InvalidParameterValueException("StartWindowHours must be between 1 and 168")


def _checked_selection(wanted: Document) -> None:
    if not 0 <= wanted.get("ValidationWindowHours", 0) <= 168:
        raise InvalidParameterValueException("ValidationWindowHours must be between 0 and 168")
    conditions = wanted.get("ProtectedResourceConditions") or {}
    if any(conditions.values()) and wanted.get("ProtectedResourceArns"):
        raise InvalidParameterValueException("ProtectedResourceArns and ProtectedResourceConditions exclude each other")
