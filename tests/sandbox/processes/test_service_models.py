"""What makes the start quick must not change what is loaded."""

from __future__ import annotations

import gc
import subprocess
import sys
from importlib.util import find_spec

import pytest
from botocore.loaders import JSONFileLoader, Loader

from ops.sandbox.service_models import ModelFiles
from ops.sandbox.warmup import SLOW, load_slow_packages


@pytest.mark.parametrize("service", ["dynamodb", "s3", "ec2", "rds"])
def test_a_model_is_read_as_botocore_reads_it(service: str) -> None:
    quick, slow = Loader(file_loader=ModelFiles()), Loader(file_loader=JSONFileLoader())
    assert quick.load_service_model(service, "service-2") == slow.load_service_model(service, "service-2")


def test_a_model_that_is_not_there_is_none_as_botocore_has_it() -> None:
    assert ModelFiles().load_file("/nowhere/service-2") is None


def test_every_reader_gets_a_document_of_its_own() -> None:
    first, second = (Loader(file_loader=ModelFiles()).load_service_model("sts", "service-2") for _ in range(2))
    first["metadata"]["changed"] = True
    assert "changed" not in second["metadata"]


def test_the_services_are_listed_as_before_and_by_each_loader_from_its_own_paths() -> None:
    program = (
        "from botocore.loaders import Loader\n"
        "before = Loader().list_available_services('service-2')\n"
        "from ops.sandbox.service_models import read_quickly\n"
        "read_quickly()\n"
        "for _ in range(2):\n"
        "    assert Loader().list_available_services('service-2') == before\n"
        "    assert Loader().list_available_services(type_name='service-2') == before\n"
        "    assert Loader(include_default_search_paths=False).list_available_services('service-2') == []\n"
        "print(len(before))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 300


@pytest.mark.parametrize("name", SLOW)
def test_every_package_that_is_loaded_beforehand_exists(name: str) -> None:
    assert find_spec(name) is not None


@pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_aws.*")
@pytest.mark.parametrize("on", [True, False])
def test_loading_beforehand_leaves_the_collector_as_it_was(on: bool) -> None:
    (gc.enable if on else gc.disable)()
    try:
        load_slow_packages()
        assert gc.isenabled() is on
    finally:
        gc.enable()
