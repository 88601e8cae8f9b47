"""Answers on stdout: no character of data does anything to a terminal, and none is lost on the way to a program."""

from __future__ import annotations

import io
import json
import sys
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.commands._output import emit, json_printable, printable
from ops.report.terminal import painted

#: Escape, zero width, a character that this Python does not know yet, and one beyond 16 bits that is invisible.
HARD = "caf\xe9 \x1b[31m \u200b \U0001fae8 \U0001f600 \U000e0001"


@given(st.text())
def test_json_for_a_terminal_is_the_same_document(text: str) -> None:
    shown = json_printable(json.dumps({"name": text}, ensure_ascii=False))
    assert json.loads(shown) == {"name": text}
    assert shown.isprintable()


def test_text_for_a_terminal_holds_no_control_character_and_escapes_say_which_character_it_was() -> None:
    shown = printable(HARD, "utf-8")
    assert shown.isprintable()
    assert "\\u001b[31m" in shown
    assert "\\U000e0001" in shown
    assert "caf\xe9" in shown


def test_an_encoding_without_a_character_gets_its_escape() -> None:
    assert printable("caf\xe9 \U0001f600\t|", "ascii") == "caf\\u00e9 \\U0001f600\t|"


def test_json_for_a_terminal_without_unicode_is_the_same_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    shown = json_printable(json.dumps(HARD, ensure_ascii=False))
    assert shown.isascii()
    assert json.loads(shown) == HARD


def test_colour_of_ours_reaches_the_terminal_and_that_of_data_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    emit(["PASS  RTO 1 s", "name \x1b[31mred"], paint=partial(painted, "pass"))
    assert capsys.readouterr().out == "\x1b[1;32mPASS\x1b[0m  RTO 1 s\nname \\u001b[31mred\n"
