"""Run the unmodified Pulumi program in this process against an endpoint."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ops.errors import BadArgument, OpsError, SandboxBroken
from ops.sandbox.deploy import state as states
from ops.sandbox.deploy.model import Deployment

if TYPE_CHECKING:
    from ops.sandbox.deploy.monitor import Monitor
    from ops.sandbox.deploy.steps import Steps

_HOME_REGION = "us-east-1"


def apply(
    *,
    endpoint: str | None,
    state_file: Path,
    project: str,
    stack: str,
    config: Mapping[str, str],
    program: Path,
    read_all: bool = False,
) -> Deployment:
    """Create, update and delete at `endpoint` what `program` declares; read back what was touched.

    With `read_all` every declared setting is read back, also of what has not changed: drift shows as a difference.

    `config` holds keys of the project's namespace (`replicaRegions`) or qualified ones (`aws:region`).
    On failure the state keeps what was applied, so that the next apply goes on from there.
    """
    from ops.sandbox.deploy.aws import Aws
    from ops.sandbox.deploy.monitor import Monitor
    from ops.sandbox.deploy.readback import read_back
    from ops.sandbox.deploy.steps import Steps

    if not program.exists():
        raise BadArgument(f"the Pulumi program {program} does not exist")
    values = _qualified(project, config)
    state = states.load(state_file, project, stack)
    aws = Aws(endpoint, values["aws:region"])
    steps = Steps(aws, state)
    _check_belongs(steps)
    monitor = Monitor(steps, project, stack)
    try:
        _run(monitor, project, stack, values, program)
        steps.finish()
    finally:
        states.save(state_file, state)
    touched = {urn for operation, urn in steps.operations if operation not in ("same", "delete", "retain")}
    records = [record for urn, record in steps.live.items() if read_all or urn in touched]
    return Deployment(
        outputs=monitor.outputs,
        operations=steps.operations,
        refused=[(record.type, record.refused) for record in steps.live.values() if record.refused],
        settings=read_back(aws, records),
        resources=list(state.records.values()),
    )


def _qualified(project: str, config: Mapping[str, str]) -> dict[str, str]:
    values = {key if ":" in key else f"{project}:{key}": value for key, value in config.items()}
    return {"aws:region": _HOME_REGION, **values}


def _check_belongs(steps: "Steps") -> None:
    """A state outlives a server that forgets everything: the first resource must still be there."""
    from botocore.exceptions import BotoCoreError, ClientError

    from ops.sandbox.deploy.resources import SPECS

    for record in steps.state.records.values():
        reader = SPECS[record.type].read if record.type in SPECS else None
        if reader is None or record.refused:
            continue
        try:
            reader(steps.client(record), record)
        except (BotoCoreError, ClientError, KeyError, IndexError) as error:
            raise SandboxBroken(
                "the deployment state describes resources that the endpoint does not have",
                why=f"{record.name} ({record.type}) cannot be read: {error}; was the server restarted?",
            ) from error
        return


def _run(monitor: "Monitor", project: str, stack: str, values: dict[str, str], program: Path) -> None:
    import runpy

    import pulumi

    from ops.sandbox.deploy.loops import run_program

    pulumi.runtime.set_all_config(values, [])
    try:
        run_program(monitor, project, stack, lambda: runpy.run_path(str(program), run_name="__main__"))
    except Exception as error:
        raise _cause(monitor, error) from error


def _cause(monitor: "Monitor", error: Exception) -> OpsError:
    """The error to report: the monitor's own, a refused configuration value, or the program's."""
    found = monitor.failure or error
    if isinstance(found, OpsError):
        return found
    if type(found).__name__ == "ConfigError":
        return BadArgument(f"the configuration of the stack is refused: {found}")
    return SandboxBroken(
        "the Pulumi program failed",
        why=f"{type(found).__name__}: {found}",
        changed="the resources before the failure were applied and are in the state",
    )
