"""The lines of `make stacks`: a setting is found, listed with its reason, or it differs; nothing is passed over."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from ops.sandbox.deploy import Deployment, Setting

ROOT = Path(__file__).parents[3]
URN = "urn:pulumi:dev::dynamo-ops::dynamo-ops:infra:Table$aws:dynamodb/table:Table::top_tracks"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("show_stacks", ROOT / "tools" / "show_stacks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_setting_is_one_line_with_what_became_of_it(tool: ModuleType) -> None:
    settings = [
        Setting(URN, "hashKey", "artist_id", "artist_id"),
        Setting(URN, "tags", {"a": "b"}, {}, "cannot be listed"),
        Setting(URN, "pitr", 35, 7),
    ]
    assert list(tool.lines(Deployment({}, [], [], settings, []))) == [
        "found    Table top_tracks.hashKey: declared 'artist_id'",
        "listed   Table top_tracks.tags: declared {'a': 'b'}: cannot be listed",
        "DIFFERS  Table top_tracks.pitr: declared 35, found 7",
    ]


def test_both_example_stacks_are_shown_as_the_cli_would_hand_them_over(tool: ModuleType) -> None:
    assert tool.STACKS == ("Pulumi.dev.yaml", "Pulumi.prod.yaml.example")
    for name in tool.STACKS:
        assert all(isinstance(value, str) for value in tool.configuration(name).values())
