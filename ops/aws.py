"""The one door to AWS's control plane: boto3 sessions, time limits, observers, classified errors.

boto3 is imported inside the functions that need it, so that `ops --help` does not load it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol
from urllib.parse import urlsplit

from ops.config import DEFAULT_REGION
from ops.errors import AwsError as AwsError
from ops.errors import BadResponse, CredentialsUnusable, NotAllowed, TableNotFound, Throttled, Unreachable

CONNECT_TIMEOUT_S = 2
#: Control-plane calls may be slow (ImportTable, restores); data calls have their own, shorter limit.
READ_TIMEOUT_S = 30
MAX_ATTEMPTS = 5

#: Sent once, since there is no token. A second try after a lost answer would make a second, billed backup, whose names
#: are not unique (docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateBackup.html); a second restore is
#: refused because the first has taken the name, which looks as if somebody else had.
_ONCE = frozenset({"create_backup", "restore_table_to_point_in_time", "restore_table_from_backup"})

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "KMSAccessDeniedException"})
_EXPIRED = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException", "InvalidClientTokenId",
     "InvalidSignatureException", "SignatureDoesNotMatch", "InvalidAccessKeyId"}
)  # fmt: skip
#: A clock that is wrong makes good credentials useless: these codes, or these words beside any other.
_SKEWED = frozenset({"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"})
_SKEWED_WORDS = ("Signature expired", "Signature not yet current")
_THROTTLED = frozenset(
    {"ThrottlingException", "Throttling", "RequestLimitExceeded", "TooManyRequestsException", "SlowDown"}
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the credentials are, as AWS answers."""

    account: str
    arn: str


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a signature needs; never printed."""

    access_key: str
    secret_key: str
    token: str | None = None

    def __repr__(self) -> str:
        return "Credentials(***)"


class CallObserver(Protocol):
    """Sees each call before it leaves (and may refuse it by raising) and after its answer."""

    def before(self, service: str, operation: str, params: dict[str, Any]) -> None:
        """Called with the API's own operation name (`CreateBackup`) and parameters."""

    def after(self, service: str, operation: str, params: dict[str, Any], outcome: str) -> None:
        """`outcome` is the request id, or the error code of a refused call."""


class ControlPlane(Protocol):
    """What the recovery modules need of AWS; `Aws` is the real one."""

    @property
    def region(self) -> str:
        """Home region."""

    def call(self, service: str, operation: str, *, region: str | None = None, **params: Any) -> dict[str, Any]:
        """One API call by its snake_case name; refusals are `AwsError` or a classified `OpsError`."""

    def pages(
        self, service: str, operation: str, member: str, *, region: str | None = None, **params: Any
    ) -> Iterator[Any]:
        """Every entry of `member` over all pages."""


