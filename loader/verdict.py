"""What an answer of the Web API means, read from its content and never from what was expected.

A non-2xx body may be JSON of two shapes or plain text; taking one for another has turned a clear 403 into
a parse error in other clients (zmb3/spotify issue 301).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import Any

from loader.decode import parse_json
from loader.http import HttpAnswer

TEXT_LIMIT = 200
PREMIUM_TEXT = "Active premium subscription required"
QUOTA_REASON = "QUOTA_EXCEEDED"


class Meaning(Enum):
    """The rows of the table that the client acts on."""

    OK = auto()
    TOKEN_EXPIRED = auto()
    BAD_CLIENT = auto()
    BAD_REQUEST = auto()
    FORBIDDEN = auto()
    PREMIUM_LAPSED = auto()
    UNKNOWN_ID = auto()
    ITEM_REFUSED = auto()
    THROTTLED = auto()
    QUOTA = auto()
    TRANSIENT = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The meaning, the source's own words, the wait it asks for (None: not usable), the document of a 200."""

    meaning: Meaning
    said: str = ""
    wait_s: float | None = None
    document: Any = None


def judge(answer: HttpAnswer, now: datetime) -> Verdict:
    """Classify one answer."""
    document = _parsed(answer.body)
    said = _said(answer, document)
    if 200 <= answer.status < 300:
        if isinstance(document, dict):
            return Verdict(Meaning.OK, document=document)
        return Verdict(Meaning.TRANSIENT, f"an answer that is not JSON: {said}")
    if answer.status == 429:
        quota = _error(document).get("reason") == QUOTA_REASON
        meaning = Meaning.QUOTA if quota else Meaning.THROTTLED
        return Verdict(meaning, said, wait_s=retry_after_s(answer.headers, now))
    return Verdict(_meaning_of(answer.status, document, said), said)


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait; None when the header is missing, not positive, or neither a number nor a date.

    A date is compared with the server's own `Date`, because the two clocks need not agree.
    """
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        moment = _date(text)
        base = _date(headers.get("date", "")) or now
        seconds = (moment - base).total_seconds() if moment else 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def _meaning_of(status: int, document: Any, said: str) -> Meaning:
    if isinstance(document, dict) and document.get("error") in ("invalid_client", "unauthorized_client"):
        return Meaning.BAD_CLIENT
    if status == 403:
        return Meaning.PREMIUM_LAPSED if PREMIUM_TEXT.lower() in said.lower() else Meaning.FORBIDDEN
    fixed = {400: Meaning.BAD_REQUEST, 401: Meaning.TOKEN_EXPIRED, 404: Meaning.UNKNOWN_ID}
    if status in fixed:
        return fixed[status]
    if 400 <= status < 500 and status != 408:
        return Meaning.ITEM_REFUSED
    return Meaning.TRANSIENT


def _parsed(body: bytes) -> Any:
    try:
        return parse_json(body)
    except ValueError:
        return None


def _error(document: Any) -> Mapping[str, Any]:
    error = document.get("error") if isinstance(document, dict) else None
    return error if isinstance(error, dict) else {}


def _said(answer: HttpAnswer, document: Any) -> str:
    """The source's own words, short and without control characters, because they reach a terminal."""
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(error, dict):
        text = str(error.get("message", ""))
    elif isinstance(error, str):
        text = f"{error}: {document.get('error_description', '')}"
    else:
        text = answer.body[: TEXT_LIMIT * 4].decode("utf-8", "replace")
    printable = "".join(character if character.isprintable() else " " for character in text)
    return f"HTTP {answer.status} {printable.strip()[:TEXT_LIMIT]}".strip()


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
