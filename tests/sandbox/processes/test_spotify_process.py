"""The Spotify-shaped API as a process: admin routes, token endpoint, its end."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

CONFIG = {"client_id": "client", "client_secret": "secret", "token": "proof", "items": 100}


def launch(folder: Path, port: int = 0) -> subprocess.Popen[bytes]:
    (folder / "spotify-config.json").write_text(json.dumps(CONFIG))
    command = [sys.executable, "-m", "ops.sandbox.spotify", "--folder", str(folder), "--port", str(port)]
    return subprocess.Popen(command, stderr=subprocess.PIPE)


def ready(folder: Path) -> dict[str, object]:
    deadline = time.monotonic() + 10
    while not (folder / "spotify.json").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    found: dict[str, object] = json.loads((folder / "spotify.json").read_text())
    return found


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("spotify")
    with launch(folder) as process:
        yield f"http://127.0.0.1:{ready(folder)['port']}"
        process.kill()


def bearer(url: str) -> dict[str, str]:
    answer = requests.post(
        f"{url}/api/token", data={"grant_type": "client_credentials"}, auth=("client", "secret"), timeout=5
    )
    assert answer.json()["expires_in"] == 3600
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def test_the_token_endpoint_has_its_own_error_shape(url: str) -> None:
    form = {"grant_type": "client_credentials"}
    wrong = requests.post(f"{url}/api/token", data=form, auth=("client", "wrong"), timeout=5)
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_client")
    other = requests.post(f"{url}/api/token", data={"grant_type": "password"}, auth=("client", "secret"), timeout=5)
    assert other.status_code == 400


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({}, 400, "Only valid bearer authentication supported"),
        ({"Authorization": "Basic abc"}, 400, "Only valid bearer authentication supported"),
        ({"Authorization": "Bearer guess"}, 401, "Invalid access token"),
    ],
)
def test_no_resource_without_a_token(url: str, headers: dict[str, str], status: int, message: str) -> None:
    answer = requests.get(f"{url}/v1/search?q=a&type=track", headers=headers, timeout=5)
    assert (answer.status_code, answer.json()["error"]["message"]) == (status, message)


def test_modes_differ_in_rights_limits_and_fields(url: str) -> None:
    headers = bearer(url)

    def get(path: str) -> requests.Response:
        return requests.get(f"{url}/v1{path}", headers=headers, timeout=5)

    artist = "6v8FB84lnmJs434UJf2Mrm"
    search = '/search?q=artist:"Neil Young"&type=track&market=SE&limit='
    assert get(f"/artists/{artist}/top-tracks?market=SE").status_code == 200
    assert "popularity" in get(f"{search}50").json()["tracks"]["items"][0]
    assert requests.post(f"{url}/sandbox/mode", json={"mode": "development"}, timeout=5).status_code == 200
    try:
        assert get(f"/artists/{artist}/top-tracks?market=SE").json()["error"] == {"status": 403, "message": "Forbidden"}
        assert get(f"{search}11").json()["error"]["message"] == "Invalid limit"
        shown = get(f"{search}10").json()["tracks"]["items"][0]
        assert not {"popularity", "available_markets", "preview_url"} & set(shown)
        assert "external_ids" in shown
        assert "popularity" not in get(f"/artists/{artist}").json()
    finally:
        requests.post(f"{url}/sandbox/mode", json={"mode": "extended"}, timeout=5)
    assert requests.post(f"{url}/sandbox/mode", json={"mode": "free"}, timeout=5).status_code == 400


def test_albums_and_their_tracks_can_be_walked(url: str) -> None:
    headers = bearer(url)
    artist = "6v8FB84lnmJs434UJf2Mrm"
    albums = requests.get(f"{url}/v1/artists/{artist}/albums?limit=10", headers=headers, timeout=5).json()
    assert albums["total"] > 1
    album = albums["items"][0]["id"]
    tracks = requests.get(f"{url}/v1/albums/{album}/tracks", headers=headers, timeout=5).json()
    assert tracks["items"]
    assert requests.get(f"{url}/v1/albums/nothing/tracks", headers=headers, timeout=5).status_code == 404


def test_without_a_market_nothing_is_available_and_an_unknown_market_is_refused(url: str) -> None:
    headers = bearer(url)
    path = f"{url}/v1/artists/6v8FB84lnmJs434UJf2Mrm/top-tracks"
    assert requests.get(path, headers=headers, timeout=5).json() == {"tracks": []}
    assert requests.get(f"{path}?market=XX", headers=headers, timeout=5).status_code == 400


def test_faults_are_set_counted_listed_and_cleared(url: str) -> None:
    headers = bearer(url)
    wanted = {"name": "quota", "path": "search", "count": 1, "retry_after": "7"}
    assert requests.post(f"{url}/sandbox/fault", json=wanted, timeout=5).status_code == 200
    search = f"{url}/v1/search?q=a&type=track&market=SE"
    hit = requests.get(search, headers=headers, timeout=5)
    assert (hit.status_code, hit.headers["Retry-After"]) == (429, "7")
    assert hit.json()["error"]["reason"] == "QUOTA_EXCEEDED"
    assert requests.get(search, headers=headers, timeout=5).status_code == 200
    [listed] = requests.get(f"{url}/sandbox/fault", timeout=5).json()["faults"]
    assert (listed["served"], listed["left"]) == (1, 0)
    assert requests.delete(f"{url}/sandbox/fault", timeout=5).json() == {"faults": []}
    unknown = requests.post(f"{url}/sandbox/fault", json={"name": "meteor"}, timeout=5)
    assert unknown.status_code == 400
    assert "quota" in unknown.json()["error"]


def test_the_status_route_proves_identity_and_counts(url: str) -> None:
    found = requests.get(f"{url}/sandbox/status", timeout=5).json()
    assert found["token"] == "proof"
    assert found["artists"] == 10


def test_the_process_ends_by_itself_when_its_folder_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    with launch(folder) as process:
        ready(folder)
        shutil.rmtree(folder)
        assert process.wait(timeout=5) == 0


def test_a_taken_port_ends_the_process_with_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        with launch(tmp_path, port) as process:
            _, said = process.communicate(timeout=10)
    assert process.returncode == 3
    assert said.decode().count("\n") == 1
    assert f"cannot listen on 127.0.0.1:{port}" in said.decode()


def test_only_loopback_is_served(url: str) -> None:
    port = int(url.rpartition(":")[2])
    listening = Path("/proc/net/tcp").read_text() if Path("/proc/net/tcp").exists() else f" 0100007F:{port:04X} "
    rows = [line.split()[1] for line in listening.splitlines()[1:]] or [f"0100007F:{port:04X}"]
    assert {
        row.split(":")[0] for row in rows if row.endswith(f":{port:04X}") and not row.startswith("0100007F")
    } == set()
