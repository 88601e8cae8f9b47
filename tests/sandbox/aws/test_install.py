"""The sandbox refuses a moto it was not written for."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ops.sandbox.aws
from ops.sandbox.aws.install import ADDED_ACTIONS, UnsupportedMoto, check_moto, patched_names


def test_the_installed_moto_has_every_patched_name() -> None:
    check_moto()


@pytest.mark.parametrize("version", ["5.1.9", "5.3.0", "6.0.0"])
def test_another_series_of_moto_is_refused(version: str) -> None:
    with pytest.raises(UnsupportedMoto, match=re.escape(version)):
        check_moto(version)


def test_a_missing_name_is_refused_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.dynamodb.models.table import Table

    monkeypatch.delattr(Table, "put_item")
    with pytest.raises(UnsupportedMoto, match=r"moto\.dynamodb\.models\.table\.Table\.put_item"):
        check_moto()


def test_every_patch_in_the_source_is_on_the_checked_list() -> None:
    """`Class.name = …` on a moto class must be on the list, so that no patch goes unchecked."""
    checked = {name for _, name in patched_names()}
    classes = {name.split(".")[0] for name in checked if "." in name}
    found: set[str] = set()
    for path in Path(ops.sandbox.aws.__file__).parent.glob("*.py"):
        for owner, name in re.findall(r"^    (\w+)\.(\w+) = ", path.read_text(), re.MULTILINE):
            if owner in classes:
                found.add(f"{owner}.{name}")
    new = {"Table.__deepcopy__"} | {f"DynamoHandler.{name}" for name in ADDED_ACTIONS}  # added, not replaced
    assert all(owner[0].isupper() for owner in classes)
    assert found - new <= checked, f"not checked at start: {sorted(found - new - checked)}"
    assert len(found) > 30


def test_every_checked_name_is_unique_and_importable() -> None:
    names = patched_names()
    assert len(set(names)) == len(names)
    for module, _ in names:
        importlib.import_module(module)


def test_moto_still_lacks_the_actions_that_the_sandbox_adds() -> None:
    """One that a later moto brings along must be looked at before it is covered up."""
    from moto.dynamodb.responses import DynamoHandler

    assert [name for name in ADDED_ACTIONS if hasattr(DynamoHandler, name)] == []


def test_a_host_is_given_to_the_service_that_moto_gives_it_to_also_when_it_is_asked_again() -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    from ops.sandbox.aws.dispatch import Dispatcher

    plain, ours = DomainDispatcherApplication(create_backend_app), Dispatcher()
    for host in ("dynamodb.us-east-1.amazonaws.com", "s3.us-east-1.amazonaws.com", "moto_api", "rds", None, "nobody"):
        assert [ours.get_backend_for_host(host) for _ in range(2)] == [plain.get_backend_for_host(host)] * 2
    assert ours.get_backend_for_host("rds.us-east-1.amazonaws.com") == "rds"


def test_cycles_are_collected_again_once_the_sandbox_is_built() -> None:
    program = (
        "import gc; gc.disable()\n"
        "from ops.sandbox.aws.install import build\n"
        "from ops.sandbox.aws.world import World\n"
        "build(World(token='t')); print(gc.isenabled())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
