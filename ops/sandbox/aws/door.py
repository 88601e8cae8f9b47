"""What every request passes first: no real credentials come in, and the state can be asked to be written.

AWS never sees the requests of a sandbox, but a key that was sent to the wrong place is a key to rotate: the sender
should hear of it at the first request. docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html: the ids
of access keys begin with AKIA, those of temporary ones with ASIA.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from ops.sandbox.aws import keeping
from ops.sandbox.aws.application import asleep
from ops.sandbox.aws.kept import CannotKeep
from ops.sandbox.aws.world import ACCOUNT, World

if TYPE_CHECKING:
    from ops.sandbox.aws.application import Environ, StartResponse, Wsgi

SAVE = "/moto-api/sandbox/save"
# in a header of version 4, in a signed URL of version 4 or 2
_REAL = re.compile(r"(?:Credential|AWSAccessKeyId)=((?:AKIA|ASIA)[A-Z0-9]{16})\b")
# the keys of AWS's own documentation
_EXAMPLE = "EXAMPLE"


class Door:
    """WSGI around the sandbox."""

    def __init__(self, inner: Wsgi, world: World, folder: Path) -> None:
        self._inner = inner
        self._world = world
        self._folder = folder

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if self._world.asleep:
            return asleep(start_response)
        if environ.get("PATH_INFO") == SAVE and environ["REQUEST_METHOD"] == "POST":
            return self._save(start_response)
        said, query = environ.get("HTTP_AUTHORIZATION", ""), environ.get("QUERY_STRING", "")
        if "Credential=" in query or "AWSAccessKeyId=" in query:
            said += unquote(query)
        if "=A" in said and (found := _REAL.search(said)) and not issued_here(found.group(1)):
            return _refuse(environ, start_response, found.group(1))
        return self._inner(environ, start_response)

    def _save(self, start_response: StartResponse) -> Iterable[bytes]:
        try:
            status, answer = "200 OK", json.dumps({"bytes": keeping.save(self._world, self._folder)})
        except (CannotKeep, OSError) as error:
            status, answer = "500 Internal Server Error", json.dumps({"error": str(error)})
        start_response(status, [("Content-Type", "application/json")])
        return [answer.encode()]


def issued_here(key: str) -> bool:
    """Whether the id is an example or was given out by this sandbox's IAM or STS."""
    if key.endswith(_EXAMPLE):
        return True
    iam, sts = iam_backends[ACCOUNT]["aws"], sts_backends[ACCOUNT]["aws"]
    users = {one.access_key_id for user in iam.users.values() for one in user.access_keys}
    roles = {one.access_key_id for one in sts.assumed_roles}
    return key in users | roles


def _refuse(environ: Environ, start_response: StartResponse, key: str) -> Iterable[bytes]:
    shown = f"{key[:4]}...{key[-4:]}"
    message = (
        f"the sandbox refuses the access key {shown}: it looks like a real one. Use the dummy credentials that "
        "`ops sandbox status --export` prints"
    )
    if environ.get("HTTP_X_AMZ_TARGET"):
        kind = "application/x-amz-json-1.0"
        body = json.dumps({"__type": "UnrecognizedClientException", "message": message})
    else:
        error = f"<Code>InvalidClientTokenId</Code><Message>{message}</Message>"
        kind = "text/xml"
        body = f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error></ErrorResponse>"
        if "/s3/" in environ.get("HTTP_AUTHORIZATION", ""):
            body = f"<Error>{error}</Error>"
    start_response("403 Forbidden", [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body.encode()]
