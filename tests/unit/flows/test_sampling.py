"""A sample is what was asked for, and its parts together are everything."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.errors import BadArgument
from ops.flows.sampling import Sample


@given(count=st.integers(0, 200), parts=st.integers(1, 30))
def test_all_parts_together_are_every_file_once(count: int, parts: int) -> None:
    found = [at for part in range(1, parts + 1) for at in Sample.parse(f"{part}/{parts}").places(count, Random(1))]
    assert sorted(found) == list(range(count))


@given(count=st.integers(0, 200), percent=st.floats(0.001, 100), seed=st.integers())
def test_a_percentage_is_at_least_one_file_and_never_less_than_asked(count: int, percent: float, seed: int) -> None:
    found = Sample.parse(f"{percent:.3f}%").places(count, Random(seed))
    assert found <= set(range(count))
    assert len(found) >= count * float(f"{percent:.3f}") / 100
    assert found or not count


@pytest.mark.parametrize(
    "text", ["", "0/7", "8/7", "1/0", "7", "0%", "101%", "-1%", "1/7%", "a/b", "1/7 ", "%", "nan%", "\uff11/7"]
)
def test_what_is_no_sample_is_refused(text: str) -> None:
    with pytest.raises(BadArgument, match="is no sample"):
        Sample.parse(text)
