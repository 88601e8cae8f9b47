"""Preferences come from the place that the documentation names first."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.config import load_settings
from ops.errors import BadArgument, EnvironmentNotChosen


def test_flag_beats_variable_beats_file(tmp_path: Path) -> None:
    (tmp_path / "ops.toml").write_text('env = "from-file"\n')
    environ = {"OPS_ENV": "from-variable"}
    assert load_settings({"env": "from-flag"}, environ, tmp_path, tmp_path).stack == "from-flag"
    assert load_settings({}, environ, tmp_path, tmp_path).stack == "from-variable"
    from_file = load_settings({}, {}, tmp_path, tmp_path)
    assert from_file.stack == "from-file"
    assert from_file.env is not None
    assert from_file.env.origin == str(tmp_path / "ops.toml")


def test_the_project_is_the_name_in_the_nearest_pulumi_file(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: dynamo-ops\nruntime: python\n")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert load_settings({}, {}, inner, tmp_path).project_name == "dynamo-ops"


def test_an_unchosen_environment_says_how_to_choose(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentNotChosen) as caught:
        _ = load_settings({}, {}, tmp_path, tmp_path).stack
    assert "OPS_ENV" in caught.value.fix[0]


@pytest.mark.parametrize(("text", "told"), [("table = 'x'", "unknown key 'table'"), ("env = ", "not valid TOML")])
def test_a_bad_file_is_refused_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "ops.toml").write_text(text)
    with pytest.raises(BadArgument, match=told) as caught:
        load_settings({}, {}, tmp_path, tmp_path)
    assert str(tmp_path / "ops.toml") in caught.value.what


def test_an_unknown_output_names_where_it_came_from(tmp_path: Path) -> None:
    with pytest.raises(BadArgument, match="OPS_OUTPUT"):
        load_settings({}, {"OPS_OUTPUT": "xml"}, tmp_path, tmp_path)
