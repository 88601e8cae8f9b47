"""Rules about tables: history, scaling, attributes, replicas, pointers."""

from collections.abc import Iterator, Sequence
from typing import Any

from infra.rules import MINIMUM_PITR_DAYS, PARAMETER, POLICY, REPLICA, TABLE, TARGET, Found, Resource, of_type
from infra.schema import TARGET_PERCENT


def time_travel(resources: Sequence[Resource]) -> Found:
    for table in of_type(resources, TABLE):
        pitr = table.properties.get("pointInTimeRecovery") or {}
        days = pitr.get("recoveryPeriodInDays") or 0
        if not pitr.get("enabled") or days < MINIMUM_PITR_DAYS:
            yield table.name, f"point-in-time recovery covers {days:g} days, not {MINIMUM_PITR_DAYS}"
    for replica in of_type(resources, REPLICA):
        if not replica.properties.get("pointInTimeRecovery"):
            yield replica.name, "point-in-time recovery is off; it is regional and not copied from the table"


def scaled(resources: Sequence[Resource]) -> Found:
    """Two targets and two policies per table and index, in the home Region and in each replica's."""
    regions: dict[str, set[str | None]] = {}
    for replica in of_type(resources, REPLICA):
        replicated = str(replica.properties["globalTableArn"]).rsplit("/", 1)[-1]
        regions.setdefault(replicated, set()).add(replica.properties.get("region"))
    for table in of_type(resources, TABLE):
        if table.properties.get("billingMode") == "PROVISIONED":
            # Declared, only another Region is named; answered by the provider, every one is.
            home = table.properties.get("region")
            yield from _unscaled(
                resources, table, sorted(regions.get(table.properties["name"], set()) | {home}, key=str)
            )


def _unscaled(resources: Sequence[Resource], table: Resource, regions: Sequence[str | None]) -> Found:
    for kind in (TARGET, POLICY):
        held = _scaling(resources, kind)
        for region in regions:
            where = f" in {region}" if region else ""
            for needed in _dimensions(table):
                if (region, *needed) not in held:
                    yield table.name, f"{needed[0]} has no scaling {kind.rsplit(':', 1)[1].lower()}{where}"


def _scaling(resources: Sequence[Resource], kind: str) -> set[tuple[Any, str, str]]:
    return {
        (
            found.properties.get("region"),
            found.properties["resourceId"],
            found.properties["scalableDimension"],
        )
        for found in of_type(resources, kind)
    }


def _dimensions(table: Resource) -> Iterator[tuple[str, str]]:
    name = table.properties["name"]
    scopes = [("table", f"table/{name}")]
    for index in table.properties.get("globalSecondaryIndexes") or []:
        scopes.append(("index", f"table/{name}/index/{index['name']}"))
    for kind, identifier in scopes:
        for units in ("Read", "Write"):
            yield identifier, f"dynamodb:{kind}:{units}CapacityUnits"


def target_utilization(resources: Sequence[Resource]) -> Found:
    for policy in of_type(resources, POLICY):
        tracking = policy.properties.get("targetTrackingScalingPolicyConfiguration") or {}
        if tracking.get("targetValue") != TARGET_PERCENT:
            yield policy.name, f"tracks {tracking.get('targetValue')} %, not {TARGET_PERCENT} %"


def floors(resources: Sequence[Resource]) -> Found:
    """The bounds of scaling hold the capacity: the declared one, or the one that scaling has come to since."""
    held: dict[tuple[str, str], Any] = {}
    for table in of_type(resources, TABLE):
        name = table.properties["name"]
        scopes = [(f"table/{name}", table.properties)]
        scopes += [
            (f"table/{name}/index/{index['name']}", index)
            for index in table.properties.get("globalSecondaryIndexes") or []
        ]
        for identifier, of in scopes:
            held[identifier, "Read"] = of.get("readCapacity")
            held[identifier, "Write"] = of.get("writeCapacity")
    for target in of_type(resources, TARGET):
        units = "Read" if "Read" in target.properties["scalableDimension"] else "Write"
        low, high = target.properties["minCapacity"], target.properties["maxCapacity"]
        capacity = held.get((target.properties["resourceId"], units))
        if capacity is None or not low <= capacity <= high:
            yield target.name, f"scales from {low:g} to {high:g}, the table has {capacity}"


def attributes(resources: Sequence[Resource]) -> Found:
    for table in of_type(resources, TABLE):
        keys = {table.properties.get("hashKey"), table.properties.get("rangeKey")}
        for index in table.properties.get("globalSecondaryIndexes") or []:
            keys |= {key["attributeName"] for key in index.get("keySchemas") or []}
            keys |= {index.get("hashKey"), index.get("rangeKey")}
        keys |= {index["rangeKey"] for index in table.properties.get("localSecondaryIndexes") or []}
        declared = {attribute["name"] for attribute in table.properties["attributes"]}
        if declared != {key for key in keys if key}:
            yield (
                table.name,
                f"declares {sorted(declared)} and uses {sorted(key for key in keys if key)} as keys",
            )


def regions_differ(resources: Sequence[Resource]) -> Found:
    for replica in of_type(resources, REPLICA):
        home = str(replica.properties["globalTableArn"]).split(":")[3]
        if replica.properties.get("region") in (None, home):
            yield replica.name, f"lies in {home}, where its table is"


def parity(resources: Sequence[Resource]) -> Found:
    tables = {table.properties.get("name"): table.properties for table in of_type(resources, TABLE)}
    for replica in of_type(resources, REPLICA):
        held = replica.properties
        table = tables.get(str(held["globalTableArn"]).rsplit("/", 1)[-1], {})
        if (table.get("serverSideEncryption") or {}).get("kmsKeyArn"):
            key = str(held.get("kmsKeyArn") or "no customer key")
            if f":{held.get('region')}:" not in key:
                yield replica.name, f"is encrypted by {key}; its table has a customer key, which every Region needs"
        missing = sorted((table.get("tags") or {}).items() - (held.get("tags") or {}).items())
        if missing:
            yield replica.name, f"lacks the tag {missing[0][0]} of its table"


def pointers(resources: Sequence[Resource]) -> Found:
    for parameter in of_type(resources, PARAMETER):
        if "/tables/" in str(parameter.properties.get("name")):
            yield (
                parameter.name,
                "is the pointer of a table; it belongs to ops, an update would undo a cut-over",
            )