class Aws:
    """Sessions and clients of one set of credentials.

    `profile` beats keys in the environment, as `--profile` does everywhere; None leaves the choice to botocore.
    """

    def __init__(
        self, *, region: str | None, profile: str | None = None, observers: tuple[CallObserver, ...] = ()
    ) -> None:
        self._region = region
        self._profile = profile
        self._observers = observers
        self._clients: dict[tuple[str, str, int], Any] = {}
        self._session: Any = None

    @property
    def region(self) -> str:
        """As given, else the profile's, else the usual one."""
        if self._region is None:
            self._region = str(self.session().region_name or DEFAULT_REGION)
        return self._region

    @property
    def observers(self) -> tuple[CallObserver, ...]:
        """For the data plane, which must show its calls to the same observers."""
        return self._observers

    def observed_by(self, *observers: CallObserver) -> Aws:
        """The same credentials with further observers."""
        return Aws(region=self._region, profile=self._profile, observers=(*self._observers, *observers))

    def session(self) -> Any:
        """The boto3 session, made on first use."""
        if self._session is None:
            import boto3

            with _finding_credentials():
                session = boto3.Session(profile_name=self._profile, region_name=self._region)
                _ = session.region_name  # reads the config file
            self._session = session
        return self._session

    def client(self, service: str, region: str | None = None, *, attempts: int = MAX_ATTEMPTS) -> Any:
        """A boto3 client with our time limits."""
        key = (service, region or self.region, attempts)
        if key not in self._clients:
            from botocore.config import Config

            config = Config(
                connect_timeout=CONNECT_TIMEOUT_S,
                read_timeout=READ_TIMEOUT_S,
                retries={"mode": "standard", "total_max_attempts": attempts},
                s3={"addressing_style": "path"} if self.endpoint_override() else {},
            )
            session = self.session()
            with _finding_credentials():
                session.get_credentials()
            self._clients[key] = session.client(service, region_name=key[1], config=config)
        return self._clients[key]

    def call(self, service: str, operation: str, *, region: str | None = None, **params: Any) -> dict[str, Any]:
        import botocore.exceptions as exceptions

        client = self._client_or_refuse(service, region, 1 if operation in _ONCE else MAX_ATTEMPTS)
        name = client.meta.method_to_api_mapping[operation]
        self.credentials()  # those that cannot be had or renewed are told as such, not as a refusal of this call
        for observer in self._observers:
            observer.before(service, name, params)
        try:
            answer: dict[str, Any] = getattr(client, operation)(**params)
        except exceptions.ClientError as error:
            details = error.response.get("Error", {})
            self._tell(service, name, params, str(details.get("Code", "Unknown")))
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
                _refuse_failed(details, f"{service}:{name}", operation, params, error)
            refuse(
                str(details.get("Code", "Unknown")),
                str(details.get("Message", "")),
                f"{service}:{name}",
                params,
            )
        except exceptions.ParamValidationError as error:
            raise AwsError("ParamValidation", str(error), f"{service}:{name}") from error
        except (exceptions.HTTPClientError, exceptions.ConnectionError) as error:
            self._tell(service, name, params, type(error).__name__)
            raise unreachable(client.meta.endpoint_url, str(error)) from error
        self._tell(service, name, params, str(answer.get("ResponseMetadata", {}).get("RequestId", "ok")))
        return answer

    def pages(
        self, service: str, operation: str, member: str, *, region: str | None = None, **params: Any
    ) -> Iterator[Any]:
        """Follows whichever continuation token the operation's answer carries; BadResponse when one comes again."""
        tokens = _continuation(self._client_or_refuse(service, region), operation)
        followed: list[dict[str, Any]] = []
        while True:
            answer = self.call(service, operation, region=region, **params)
            yield from answer.get(member, ())
            given = {into: answer[out] for out, into in tokens if answer.get(out)}
            if not given:
                return
            if given in followed:
                raise BadResponse(f"{service}:{operation} gives a page again that was read before")
            followed.append(given)
            params = {**params, **given}

    def credentials(self) -> Credentials:
        """Credentials valid now; botocore refreshes those that expire."""
        session = self.session()
        with _finding_credentials():
            found = session.get_credentials()
            if found is None:
                raise CredentialsUnusable(
                    "no AWS credentials were found",
                    fix=("aws sso login, or set AWS_PROFILE", 'for a sandbox: eval "$(ops sandbox status --export)"'),
                )
            frozen = found.get_frozen_credentials()
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)

    def endpoint(self, service: str, region: str | None = None) -> str:
        """The URL that calls to `service` go to, environment variables and profile considered."""
        return str(self._client_or_refuse(service, region).meta.endpoint_url)

    def endpoint_override(self) -> str | None:
        """`AWS_ENDPOINT_URL`, botocore's own variable, when set and not to be ignored."""
        if os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
            return None
        return os.environ.get("AWS_ENDPOINT_URL") or None

    def ca_bundle(self) -> str | None:
        """The file of certificate authorities that is wanted instead of the usual ones, as botocore reads it."""
        found = self.session()._session.get_config_variable("ca_bundle")
        return found or os.environ.get("REQUESTS_CA_BUNDLE") or None

    def _client_or_refuse(self, service: str, region: str | None, attempts: int = MAX_ATTEMPTS) -> Any:
        import botocore.exceptions as exceptions

        try:
            return self.client(service, region, attempts=attempts)
        except exceptions.NoRegionError as error:
            raise CredentialsUnusable(str(error)) from error
        except ValueError as error:  # botocore: "Invalid endpoint: ..."
            raise unreachable(str(self.endpoint_override()), str(error)) from error

    def _tell(self, service: str, operation: str, params: dict[str, Any], outcome: str) -> None:
        for observer in self._observers:
            observer.after(service, operation, params, outcome)


