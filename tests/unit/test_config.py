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


def test_every_variable_of_the_region_and_the_profile_beats_the_file(tmp_path: Path) -> None:
    (tmp_path / "ops.toml").write_text('region = "eu-north-1"\nprofile = "of-the-file"\n')
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        found = load_settings({}, {name: "us-west-2"}, tmp_path, tmp_path).region
        assert found is not None
        assert (found.value, found.origin) == ("us-west-2", name)
    of_file = load_settings({}, {}, tmp_path, tmp_path)
    assert of_file.given_profile == "of-the-file"
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        assert load_settings({}, {name: "other"}, tmp_path, tmp_path).given_profile is None
    assert load_settings({"profile": "typed"}, {"AWS_PROFILE": "other"}, tmp_path, tmp_path).given_profile == "typed"


def test_without_a_word_about_the_region_the_aws_profile_decides(tmp_path: Path) -> None:
    assert load_settings({}, {}, tmp_path, tmp_path).region is None
