"""Two writers of one pointer."""

from __future__ import annotations

from typing import Any

import pytest

from ops.errors import (
    Locked,
)
from ops.recovery import cutover
from ops.runs import Run
from tests.unit.recovery.kit import (
    Scripted,
    refused,
)


def pointer(value: str, version: int) -> dict[str, Any]:
    return {"Parameter": {"Value": value, "Version": version}}


def test_a_second_writer_is_noticed_by_the_version(run: Run) -> None:
    control = Scripted({"get_parameter": pointer("a", 3), "put_parameter": {"Version": 5}})
    with pytest.raises(Locked, match="somebody else"):
        cutover.write_pointer(control, "/p", "b", "a", run)


def test_the_first_pointer_is_an_atomic_create(run: Run) -> None:
    control = Scripted({"get_parameter": refused("ParameterNotFound"), "put_parameter": {"Version": 1}})
    assert cutover.write_pointer(control, "/p", "b", None, run) == 1
    assert control.asked("put_parameter")[0]["Overwrite"] is False
    lost = Scripted(
        {
            "get_parameter": [refused("ParameterNotFound"), pointer("z", 1)],
            "put_parameter": refused("ParameterAlreadyExists"),
        }
    )
    with pytest.raises(Locked) as caught:
        cutover.write_pointer(lost, "/p", "b", None, run)
    assert "found z" in caught.value.why
