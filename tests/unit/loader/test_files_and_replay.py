"""Tracks from files, and loads without a network."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from loader.errors import BadLoadRequest, FileMissing, UnknownArtist, UnrecordedRequest
from loader.http import HttpAnswer, HttpRequest, RecordingDoor, ReplayDoor
from loader.sources.files import FileSource
from tests.unit.loader.kit import ManualClock, artist, artist_id, track_id

TRACKS = [{"id": track_id(1), "name": "One", "popularity": 85.0}, None, {"id": track_id(2), "name": "Two"}]


def lines(*documents: object) -> str:
    return "".join(json.dumps(document) + "\n" for document in documents)


def test_a_line_without_a_market_answers_for_every_market(clock: ManualClock, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl.gz"
    path.write_bytes(gzip.compress(lines({"artist_id": artist_id(1), "response": {"tracks": TRACKS}}).encode()))
    found = FileSource(path, clock.now).tracks(artist(1), "SE")
    assert [one.track_id for one in found.tracks] == [track_id(1), track_id(2)]
    assert found.tracks[0].popularity == 85
    assert found.nulls == 1
    assert found.complete


def test_a_line_of_the_market_goes_before_a_general_one(clock: ManualClock, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    general = {"artist_id": artist_id(1), "tracks": TRACKS}
    path.write_text(lines(general, {"artist_id": artist_id(1), "market": "US", "tracks": []}))
    source = FileSource(path, clock.now)
    assert len(source.tracks(artist(1), "SE").tracks) == 2
    assert source.tracks(artist(1), "US").tracks == ()
    with pytest.raises(UnknownArtist):
        source.tracks(artist(2), "SE")


def test_rows_of_a_csv_become_ranked_tracks(clock: ManualClock, tmp_path: Path) -> None:
    path = tmp_path / "tracks.csv"
    path.write_text(
        "\ufeffartist_id,id,name,popularity,explicit\r\n"
        f"{artist_id(1)},{track_id(1)},One,70,true\r\n{artist_id(1)},{track_id(2)},Two,n/a,\r\n"
    )
    found = FileSource(path, clock.now).tracks(artist(1), "SE")
    assert [(one.rank, one.popularity, one.explicit) for one in found.tracks] == [(1, 70, True), (2, None, None)]
    assert found.dropped_numbers == 1


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jsonl", b'{"artist_id": "x"}\n', "a.jsonl:1"),
        ("a.jsonl", b'{"artist_id":"x","tracks":[]}\n{"artist_id":\n', "a.jsonl:2"),
        ("a.jsonl", b'{"artist_id":"x","tracks":{}}\n', "not a list"),
        ("a.jsonl", b"\xff\xfe\n", "decoded"),
        ("a.jsonl.gz", b"not gzip", "decoded"),
        ("a.csv", b"id,name\n1,2\n", "artist_id is missing"),
        ("a.csv", b"artist_id,id,name\n1,2,3,4\n", "a.csv:2"),
        ("a.txt", b"", "ends in"),
    ],
)
def test_an_unusable_file_is_refused_with_its_line(
    clock: ManualClock, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadLoadRequest, match=words):
        FileSource(tmp_path / name, clock.now)


def test_a_missing_file_is_named(clock: ManualClock, tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match=r"nothing\.jsonl"):
        FileSource(tmp_path / "nothing.jsonl", clock.now)


class Door:
    """Answers a token and then counts."""

    def __init__(self) -> None:
        self.count = 0

    def send(self, request: HttpRequest) -> HttpAnswer:
        if request.form:
            return HttpAnswer(200, {}, b'{"access_token":"REAL-TOKEN","expires_in":3600}')
        self.count += 1
        headers = {"content-type": "application/json", "set-cookie": "session=1", "retry-after": "2"}
        return HttpAnswer(429 if self.count == 1 else 200, headers, b'{"tracks":[]}')


GET = HttpRequest("GET", "http://one:1/v1/a", {"market": "SE"}, secret={"Authorization": "Bearer REAL-TOKEN"})
TOKEN = HttpRequest("POST", "http://one:1/api/token", form={"grant_type": "client_credentials"})


def test_a_recording_replays_in_order_on_any_host(tmp_path: Path) -> None:
    recorder = RecordingDoor(Door(), tmp_path)
    originals = [recorder.send(TOKEN), recorder.send(GET), recorder.send(GET)]
    replay = ReplayDoor(tmp_path)
    elsewhere = HttpRequest("GET", "https://other/v1/a", {"market": "SE"})
    assert replay.send(TOKEN).status == 200
    assert [replay.send(elsewhere).status for _ in range(2)] == [answer.status for answer in originals[1:]]


def test_a_recording_holds_no_token_and_no_cookie(tmp_path: Path) -> None:
    recorder = RecordingDoor(Door(), tmp_path)
    recorder.send(TOKEN)
    recorder.send(GET)
    text = "".join(path.read_text() for path in tmp_path.iterdir())
    assert "REAL-TOKEN" not in text
    assert "session=1" not in text
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())


def test_an_unrecorded_request_is_an_error_and_never_a_call(tmp_path: Path) -> None:
    RecordingDoor(Door(), tmp_path).send(GET)
    with pytest.raises(UnrecordedRequest, match="market"):
        ReplayDoor(tmp_path).send(HttpRequest("GET", "http://one/v1/a", {"market": "US"}))
