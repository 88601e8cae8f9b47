"""What a started sandbox is filled with: the stack of `infra/`, the source's secret, the artists table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import infra
from infra.environment import EnvironmentDocument, parameter_path
from infra.schema import ARTISTS_TABLE
from ops.errors import SandboxBroken
from ops.sandbox.catalogue import open_catalogue
from ops.sandbox.control import SandboxControl
from ops.sandbox.postgres import PostgresServer, connect
from ops.sandbox.state import SandboxState

if TYPE_CHECKING:
    from ops.sandbox.deploy import Deployment

REPLICA_REGION = "us-west-2"


def stack_config(state: SandboxState, region: str) -> dict[str, str]:
    """The configuration of the stack, by the keys of `infra.keys`."""
    source = f"http://127.0.0.1:{state.spotify_port}"
    return {
        "aws:region": region,
        "environmentClass": "sandbox",
        "replicaRegions": REPLICA_REGION,
        "cacheEnabled": "true",
        "databaseEngine": "postgres",
        "sourceApiUrl": f"{source}/v1",
        "sourceAccountsUrl": source,
    }


def provision(folder: Path, state: SandboxState, *, project: str, stack: str, region: str) -> dict[str, object]:
    """Bind the database, apply the program, write the secret, fill the table; what was done, as counts."""
    if state.postgres is None:
        raise SandboxBroken("the sandbox has no database to bind")
    endpoint = f"http://127.0.0.1:{state.aws_port}"
    database = state.postgres
    SandboxControl(endpoint).bind_database(
        engine="postgres",
        address=database.address,
        port=database.port,
        username=database.username,
        password=database.password,
        database=database.database,
    )
    deployed = _apply(folder, state, endpoint, project=project, stack=stack, region=region)
    _write_source_secret(state, endpoint, project=project, stack=stack, region=region)
    artists = fill_artists(database, state)
    return {**state.summary, **deployed, "artists": artists}


def fill_artists(server: PostgresServer, state: SandboxState) -> int:
    """Make the `artists` table and copy the catalogue's artists in; how many."""
    catalogue = open_catalogue(state.items, state.seed, Path(state.catalogue) if state.catalogue else None)
    with connect(server, server.database) as connection, connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {ARTISTS_TABLE} "
            "(artist_id CHAR(22) PRIMARY KEY, name TEXT NOT NULL, genre TEXT)"
        )
        cursor.execute(f"TRUNCATE {ARTISTS_TABLE}")
        with cursor.copy(f"COPY {ARTISTS_TABLE} (artist_id, name, genre) FROM STDIN") as rows:
            for artist in catalogue.artists:
                rows.write_row((artist.artist_id, artist.name, artist.genre))
    return len(catalogue.artists)


def _apply(
    folder: Path, state: SandboxState, endpoint: str, *, project: str, stack: str, region: str
) -> Mapping[str, object]:
    from ops.sandbox.deploy import apply

    # Its own folder, closed to everyone else: the state of a stack may hold secrets in clear.
    deploy = folder / "deploy"
    deploy.mkdir(mode=0o700, exist_ok=True)
    deployment = apply(
        endpoint=endpoint,
        state_file=deploy / "state.json",
        project=project,
        stack=stack,
        config=stack_config(state, region),
        program=Path(infra.__file__).parent,
    )
    refuse_differences(deployment)
    return summary(deployment)


def refuse_differences(deployment: Deployment) -> None:
    """A sandbox that does not hold what was declared would prove something about another environment."""
    found = deployment.differences
    if found:
        first = found[0]
        raise SandboxBroken(
            f"{len(found)} declared settings are not as the sandbox holds them",
            why=f"{first.urn.rsplit('::', 1)[1]}.{first.setting}: declared {first.declared!r}, found {first.found!r}",
            changed="the resources were applied",
        )


def summary(deployment: Deployment) -> dict[str, object]:
    """What `ops sandbox status` shows of an apply: how much was proven, and what was not, each with its reason."""
    noted = [setting for setting in deployment.settings if setting.note]
    types = {record.urn: record.type.rsplit(":", 1)[1] for record in deployment.resources}
    unproven = sorted({f"{types[setting.urn]}.{setting.setting}: {setting.note}" for setting in noted})
    declared = len(deployment.settings)
    return {
        "resources": len(deployment.operations),
        "settings": f"{declared} declared, {declared - len(noted)} found as declared, {len(noted)} not readable",
        "refused": [list(entry) for entry in deployment.refused],
        "unproven": unproven,
        **{f"not proven {at}": line for at, line in enumerate(unproven, start=1)},
    }


def _write_source_secret(state: SandboxState, endpoint: str, *, project: str, stack: str, region: str) -> None:
    import boto3

    def client(service: str) -> object:
        return boto3.client(
            service,
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id="sandbox",
            aws_secret_access_key="sandbox",
        )

    ssm, secrets_manager = client("ssm"), client("secretsmanager")
    found = ssm.get_parameter(Name=parameter_path(project, stack))  # type: ignore[attr-defined]
    document = EnvironmentDocument.from_json(found["Parameter"]["Value"])
    if document.source is None:
        raise SandboxBroken("the environment document names no track source")
    value = {"client_id": state.client_id, "client_secret": state.client_secret}
    secrets_manager.put_secret_value(  # type: ignore[attr-defined]
        SecretId=document.source.secret_arn, SecretString=json.dumps(value)
    )
