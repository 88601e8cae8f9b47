"""Errors in the form the service sends them."""

from __future__ import annotations

from moto.core.exceptions import JsonRESTError
from moto.dynamodb.exceptions import ERROR_TYPE_PREFIX


def service_error(code: str, message: str) -> JsonRESTError:
    """An exception of the DynamoDB model, e.g. `InvalidRestoreTimeException`."""
    return JsonRESTError(ERROR_TYPE_PREFIX + code, message)


def validation(message: str) -> JsonRESTError:
    """ValidationException."""
    return service_error("ValidationException", message)


def not_found(name: str) -> JsonRESTError:
    """ResourceNotFoundException, as control calls on a missing table answer; of an ARN the table's name is said."""
    name = name.partition(":table/")[2].partition("/")[0] or name
    return service_error("ResourceNotFoundException", f"Requested resource not found: Table: {name} not found")


def table_not_found(name: str) -> JsonRESTError:
    """TableNotFoundException, as backups, PITR and exports answer."""
    return service_error("TableNotFoundException", f"Table not found: {name}")


def not_imitated(what: str) -> JsonRESTError:
    """The sandbox says plainly that it does not do this, instead of pretending."""
    error = JsonRESTError("NotImitatedBySandbox", f"the sandbox does not imitate {what}")
    error.code = 501  # not in botocore's list of retried statuses
    return error
