"""`--sample 3/7` and `--sample 10%`: which files of an export are read, and only when that was asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil
from random import Random

from ops.errors import BadArgument

_SHARE = re.compile(r"([0-9]{1,6})/([0-9]{1,6})", re.ASCII)
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)%", re.ASCII)


@dataclass(frozen=True, slots=True)
class Sample:
    """Either the `part`-th of `parts` parts, which together are everything, or some percent, chosen at random."""

    text: str
    part: int = 0
    parts: int = 0
    percent: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Sample:
        """BadArgument for what is no sample."""
        share, percent = _SHARE.fullmatch(text), _PERCENT.fullmatch(text)
        if share is not None and 1 <= int(share[1]) <= int(share[2]):
            return cls(text, part=int(share[1]), parts=int(share[2]))
        if percent is not None and 0 < float(percent[1]) <= 100:
            return cls(text, percent=float(percent[1]))
        raise BadArgument(f"--sample {text} is no sample", fix=("write --sample 3/7, or --sample 10%",))

    def places(self, count: int, random: Random) -> frozenset[int]:
        """Places (from 0) among `count` files; at least one where there is any, except in a part without a file."""
        if self.parts:
            return frozenset(range(self.part - 1, count, self.parts))
        return frozenset(random.sample(range(count), ceil(count * self.percent / 100)))
