"""The routes of AWS Backup that moto lacks, by method and path, one call at a time under the sandbox's lock.

Paths and members are those of botocore's model of the service (docs.aws.amazon.com/aws-backup/latest/devguide/
API_Operations.html). ARNs travel percent-encoded in paths and may hold slashes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

from moto.backup.exceptions import InvalidParameterValueException
from moto.backup.responses import BackupResponse
from moto.core.exceptions import JsonRESTError

from ops.sandbox.aws.world import World

Document = dict[str, Any]
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Call:
    """One request: where it came in, what its path, query and body say."""

    region: str
    path: dict[str, str]
    query: dict[str, str]
    body: Document

    def need(self, *names: str) -> list[Any]:
        """Members of the body that must be there."""
        for name in names:
            if self.body.get(name) in (None, ""):
                raise missing(name)
        return [self.body[name] for name in names]


Answer = Callable[[Call], Document | None]


def missing(name: str) -> JsonRESTError:
    """MissingParameterValueException."""
    return _problem("MissingParameterValueException", f"Required parameter is missing: {name}")


def refused(message: str) -> JsonRESTError:
    """InvalidRequestException."""
    return _problem("InvalidRequestException", message)


def _problem(code: str, message: str) -> JsonRESTError:
    error = JsonRESTError(code, message)
    error.code = 400
    return error


class Routes:
    """(method, path) to answer, the most specific first."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._table: list[tuple[str, re.Pattern[str], Answer]] = []

    def add(self, method: str, path: str, answer: Answer) -> None:
        """`path` as in the service model, e.g. /backup-jobs/{job}; a name that ends in Arn may hold slashes."""

        def part(found: re.Match[str]) -> str:
            name = found.group(1)
            return f"(?P<{name}>arn:.+)" if name.endswith("Arn") else f"(?P<{name}>[^/]+)"

        pattern = re.sub(r"\{(\w+)\}", part, path.rstrip("/"))
        self._table.append((method, re.compile(f"{pattern}/?"), answer))

    def answer(self, method: str, region: str, path: str, query: dict[str, str], body: str) -> tuple[int, str]:
        """Status and JSON."""
        try:
            given = json.loads(body) if body.strip() else {}
            for verb, pattern, call in self._table:
                found = pattern.fullmatch(path) if verb == method else None
                if found:
                    with self._world.lock:
                        return 200, json.dumps(call(Call(region, found.groupdict(), query, given)) or {})
        except JsonRESTError as error:
            return error.code, str(error.description)
        raise NotImplementedError(f"AWS Backup {method} {path}")


class RoutedResponse(BackupResponse):
    """moto's request set-up with our routes in the place of its dispatch."""

    routes: Routes

    def call_action(self) -> Any:
        """Answer from the table of routes."""
        query = {name: values[-1] for name, values in parse_qs(self.parsed_url.query).items()}
        body = self.body.decode() if isinstance(self.body, bytes) else str(self.body or "")
        status, text = self.routes.answer(self.method, self.region, unquote(self.path), query, body)
        return status, {"Content-Type": "application/json", "status": status}, text


def serve(routes: Routes) -> None:
    """Put the routes into moto's table of paths; must run before moto builds its application for the service."""
    from moto.backup import urls

    handler = type("SandboxBackupResponse", (RoutedResponse,), {"routes": routes})
    folders = ("backup-jobs", "restore-jobs", "copy-jobs", "resources", "restore-testing/plans",
               "backup-vaults/(?P<name>[^/]+)/recovery-points")  # fmt: skip
    paths = [f"{{0}}/{folder}{end}" for folder in folders for end in ("$", "/$", "/(?P<rest>.+)$")]
    for path in (*paths, "{0}/account-settings$"):
        urls.url_paths[path] = handler.dispatch  # type: ignore[attr-defined]


def page(call: Call, member: str, entries: Iterable[Document]) -> Document:
    """A page of a list: MaxResults and NextToken."""
    found = list(entries)
    query = {name.lower(): value for name, value in call.query.items()}  # restore testing spells MaxResults
    try:
        start, size = int(query.get("nexttoken") or 0), int(query.get("maxresults") or PAGE)
    except ValueError as error:
        raise InvalidParameterValueException(f"Invalid paging parameter: {error}") from error
    if not 1 <= size <= PAGE:
        raise InvalidParameterValueException("maxResults must be between 1 and 1000")
    answer: Document = {member: found[start : start + size]}
    if start + size < len(found):
        answer["NextToken"] = str(start + size)
    return answer


def present(document: Document) -> Document:
    """Without members that have no value."""
    return {name: value for name, value in document.items() if value is not None}
