"""Good traffic and the faults, planned from a seed. Pure: the plan is the same for the same seed and the same keys."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from random import Random

from ops.drill.ledger import Planned, key_token
from ops.model.items import AttributeValue, Item, KeySchema, key_of

#: Seconds without any write before and after a restorable second: restores cut at whole seconds.
QUIET_S = 2.0
#: BatchWriteItem takes 25: docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
BATCH = 25
#: A number with all 38 digits that DynamoDB keeps, and values of every other type.
_EVERY_TYPE: Mapping[str, AttributeValue] = {
    "drill_number": {"N": "12345678901234567890123456789012345678"},
    "drill_fraction": {"N": "-0.000000000000000000012345678901234567891"},
    "drill_binary": {"B": "AP8="},
    "drill_empty": {"S": ""},
    "drill_null": {"NULL": True},
    "drill_flag": {"BOOL": False},
    "drill_texts": {"SS": ["DE", "SE", "US"]},
    "drill_numbers": {"NS": ["-1", "0", "3.5"]},
    "drill_binaries": {"BS": ["AA==", "AQ=="]},
    "drill_list": {"L": [{"S": ""}, {"NULL": True}, {"N": "1"}]},
    "drill_map": {"M": {"a": {"M": {"b": {"M": {"c": {"M": {"deep": {"S": "four maps down"}}}}}}}}},
}


def new_key(template: Item, schema: KeySchema, number: int, random: Random) -> Item:
    """A key of the table's types that is not in use: derived from an existing one where it is text."""
    name = schema.sort or schema.partition
    kind = schema.types[name]
    key = key_of(template, schema)
    tail = f"{number:04d}-{random.getrandbits(48):012x}"
    if kind == "N":
        key[name] = {"N": str(10**30 + random.getrandbits(80))}
    elif kind == "B":
        key[name] = {"B": base64.b64encode(f"drill-{tail}".encode()).decode()}
    else:
        key[name] = {"S": f"drill-{tail}"}
    return key


def every_type_item(template: Item, schema: KeySchema, index_keys: Sequence[str], random: Random) -> Item:
    """An item with values of every DynamoDB type, so that the proof and its controls meet all of them."""
    indexed = {name: template[name] for name in index_keys if name in template}
    return {**_EVERY_TYPE, **indexed, **new_key(template, schema, 0, random)}


def plan_traffic(
    items: Sequence[Item], schema: KeySchema, index_keys: Sequence[str], count: int, random: Random
) -> list[Planned]:
    """`count` good writes: about a third new items, half updates, the rest deletes; each key once.

    The first write is the item with every type. An empty table gets new items only.
    """
    if not items:
        template: Item = {name: {kind: "0" if kind == "N" else "drill"} for name, kind in schema.types.items()}
    else:
        template = random.choice(items)
    special = every_type_item(template, schema, index_keys, random)
    planned = [Planned("insert", key_of(special, schema), special)]
    chosen = random.sample(items, min(len(items), max(0, count - 1)))
    for number in range(1, count):
        part = random.random()
        if part < 0.35 or not chosen:
            origin = random.choice(items) if items else template
            key = new_key(origin, schema, number, random)
            planned.append(Planned("insert", key, {**origin, **key, "drill_write": {"N": str(number)}}))
            continue
        item = chosen.pop()
        if part < 0.85:
            planned.append(Planned("update", key_of(item, schema), {**item, "drill_write": {"N": str(number)}}))
        else:
            planned.append(Planned("delete", key_of(item, schema), None))
    return planned


def keys_now(items: Sequence[Item], schema: KeySchema, traffic: Sequence[Planned]) -> list[Item]:
    """Keys in the table after the traffic, in a stable order."""
    keys = {key_token(key): key for key in (key_of(item, schema) for item in items)}
    for one in traffic:
        if one.item is None:
            keys.pop(key_token(one.key), None)
        else:
            keys[key_token(one.key)] = one.key
    return [keys[token] for token in sorted(keys)]


def plan_deletes(keys: Sequence[Item], share: float, random: Random) -> list[Planned]:
    """The planted fault: delete `share` of the keys, in random order."""
    victims = random.sample(list(keys), round(len(keys) * share))
    return [Planned("delete", key, None, fault=True) for key in victims]


def waves(planned: Sequence[Planned], seconds: float, longest_s: float = 4.5) -> tuple[list[list[Planned]], float]:
    """The fault in waves of equal size, and the pause between them, so that it lasts about `seconds`."""
    count = max(1, min(len(planned), round(seconds / longest_s)))
    size = -(-len(planned) // count) if planned else 1
    parts = [list(planned[start : start + size]) for start in range(0, len(planned), size)]
    return parts, seconds / max(1, len(parts))


def batches(planned: Sequence[Planned]) -> list[list[Planned]]:
    """Parts that one BatchWriteItem takes."""
    return [list(planned[start : start + BATCH]) for start in range(0, len(planned), BATCH)]


def canary_keys(keys: Sequence[Item], random: Random, count: int = 20) -> list[Item]:
    """Keys that a detector reads again and again."""
    return random.sample(list(keys), min(count, len(keys)))
