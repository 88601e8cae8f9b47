"""What Ctrl-C, SIGTERM and a vanished terminal do, by what is going on when they come."""

from __future__ import annotations

import signal

import pytest

from ops.commands._signals import Signals
from ops.errors import SignalReceived

INT = signal.SIGINT


def test_the_first_signal_ends_the_work_and_is_remembered() -> None:
    signals = Signals()
    assert not signals.is_set()
    with pytest.raises(SignalReceived) as received:
        signals.on_signal(INT, None)
    assert received.value.signal_number == signals.number == INT


def test_a_vanished_terminal_counts_as_a_request_to_end() -> None:
    signals = Signals()
    with pytest.raises(SignalReceived) as received:
        signals.on_signal(signal.SIGHUP, None)
    assert received.value.signal_number == signal.SIGTERM


def test_work_that_ends_at_a_safe_place_is_only_told() -> None:
    signals = Signals()
    with signals.gently() as stop:
        signals.on_signal(signal.SIGTERM, None)
        assert (stop.is_set(), stop.number) == (True, signal.SIGTERM)
    with pytest.raises(SignalReceived):
        signals.on_signal(INT, None)


def test_a_second_signal_does_not_cut_a_clean_up_short_but_says_what_a_third_would_leave(
    capfd: pytest.CaptureFixture[str],
) -> None:
    signals = Signals()
    with signals.at_stake("the sandbox in /x", "ops sandbox down"):
        with signals.at_stake("a drill table", "ops drill gc RUN"), pytest.raises(SignalReceived):
            signals.on_signal(INT, None)
        signals.on_signal(INT, None)
    assert capfd.readouterr().err == (
        "  clean up   still at work; once more ends it at once and leaves the sandbox in /x\n"
    )


def test_even_the_first_signal_does_not_cut_a_clean_up_short(capfd: pytest.CaptureFixture[str]) -> None:
    signals = Signals()
    with signals.cleaning("the sandbox in /x", "ops sandbox down"):
        signals.on_signal(INT, None)
    assert "still at work" in capfd.readouterr().err
