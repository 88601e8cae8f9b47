"""Items as DynamoDB JSON, and the key schema that names them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: One attribute in DynamoDB JSON: exactly one member, type tag to value, e.g. ``{"N": "71"}``.
AttributeValue = dict[str, Any]
#: An item in DynamoDB JSON: attribute name to attribute value.
Item = dict[str, AttributeValue]


@dataclass(frozen=True, slots=True)
class KeySchema:
    """Names and types (`S`, `N`, `B`) of the key attributes of a table or an index."""

    partition: str
    partition_type: str = "S"
    sort: str | None = None
    sort_type: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Key attribute names, partition key first."""
        return (self.partition,) if self.sort is None else (self.partition, self.sort)

    @property
    def types(self) -> dict[str, str]:
        """Key attribute name to type."""
        found = {self.partition: self.partition_type}
        if self.sort is not None:
            found[self.sort] = self.sort_type or "S"
        return found


def key_of(item: Item, schema: KeySchema) -> Item:
    """The key attributes of `item`; KeyError names a missing one."""
    return {name: item[name] for name in schema.names}


def key_text(key: Item) -> str:
    """A key for a reader: the values joined by a slash, e.g. `a000017/t00001201`."""
    return "/".join(str(next(iter(value.values()))) for value in key.values())
