"""The one way in which `ops.recovery` changes anything in AWS: intent on disk, call, outcome on disk."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ops.aws import AwsError, ControlPlane
from ops.errors import OpsError, Unreachable
from ops.runs import Run

DRILL_PREFIX = "drill-"


def mutate(
    control: ControlPlane,
    run: Run | None,
    service: str,
    operation: str,
    target: str,
    params: dict[str, Any],
    *,
    region: str | None = None,
    notes: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """One changing call, its intent forced to the disk before it leaves; the journal holds no parameter values.

    `notes` go into the intent as they are: names and tokens that a resumed run needs to find its own work.
    """
    name = api_name(operation)
    digest = params_digest(params)
    if run is not None:
        run.intent(name, target, service=service, params_digest=digest, **(notes or {}))
    try:
        answer = control.call(service, operation, region=region, **params)
    except OpsError as error:
        if run is not None:
            run.outcome(name, target, params_digest=digest, **_without_answer(error))
        raise
    if run is not None:
        request_id = answer.get("ResponseMetadata", {}).get("RequestId")
        run.outcome(name, target, params_digest=digest, request_id=request_id, **_identifiers(answer))
    return answer


def _without_answer(error: OpsError) -> dict[str, str]:
    """A lost answer is no refusal: AWS may have done what was asked."""
    if isinstance(error, Unreachable):
        return {"unanswered": error.code}
    return {"refused": error.aws_code if isinstance(error, AwsError) else error.code}


def api_name(operation: str) -> str:
    """`create_backup` -> `CreateBackup`: the journal speaks the API's own names."""
    return "".join(word.capitalize() for word in operation.split("_"))


def params_digest(params: dict[str, Any]) -> str:
    """SHA-256 of the parameters, so that a journal shows sameness without showing values."""
    text = json.dumps(params, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object) -> str:
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else str(value)


def client_token(run: Run, *parts: object) -> str:
    """36 characters from the run's id and all parameters: AWS ignores some changes under one token silently."""
    text = json.dumps([run.id, *parts], sort_keys=True, separators=(",", ":"), default=_plain)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))


#: What an answer calls the thing it made: persisted at once, since CreateBackup has neither token nor unique name.
_MADE = {
    "BackupDetails": ("BackupArn",),
    "ExportDescription": ("ExportArn",),
    "ImportTableDescription": ("ImportArn",),
    "BulkOperationDescription": ("BulkOperationArn",),
    "TableDescription": ("TableArn", "TableId"),
}


def _identifiers(answer: dict[str, Any]) -> dict[str, str]:
    found = {}
    for member, names in _MADE.items():
        for name in names:
            if name in answer.get(member, {}):
                found[name] = str(answer[member][name])
    return found
