"""Rows become artists, or are kept with a reason."""

from __future__ import annotations

import pytest

from loader.models import Artist, BadArtist, parse_artist, parse_genres

ID = "0tNOvHQbY8pFcVvJzq2aB1"


@pytest.mark.parametrize(
    "given",
    [
        ID,
        f"  {ID} ",
        f"spotify:artist:{ID}",
        f"https://open.spotify.com/artist/{ID}",
        f"https://open.spotify.com/artist/{ID}?si=x",
    ],
)
def test_every_written_form_of_an_id_is_the_same_artist(given: str) -> None:
    assert parse_artist(given, "A", "rock") == Artist(ID, "A", "rock")


@pytest.mark.parametrize("given", ["", None, "short", ID + "x", ID[:-1] + "-", "Q123", "spotify:album:" + ID])
def test_a_malformed_id_is_kept_with_a_reason(given: str | None) -> None:
    found = parse_artist(given, "A", "rock")
    assert isinstance(found, BadArtist)
    assert "22 characters" in found.reason


def test_ids_that_differ_only_in_case_are_two_artists() -> None:
    assert parse_artist(ID, "A", "rock") != parse_artist(ID.swapcase(), "A", "rock")


def test_a_name_with_nul_is_quarantined() -> None:
    assert isinstance(parse_artist(ID, "A\0B", "rock"), BadArtist)


def test_a_decomposed_name_is_stored_composed() -> None:
    found = parse_artist(ID, "Bjo\u0308rk", "pop")
    assert isinstance(found, Artist)
    assert found.name == "Björk"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("  Deep   House ", ("deep house",)),
        ("R&B", ("r&b",)),
        ("", ("unknown",)),
        (None, ("unknown",)),
        ("   ", ("unknown",)),
        (["Rock", "rock", None, "", "Folk"], ("rock", "folk")),
        ([], ("unknown",)),
    ],
)
def test_a_genre_is_one_spelling_and_never_absent(value: object, wanted: tuple[str, ...]) -> None:
    assert parse_genres(value) == wanted
