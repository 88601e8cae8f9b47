"""The answers of the Spotify-shaped API: routes, limits, modes and error texts, without any socket.

Limits and texts follow developer.spotify.com/documentation/web-api (references/changes 2026).
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import parse_qs

from loader.markets import known_markets
from ops.sandbox.catalogue import Catalogue, Json, in_market, open_catalogue
from ops.sandbox.spotify_faults import FaultBox, Reply, api_error, json_reply

DEVELOPMENT_REMOVES = {
    "track": ("available_markets", "linked_from", "popularity", "preview_url"),
    "album": ("available_markets", "genres", "label", "popularity"),
}
SEARCH_LIMIT = {"development": (10, 5), "extended": (50, 20)}
SEARCH_WINDOW = 1000


@dataclass(frozen=True, slots=True)
class SpotifyConfig:
    """What the parent hands over in `spotify-config.json`."""

    client_id: str
    client_secret: str
    token: str
    items: int = 2000
    seed: int = 1
    catalogue: str = ""
    mode: str = "extended"
    token_lifetime_s: float = 3600.0


@dataclass(slots=True)
class Request:
    """One request, parsed."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Api:
    """The answers; one instance is shared by the server's threads."""

    config: SpotifyConfig
    catalogue: Catalogue
    monotonic: Callable[[], float]
    faults: FaultBox = field(default_factory=FaultBox)
    mode: str = "extended"
    _tokens: dict[str, float] = field(default_factory=dict)
    _counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: Request) -> Reply:
        """The reply to one request, faults apart."""
        with self._lock:
            self._counts[_kind(request.path)] += 1
        if request.path.startswith("/sandbox/"):
            return self._admin(request)
        if request.path == "/api/token":
            return self._token(request)
        refusal = self._unauthorised(request)
        return refusal or self._resource(request)

    def _token(self, request: Request) -> Reply:
        given = request.headers.get("authorization", "")
        wanted = base64.b64encode(f"{self.config.client_id}:{self.config.client_secret}".encode()).decode()
        if not hmac.compare_digest(given.encode(), f"Basic {wanted}".encode()):
            return json_reply(400, {"error": "invalid_client", "error_description": "Invalid client"})
        form = parse_qs(request.body.decode("utf-8", "replace"))
        if request.method != "POST" or form.get("grant_type") != ["client_credentials"]:
            return json_reply(400, {"error": "unsupported_grant_type", "error_description": "grant_type"})
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._tokens[token] = self.monotonic() + self.config.token_lifetime_s
        lifetime = max(1, int(self.config.token_lifetime_s))
        return json_reply(200, {"access_token": token, "token_type": "Bearer", "expires_in": lifetime})

    def _unauthorised(self, request: Request) -> Reply | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            return api_error(400, "Only valid bearer authentication supported")
        with self._lock:
            expires = self._tokens.get(token)
        if expires is None:
            return api_error(401, "Invalid access token")
        return api_error(401, "The access token expired") if self.monotonic() >= expires else None

    def _resource(self, request: Request) -> Reply:
        parts = request.path.strip("/").split("/")
        market = request.query.get("market", "")
        if market and market not in known_markets():
            return api_error(400, "Invalid market code")
        match parts:
            case ["v1", "search"]:
                return self._search(request.query)
            case ["v1", "artists", artist_id]:
                return self._artist(artist_id)
            case ["v1", "artists", artist_id, "top-tracks"]:
                return self._top_tracks(artist_id, market)
            case ["v1", "artists", artist_id, "albums"]:
                return self._paged(self._albums(artist_id), request.query)
            case ["v1", "albums", album_id, "tracks"]:
                return self._paged(self._album_tracks(album_id), request.query)
        return api_error(404, "Service not found")

    def _top_tracks(self, artist_id: str, market: str) -> Reply:
        if self.mode == "development":
            return api_error(403, "Forbidden")
        tracks = self.catalogue.tracks(artist_id)
        if tracks is None:
            return api_error(404, "non existing id")
        # With client credentials and no market all content counts as unavailable.
        return json_reply(200, {"tracks": in_market(artist_id, tracks, market) if market else []})

    def _artist(self, artist_id: str) -> Reply:
        for artist in self.catalogue.artists:
            if artist.artist_id == artist_id:
                body: Json = {"id": artist_id, "name": artist.name, "type": "artist"}
                if self.mode == "extended":
                    body |= {"genres": [], "popularity": 50, "followers": {"href": None, "total": 1000}}
                return json_reply(200, body)
        return api_error(404, "non existing id")

    def _search(self, query: Mapping[str, str]) -> Reply:
        window = self._window(query)
        if window is None:
            return api_error(400, "Invalid limit")
        offset, limit = window
        market = query.get("market", "")
        wanted = query.get("q", "").removeprefix("artist:").strip('"').replace('\\"', '"').casefold()
        found: list[Json] = []
        for artist in self.catalogue.artists:
            if market and wanted and wanted in artist.name.casefold():
                found += in_market(artist.artist_id, self.catalogue.tracks(artist.artist_id) or [], market)
        distinct = list({track["id"]: track for track in found}.values())
        page = [self._shown(track) for track in distinct[offset : offset + limit]]
        body: Json = {"items": page, "limit": limit, "offset": offset, "total": len(distinct)}
        return json_reply(200, {"tracks": body})

    def _albums(self, artist_id: str) -> list[Json] | None:
        tracks = self.catalogue.tracks(artist_id)
        if tracks is None:
            return None
        albums: dict[str, Json] = {}
        for track in tracks:
            album = track["album"]
            assert isinstance(album, dict)
            albums.setdefault(str(album["id"]), album)
        return list(albums.values())

    @cached_property
    def _album_owner(self) -> dict[str, str]:
        owners: dict[str, str] = {}
        for artist in self.catalogue.artists:
            for album in self._albums(artist.artist_id) or []:
                owners.setdefault(str(album["id"]), artist.artist_id)
        return owners

    def _album_tracks(self, album_id: str) -> list[Json] | None:
        owner = self._album_owner.get(album_id)
        if owner is None:
            return None
        tracks = self.catalogue.tracks(owner) or []
        return [_without(track, ("album",)) for track in tracks if _album_id(track) == album_id]

    def _paged(self, entries: Sequence[Json] | None, query: Mapping[str, str]) -> Reply:
        if entries is None:
            return api_error(404, "non existing id")
        window = self._window(query)
        if window is None:
            return api_error(400, "Invalid limit")
        offset, limit = window
        page = list(entries[offset : offset + limit])
        return json_reply(200, {"items": page, "limit": limit, "offset": offset, "total": len(entries)})

    def _window(self, query: Mapping[str, str]) -> tuple[int, int] | None:
        highest, default = SEARCH_LIMIT[self.mode]
        try:
            limit, offset = int(query.get("limit", default)), int(query.get("offset", 0))
        except ValueError:
            return None
        return (offset, limit) if 1 <= limit <= highest and 0 <= offset < SEARCH_WINDOW else None

    def _shown(self, track: Json) -> Json:
        if self.mode == "extended":
            return track
        shown = _without(track, DEVELOPMENT_REMOVES["track"])
        album = track.get("album")
        if isinstance(album, dict):
            shown["album"] = _without(album, DEVELOPMENT_REMOVES["album"])
        return shown

    def _admin(self, request: Request) -> Reply:
        match request.method, request.path:
            case "GET", "/sandbox/status":
                return json_reply(200, self._status())
            case "GET", "/sandbox/fault":
                return json_reply(200, {"faults": self.faults.describe()})
            case "POST", "/sandbox/fault":
                return self._set_fault(request.body)
            case "DELETE", "/sandbox/fault":
                self.faults.clear()
                return json_reply(200, {"faults": []})
            case "POST", "/sandbox/mode":
                return self._set_mode(request.body)
        return json_reply(404, {"error": f"no admin route {request.method} {request.path}"})

    def _status(self) -> Json:
        with self._lock:
            counts = dict(self._counts)
        return {
            "service": "dynamo-ops sandbox spotify",
            "token": self.config.token,
            "mode": self.mode,
            "artists": len(self.catalogue.artists),
            "requests": counts,
        }

    def _set_fault(self, body: bytes) -> Reply:
        try:
            wanted = json.loads(body or b"{}")
            fault = self.faults.add(dict(wanted))
        except (ValueError, TypeError) as error:
            return json_reply(400, {"error": str(error)})
        return json_reply(200, fault.describe())

    def _set_mode(self, body: bytes) -> Reply:
        mode = str(json.loads(body or b"{}").get("mode", ""))
        if mode not in SEARCH_LIMIT:
            return json_reply(400, {"error": f"mode is one of {', '.join(SEARCH_LIMIT)}"})
        self.mode = mode
        return json_reply(200, {"mode": mode})


def make_api(config: SpotifyConfig, monotonic: Callable[[], float]) -> Api:
    """The API of one configuration."""
    folder = Path(config.catalogue) if config.catalogue else None
    catalogue = open_catalogue(config.items, config.seed, folder)
    return Api(config, catalogue, monotonic, mode=config.mode)


def _kind(path: str) -> str:
    for kind in ("top-tracks", "search", "albums", "token", "sandbox"):
        if kind in path:
            return kind
    return "artists" if "/artists/" in path else "other"


def _album_id(track: Json) -> str:
    album = track.get("album")
    return str(album["id"]) if isinstance(album, dict) else ""


def _without(entry: Json, names: Sequence[str]) -> Json:
    return {name: value for name, value in entry.items() if name not in names}
