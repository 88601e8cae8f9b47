"""Every answer of the Web API that was seen in the field, and what it asks for."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from loader.http import HttpAnswer
from loader.verdict import Meaning, judge, retry_after_s

NOW = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)


def api(status: int, message: str, **more: object) -> HttpAnswer:
    body = json.dumps({"error": {"status": status, "message": message, **more}}).encode()
    return HttpAnswer(status, {"content-type": "application/json"}, body)


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (HttpAnswer(200, {}, b'{"tracks":[]}'), Meaning.OK),
        (HttpAnswer(200, {}, b"<html>maintenance</html>"), Meaning.TRANSIENT),
        (HttpAnswer(200, {}, b'"text"'), Meaning.TRANSIENT),
        (HttpAnswer(200, {}, b"[" * 100_000), Meaning.TRANSIENT),
        (HttpAnswer(400, {}, b'{"error":"invalid_client","error_description":"Invalid client"}'), Meaning.BAD_CLIENT),
        (HttpAnswer(401, {}, b'{"error":"invalid_client"}'), Meaning.BAD_CLIENT),
        (api(400, "Invalid limit"), Meaning.BAD_REQUEST),
        (api(400, "Only valid bearer authentication supported"), Meaning.BAD_REQUEST),
        (api(401, "The access token expired"), Meaning.TOKEN_EXPIRED),
        (api(401, "Invalid access token"), Meaning.TOKEN_EXPIRED),
        (api(403, "Forbidden"), Meaning.FORBIDDEN),
        (
            HttpAnswer(403, {}, b"Active premium subscription required for the owner of the app."),
            Meaning.PREMIUM_LAPSED,
        ),
        (api(404, "non existing id"), Meaning.UNKNOWN_ID),
        (HttpAnswer(451, {}, b"unavailable for legal reasons"), Meaning.ITEM_REFUSED),
        (api(429, "API rate limit exceeded"), Meaning.THROTTLED),
        (HttpAnswer(429, {"retry-after": "4397"}, b"Too many requests"), Meaning.THROTTLED),
        (api(429, "Too many requests", reason="QUOTA_EXCEEDED"), Meaning.QUOTA),
        (HttpAnswer(503, {}, b"upstream"), Meaning.TRANSIENT),
        (HttpAnswer(302, {"location": "https://elsewhere"}, b""), Meaning.TRANSIENT),
    ],
)
def test_an_answer_is_read_by_its_content(answer: HttpAnswer, meaning: Meaning) -> None:
    assert judge(answer, NOW).meaning is meaning


def test_the_sources_words_reach_the_user_without_control_characters() -> None:
    said = judge(HttpAnswer(403, {}, b"no\x1b[31m\nway"), NOW).said
    assert "no" in said
    assert "\x1b" not in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "48925"}, 48925.0),
        ({"retry-after": "1.5"}, 1.5),
        ({}, None),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:30 GMT"}, 30.0),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:30 GMT", "date": "Fri, 20 Nov 2026 10:00:10 GMT"}, 20.0),
        ({"retry-after": "Fri, 20 Nov 2026 09:00:00 GMT"}, None),
    ],
)
def test_retry_after_is_used_only_when_it_is_a_positive_wait(headers: dict[str, str], wanted: float | None) -> None:
    assert retry_after_s(headers, NOW) == wanted
