"""The country codes that a market may have.

Spotify removed its list of markets in February 2026 (web-api/references/changes/february-2026), so the
codes found in its earlier answers are kept here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loader.errors import BadLoadRequest


def known_markets() -> frozenset[str]:
    """ISO 3166-1 alpha-2 codes, upper case."""
    lines = Path(__file__).with_name("markets.csv").read_text(encoding="utf-8").split()
    return frozenset(lines[1:])


def check_markets(markets: Sequence[str]) -> tuple[str, ...]:
    """The markets in upper case and without repeats, in the order given; an unknown one is refused."""
    if not markets:
        raise BadLoadRequest("no market given", hint="give at least one: --market SE --market US")
    known = known_markets()
    chosen = tuple(dict.fromkeys(market.strip().upper() for market in markets))
    unknown = [market for market in chosen if market not in known]
    if unknown:
        raise BadLoadRequest(
            f"unknown market {', '.join(unknown)}",
            hint="a market is a two-letter country code such as SE, US or JP",
        )
    return chosen
