"""The sandbox's AWS: `python -m ops.sandbox.server --folder DIR [--port N]`.

Serves on 127.0.0.1 only, keeps all state in memory, writes `DIR/aws.json` once it listens and logs to
`DIR/aws.log`. SIGTERM ends it at once. A port that is taken ends it with status 3 and one line on stderr. A state
that `ops sandbox down --keep` left in DIR is taken over first.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ops.sandbox.aws.serving import Server
    from ops.sandbox.aws.world import Durations, World

HOST = "127.0.0.1"
ENVIRONMENT_PREFIX = "OPS_SANDBOX_"
EXIT_PORT_TAKEN = 3
EXIT_MOTO_UNFIT = 4
EXIT_STATE_UNFIT = 5
# what the Pulumi program asks for first: made while nobody waits for it
WARMED = ("ec2", "iam", "s3", "kms", "ssm", "rds", "secretsmanager", "backup", "dax")


def arguments(argv: Sequence[str] | None, environ: Mapping[str, str]) -> argparse.Namespace:
    """Flags; a duration's default comes from OPS_SANDBOX_<NAME>, e.g. OPS_SANDBOX_RESTORE_S."""
    from ops.sandbox.aws.world import Durations

    parser = argparse.ArgumentParser(prog="python -m ops.sandbox.server", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="state folder: aws.json, aws.log")
    parser.add_argument("--port", type=int, default=0, help="TCP port; 0, the default, takes a free one")
    standard = Durations()
    for name in Durations.names():
        default = float(environ.get(ENVIRONMENT_PREFIX + name.upper(), getattr(standard, name)))
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=default, metavar="SECONDS")
    return parser.parse_args(argv)


def durations_of(options: argparse.Namespace) -> Durations:
    """The durations that were asked for."""
    from ops.sandbox.aws.world import Durations

    return Durations(**{name: getattr(options, name) for name in Durations.names()})


def write_ready_file(folder: Path, port: int, token: str) -> None:
    """`aws.json`, whole or not at all; readable by its owner only, for the token's sake."""
    target, draft = folder / "aws.json", folder / f"aws.json.part.{os.getpid()}"
    document = {"port": port, "pid": os.getpid(), "token": token}
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(target)


def listen(world: World, port: int, folder: Path) -> Server:
    """A bound HTTP server; OSError when the port is taken."""
    from ops.sandbox.aws.install import build
    from ops.sandbox.service_models import read_quickly

    read_quickly()

    application = build(world)
    from ops.sandbox.aws.door import Door
    from ops.sandbox.aws.keeping import load

    load(world, folder)
    from ops.sandbox.aws.serving import Server

    with _bound(port) as listener:
        return Server(listener, Door(application, world, folder), world)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT."""
    # what is loaded stays: looking for cycles meanwhile took a fifth of the start; `build` turns it on again
    gc.disable()
    options = arguments(argv, os.environ)
    options.folder.mkdir(parents=True, exist_ok=True)
    from ops.sandbox.aws.install import UnsupportedMoto
    from ops.sandbox.aws.kept import CannotKeep
    from ops.sandbox.aws.world import ACCOUNT, World

    os.environ["MOTO_ACCOUNT_ID"] = ACCOUNT
    # roles attach AWS's managed policies; moto knows them, but loads them only when told to
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    world = World(token=secrets.token_hex(16), durations=durations_of(options))
    try:
        server = listen(world, options.port, options.folder)
    except UnsupportedMoto as error:
        sys.stderr.write(f"ops sandbox: {error}\n")
        return EXIT_MOTO_UNFIT
    except CannotKeep as error:
        sys.stderr.write(f"ops sandbox: {error}\n")
        return EXIT_STATE_UNFIT
    except OSError as error:
        sys.stderr.write(f"ops sandbox: cannot listen on {HOST}:{options.port}: {error.strerror}\n")
        return EXIT_PORT_TAKEN
    _log_to(options.folder / "aws.log")
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    write_ready_file(options.folder, int(server.socket.getsockname()[1]), world.token)
    threading.Thread(target=warm_up, daemon=True).start()
    server.serve_forever()
    return 0


def warm_up() -> None:
    """Make moto's backends, which it would make at the first request of each service."""
    from moto.backends import get_backend

    from ops.sandbox.aws.world import ACCOUNT

    for service in WARMED:
        backends = get_backend(service)[ACCOUNT]  # type: ignore[call-overload]
        backends["aws" if service in ("iam", "s3") else "us-east-1"]


def _bound(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def _log_to(path: Path) -> None:
    """All further output of this process, moto's and werkzeug's included, goes to the log."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    os.close(log)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")


def _stop(_number: int, _frame: FrameType | None) -> None:
    # state is in memory only: nothing to save, and open connections must not delay the end
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
