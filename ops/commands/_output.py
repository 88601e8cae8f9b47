"""Answers on stdout: whole, in the characters that the reader can take, and never a control character from data."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from collections.abc import Callable, Iterable

from ops.errors import AnswerLost

Form = Callable[[str], str]


def emit(lines: Iterable[str], form: Form | None = None, paint: Form | None = None) -> None:
    """Write the lines; a reader that closed early (`| head`) is no failure, a full disk behind `>` is one.

    `form` is `printable` or `json_printable`; `paint` adds colour to what it has made harmless.
    """
    form, paint = form or printable, paint or str
    try:
        for line in lines:
            sys.stdout.write(paint(form(line)) + "\n")
        sys.stdout.flush()
    except OSError as error:
        # Python flushes stdout once more at exit and would complain; give it somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno not in (errno.EPIPE, errno.EIO):  # the reader, or the whole terminal, has gone
            raise AnswerLost(
                "the answer could not be written to stdout",
                why=error.strerror or "",
                changed="what the command did stays done; ops list runs shows it",
            ) from error


def printable(text: str, encoding: str | None = None) -> str:
    """Text for a terminal: what is no printable character, or none of its encoding, becomes an escape."""
    takes = _taker(encoding or sys.stdout.encoding or "ascii")
    return text if takes(text) else "".join(one if one == "\t" or takes(one) else _escape(one) for one in text)


def json_printable(text: str) -> str:
    """JSON for a terminal: the same document, with JSON's own escapes in place of such characters."""
    takes = _taker(sys.stdout.encoding or "ascii")
    return text if takes(text) else "".join(one if takes(one) else json.dumps(one)[1:-1] for one in text)


def respect_plain_locale() -> None:
    """ASCII only where the user chose the C or POSIX locale: Python speaks UTF-8 there, terminals may not."""
    chosen = os.environ.get("LC_ALL") or os.environ.get("LANG")
    if not sys.flags.utf8_mode or chosen not in ("C", "POSIX") or "PYTHONUTF8" in os.environ:
        return
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="ascii", errors="backslashreplace")


def _taker(encoding: str) -> Callable[[str], bool]:
    """Whether a text is printable as it is, in that encoding."""

    def takes(text: str) -> bool:
        if not text.isprintable():
            return False
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            return False
        return True

    return takes


def _escape(one: str) -> str:
    return f"\\u{ord(one):04x}" if ord(one) < 0x10000 else f"\\U{ord(one):08x}"
