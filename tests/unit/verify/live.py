"""A table that others write to while it is compared, for the tests of second looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ops.model.items import Item, KeySchema
from ops.model.proof import SideInfo
from ops.verify.fingerprint import Record, recorder

KEYS = KeySchema("pk")


def some_items(count: int) -> list[Item]:
    return [{"pk": {"S": f"k{number}"}, "n": {"N": str(number)}} for number in range(count)]


@dataclass(frozen=True)
class Live:
    """It holds `before` when it is scanned, `after` at the second look; `asked` are the numbers of keys looked up."""

    before: list[Item]
    after: list[Item]
    asked: list[int] = field(default_factory=list)
    live: bool = True

    @property
    def info(self) -> SideInfo:
        return SideInfo("table", "live")

    def records(self) -> Iterator[Record]:
        return map(recorder(KEYS, ttl="expires"), self.before)

    def declared(self) -> int | None:
        return len(self.before)

    def items_for(self, keys: Mapping[bytes, Item | None]) -> dict[bytes, Item]:
        self.asked.append(len(keys))
        record = recorder(KEYS)
        return {record(item).key: item for item in self.after if record(item).key in keys}
