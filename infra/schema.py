"""The shape of the declared tables: keys, indexes and attribute names, as plain data.

A table is an entry here or in the stack configuration, never code: `TOP_TRACKS` is the default, and a
second logical table (keys of its own, indexes of its own) needs no change of the program.
"""

from dataclasses import dataclass
from typing import Literal

PROJECT = "dynamo-ops"
SANDBOX_STACK = "sandbox"

#: What a passed drill publishes, and the alarm on the age of the newest proof reads.
PROOF_NAMESPACE = "dynamo-ops"
PROOF_METRIC = "RestoreProven"

AttributeType = Literal["S", "N", "B"]
Projection = Literal["ALL", "KEYS_ONLY", "INCLUDE"]


@dataclass(frozen=True, slots=True)
class Attribute:
    """A key attribute and its DynamoDB type."""

    name: str
    type: AttributeType = "S"


@dataclass(frozen=True, slots=True)
class IndexSchema:
    """A global secondary index: its keys and what it projects."""

    name: str
    partition_key: Attribute
    sort_key: Attribute | None = None
    projection: Projection = "ALL"
    include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LocalIndexSchema:
    """A local secondary index: the table's partition key with another sort key, fixed at the table's creation."""

    name: str
    sort_key: Attribute
    projection: Projection = "ALL"
    include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A logical table: its keys, its secondary indexes and its time-to-live attribute."""

    logical: str
    partition_key: Attribute
    sort_key: Attribute | None = None
    indexes: tuple[IndexSchema, ...] = ()
    ttl_attribute: str | None = None
    local_indexes: tuple[LocalIndexSchema, ...] = ()

    def key_attributes(self) -> tuple[Attribute, ...]:
        """Every attribute used by a key of the table or of an index, once, in order of appearance.

        DynamoDB accepts no other attribute definition: an unused one is a difference on every preview.
        """
        found: dict[str, Attribute] = {}
        keys = [self.partition_key, self.sort_key]
        for index in self.indexes:
            keys += [index.partition_key, index.sort_key]
        keys += [index.sort_key for index in self.local_indexes]
        for attribute in filter(None, keys):
            known = found.setdefault(attribute.name, attribute)
            if known.type != attribute.type:
                raise ValueError(
                    f"table {self.logical}: attribute {attribute.name} is {known.type} in one key "
                    f"and {attribute.type} in another"
                )
        return tuple(found.values())


TABLE = "top_tracks"
PARTITION_KEY = "artist_id"
SORT_KEY = "id"
GENRE = "genre"
GENRE_INDEX = "genre_index"
TTL_ATTRIBUTE = "expires_at"

TOP_TRACKS = TableSchema(
    logical=TABLE,
    partition_key=Attribute(PARTITION_KEY),
    sort_key=Attribute(SORT_KEY),
    indexes=(IndexSchema(name=GENRE_INDEX, partition_key=Attribute(GENRE)),),
    ttl_attribute=TTL_ATTRIBUTE,
)

ARTISTS_TABLE = "artists"
DATABASE_NAME = "music"
DATABASE_USERNAME = "music_admin"
EXPORT_PREFIX = "exports"

READ_CAPACITY = 5
WRITE_CAPACITY = 5
MAXIMUM_CAPACITY = 100
TARGET_PERCENT = 70
SCALE_IN_COOLDOWN_S = 60
SCALE_OUT_COOLDOWN_S = 60
PITR_DAYS = 35
