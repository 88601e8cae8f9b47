"""Preferences and the choice of environment: flag, then `OPS_*` variable, then `ops.toml`, then default.

Resources are never configured here: they come from the environment document that the Pulumi program wrote.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.errors import BadArgument, EnvironmentNotChosen

#: Options that `ops.toml` may hold.
PREFERENCES = frozenset({"env", "project", "profile", "region", "output", "runs"})
DEFAULT_REGION = "us-east-1"
OUTPUTS = ("text", "json", "jsonl")


@dataclass(frozen=True, slots=True)
class Resolved:
    """A value and where it came from."""

    value: str
    origin: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Every resolved preference; `None` where nothing was said and no default exists."""

    env: Resolved | None
    project: Resolved | None
    profile: Resolved | None
    #: None where only the AWS profile knows it.
    region: Resolved | None
    output: Resolved
    runs: Resolved

    @property
    def stack(self) -> str:
        """The chosen stack, or the error that says how to choose."""
        if self.env is None:
            raise EnvironmentNotChosen("no environment chosen: neither --env nor OPS_ENV is set")
        return self.env.value

    @property
    def project_name(self) -> str:
        """The chosen project, or the error that says how to choose."""
        if self.project is None:
            raise EnvironmentNotChosen(
                "no project known: no Pulumi.yaml in this folder or above it",
                fix=("set OPS_PROJECT, or give --project NAME",),
            )
        return self.project.value

    @property
    def given_profile(self) -> str | None:
        """The profile that was asked for here. One of a variable is left to botocore, for which keys come first."""
        if self.profile is None or self.profile.origin.startswith("AWS_"):
            return None
        return self.profile.value

    @property
    def runs_folder(self) -> Path:
        """Where journals, reports and dead-letter files go."""
        return Path(self.runs.value)


def load_settings(flags: Mapping[str, str | None], environ: Mapping[str, str], folder: Path, home: Path) -> Settings:
    """Resolve every preference; a bad `ops.toml` or an unknown output is refused with its place."""
    file, origin = _read_file(folder, environ, home)

    def resolve(name: str, variables: str, default: Resolved | None = None) -> Resolved | None:
        if flags.get(name):
            return Resolved(str(flags[name]), f"--{name}")
        for one in variables.split():
            if environ.get(one):
                return Resolved(environ[one], one)
        if name in file:
            return Resolved(str(file[name]), origin)
        return default

    output = resolve("output", "OPS_OUTPUT", Resolved("text", "default"))
    runs = Resolved(str(_state_home(environ, home) / "ops" / "runs"), "default")
    settings = Settings(
        env=resolve("env", "OPS_ENV"),
        project=resolve("project", "OPS_PROJECT", _project_of(folder)),
        profile=resolve("profile", "AWS_DEFAULT_PROFILE AWS_PROFILE"),
        region=resolve("region", "AWS_REGION AWS_DEFAULT_REGION"),
        output=output or Resolved("text", "default"),
        runs=resolve("runs", "OPS_RUNS_DIR", runs) or runs,
    )
    if settings.output.value not in OUTPUTS:
        raise BadArgument(
            f"output '{settings.output.value}' (from {settings.output.origin}) is not one of {', '.join(OUTPUTS)}"
        )
    return settings


def _state_home(environ: Mapping[str, str], home: Path) -> Path:
    return Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state")


def _read_file(folder: Path, environ: Mapping[str, str], home: Path) -> tuple[dict[str, Any], str]:
    config_home = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    for path in (folder / "ops.toml", config_home / "ops" / "ops.toml"):
        if path.is_file():
            return _checked(path), str(path)
    return {}, ""


def _checked(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadArgument(f"{path} is not valid TOML: {error}") from error
    unknown = sorted(set(document) - PREFERENCES)
    if unknown:
        raise BadArgument(
            f"{path}: unknown key '{unknown[0]}'",
            fix=(f"ops.toml holds preferences only: {', '.join(sorted(PREFERENCES))}",),
        )
    return document


def _project_of(folder: Path) -> Resolved | None:
    """`name` of the nearest Pulumi.yaml; read as text, a YAML parser is not worth loading for one line."""
    for place in (folder, *folder.parents):
        path = place / "Pulumi.yaml"
        if path.is_file():
            found = re.search(r"^name:\s*['\"]?([\w.-]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
            if found:
                return Resolved(found.group(1), str(path))
    return None
