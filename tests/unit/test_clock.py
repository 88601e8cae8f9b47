"""Times and durations as users write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.clock import parse_duration_s, parse_moment, rfc3339, wait_until, whole_seconds
from ops.errors import BadTime

NOW = datetime(2026, 11, 20, 10, 2, 16, 500_000, tzinfo=UTC)


@given(st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_a_printed_time_is_read_back_to_the_second(moment: datetime) -> None:
    assert parse_moment(rfc3339(moment), NOW) == whole_seconds(moment)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-11-20T10:02:16Z", datetime(2026, 11, 20, 10, 2, 16, tzinfo=UTC)),
        ("2026-11-20T12:02:16.9+02:00", datetime(2026, 11, 20, 10, 2, 16, tzinfo=UTC)),
        ("-15m", datetime(2026, 11, 20, 9, 47, 16, tzinfo=UTC)),
        ("-90s", datetime(2026, 11, 20, 10, 0, 46, tzinfo=UTC)),
    ],
)
def test_accepted_forms_of_a_moment(text: str, wanted: datetime) -> None:
    assert parse_moment(text, NOW) == wanted


#: Times that no calendar of this program has.
BEYOND = ("-99999999999d", "-9999999d", "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00")


def test_a_time_without_a_zone_is_refused_with_the_form_to_type() -> None:
    with pytest.raises(BadTime) as caught:
        parse_moment("2026-11-20T10:02:16", NOW)
    assert "2026-11-20T10:02:16Z" in caught.value.fix[0]
    with pytest.raises(BadTime) as caught:
        parse_moment("2026-11-20", NOW)
    typed = caught.value.fix[0].split()[1]
    assert parse_moment(typed, NOW) == datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01T00:00:00Z", "-15", "-m", "", *BEYOND])
def test_what_is_not_a_time_is_refused(text: str) -> None:
    with pytest.raises(BadTime):
        parse_moment(text, NOW)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7200), ("35d", 3024000), ("1.5h", 5400)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == seconds


class SteppingClock:
    """Sleeping is the only thing that moves it."""

    def __init__(self) -> None:
        self.slept = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.slept)

    def monotonic(self) -> float:
        return self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


def test_waiting_ends_with_the_first_answer() -> None:
    clock = SteppingClock()
    assert wait_until(lambda: "done" if clock.slept >= 30 else None, clock, interval_s=10) == "done"
    assert clock.slept == 30


def test_waiting_gives_up_when_the_time_is_over() -> None:
    clock = SteppingClock()
    assert wait_until(lambda: None, clock, interval_s=10, timeout_s=25) is None
    assert clock.slept == 30
