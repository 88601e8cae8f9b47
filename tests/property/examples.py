"""How many examples a property test tries."""

from __future__ import annotations

import os


def examples(count: int) -> int:
    """As many as given; mutation testing, which runs a test hundreds of times, asks for fewer."""
    return max(10, count // int(os.environ.get("FEWER_EXAMPLES", "1")))