@contextmanager
def _finding_credentials() -> Iterator[None]:
    """Whatever ends the search for credentials, or their renewal, is told as what it is."""
    import botocore.exceptions as exceptions

    try:
        yield
    except exceptions.ProfileNotFound as error:
        raise CredentialsUnusable(str(error), fix=("aws configure list-profiles",)) from error
    except (exceptions.HTTPClientError, exceptions.ConnectionError) as error:
        raise unreachable(str(error.kwargs.get("endpoint_url", "of the credentials")), str(error)) from error
    except (exceptions.BotoCoreError, exceptions.ClientError, ValueError) as error:
        # ValueError: a credential_process that prints no JSON.
        raise CredentialsUnusable("AWS credentials or config cannot be used", why=str(error)) from error


def refuse(code: str, message: str, operation: str, params: dict[str, Any]) -> NoReturn:
    """Turn AWS's error code into ours: "denied" is never read as "absent", nor "throttled" as "gone"."""
    target = target_of(params)
    if code in _DENIED:
        raise NotAllowed(f"not allowed: {operation} on {target}", why=message, changed="this call changed nothing")
    if code in _SKEWED or (code in _EXPIRED and message.startswith(_SKEWED_WORDS)):
        raise CredentialsUnusable(
            f"the clock of this machine is not AWS's: {operation} was refused", why=message,
            fix=("set the clock: AWS takes a request within 15 minutes of its own time", "run the same command again"),
        )  # fmt: skip
    if code in _EXPIRED:
        raise CredentialsUnusable(f"credentials refused by {operation}", why=message)
    if code in _THROTTLED:
        raise Throttled(f"{operation} on {target} was throttled", why=message)
    if code == "TableNotFoundException" or (code == "ResourceNotFoundException" and "TableName" in params):
        raise TableNotFound(f"table not found: {target}", why=message)
    raise AwsError(code, message, operation)


def _refuse_failed(
    details: dict[str, Any], name: str, operation: str, params: dict[str, Any], error: Exception
) -> None:
    """AWS failed: no answer, since what was asked may have been done. Except where it says that it was too much."""
    code = str(details.get("Code", "Unknown"))
    if code in _THROTTLED:
        return
    reads = operation.startswith(("describe_", "list_", "get_", "head_"))
    raise Unreachable(
        f"{name} on {target_of(params)}: AWS failed with {code}",
        why=str(details.get("Message", "")),
        changed="nothing was changed" if reads else "AWS does not say whether it was done",
        fix=("run the same command again later",),
    ) from error


def target_of(params: dict[str, Any]) -> str:
    """The resource that a call is about, for messages and journals."""
    for name in (
        "TargetTableName", "TableName", "BackupArn", "TableArn", "ExportArn", "ImportArn", "ResourceArn", "ResourceId",
        "Name", "SecretId", "Bucket", "DBInstanceIdentifier",
    ):  # fmt: skip
        if params.get(name):
            return str(params[name])
    return "*"


def unreachable(endpoint: str, why: str) -> Unreachable:
    """The endpoint did not answer; the way out depends on whether it is a sandbox's."""
    if is_loopback(endpoint):
        return Unreachable(
            f"no sandbox answers at {endpoint}",
            why=why,
            fix=("ops sandbox up", "unset AWS_ENDPOINT_URL, to use AWS itself"),
        )
    return Unreachable(f"endpoint unreachable: {endpoint}", why=why, fix=("check the network and the region",))


def is_loopback(endpoint: str) -> bool:
    """Whether a URL points at this machine: only a sandbox lives there."""
    return (urlsplit(endpoint).hostname or "") in {"127.0.0.1", "localhost", "::1"}


def _continuation(client: Any, operation: str) -> tuple[tuple[str, str], ...]:
    if not client.can_paginate(operation):
        return _UNMODELLED_TOKENS.get(operation, ())
    config = client.get_paginator(operation)._pagination_cfg
    out, into = config["output_token"], config["input_token"]
    outs, intos = ([out], [into]) if isinstance(out, str) else (out, into)
    return tuple(zip(outs, intos, strict=True))


#: Lists that botocore has no paginator for.
_UNMODELLED_TOKENS: dict[str, tuple[tuple[str, str], ...]] = {
    "list_exports": (("NextToken", "NextToken"),),
    "list_imports": (("NextToken", "NextToken"),),
}
