"""The plan of re-applying settings, held against a pure model of what its calls do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from infra.environment import IndexDocument, KeyAttribute, ReplicaContract, ScalingRule
from ops.recovery.planning import Change, plan
from ops.recovery.settings import CapacitySetting, TableSettings, differences, flatten, from_json, to_json

GENRE = IndexDocument("genre_index", KeyAttribute("genre"))
YEAR = IndexDocument("table", KeyAttribute("year", "N"), KeyAttribute("genre"), "INCLUDE", ("title",))
VIEWS = st.sampled_from(["NEW_AND_OLD_IMAGES", "KEYS_ONLY"])
NAMES = st.sampled_from(["owner", "table", "ops:run", "team"])


@st.composite
def settings(draw: st.DrawFn, *, indexes: tuple[IndexDocument, ...] | None = None) -> TableSettings:
    """Settings as AWS could report them: capacity and scaling only of what exists and is provisioned."""
    mode = draw(st.sampled_from(["PROVISIONED", "PAY_PER_REQUEST"]))
    if indexes is None:
        indexes = tuple(draw(st.sets(st.sampled_from([GENRE, YEAR]))))
    scopes = [None, *(index.name for index in indexes)]
    units = st.integers(1, 100)
    capacity: list[CapacitySetting] = []
    rules: list[ScalingRule] = []
    if mode == "PROVISIONED":
        capacity = [CapacitySetting(scope, read=draw(units), write=draw(units)) for scope in scopes]
        places = st.tuples(st.sampled_from(scopes), st.sampled_from(["read", "write"]))
        for scope, dimension in sorted(draw(st.sets(places)), key=str):
            rules.append(
                ScalingRule(
                    index=scope, dimension=dimension, minimum=draw(units), maximum=100,  # type: ignore[arg-type]
                    target_percent=draw(st.integers(20, 90)),
                )
            )  # fmt: skip
    regions = draw(st.sets(st.sampled_from(["us-west-2", "eu-west-1"])))
    replicas = [ReplicaContract(region, draw(st.booleans()), draw(st.booleans())) for region in sorted(regions)]
    return TableSettings(
        billing_mode=mode,
        indexes=indexes,
        capacity=tuple(capacity),
        pitr_days=draw(st.none() | st.integers(1, 35)),
        ttl_attribute=draw(st.none() | st.just("expires_at")),
        stream_view=draw(st.none() | VIEWS),
        table_class=draw(st.sampled_from(["STANDARD", "STANDARD_INFREQUENT_ACCESS"])),
        deletion_protection=draw(st.booleans()),
        tags=draw(st.dictionaries(NAMES, st.sampled_from(["a", "b"]))),
        scaling=tuple(rules),
        replicas=tuple(replicas),
    )


def applied(found: TableSettings, change: Change) -> TableSettings:
    """What AWS would show after this call."""
    return MODEL[change.operation](found, change)


def _update_table(found: TableSettings, change: Change) -> TableSettings:
    params = change.params
    if change.region is not None:
        return _replica(found, change.region, deletion_protection=True)
    if "BillingMode" in params:
        if params["BillingMode"] == "PAY_PER_REQUEST":
            return found.but(billing_mode="PAY_PER_REQUEST", capacity=())
        capacity = [_capacity(None, params["ProvisionedThroughput"])]
        capacity += [_updated(one["Update"]) for one in params.get("GlobalSecondaryIndexUpdates", ())]
        return found.but(billing_mode="PROVISIONED", capacity=tuple(capacity))
    if "ReplicaUpdates" in params:
        (update,) = params["ReplicaUpdates"]
        assert set(params) == {"ReplicaUpdates"}, "replica updates stand alone"
        return found.but(replicas=(*found.replicas, ReplicaContract(update["Create"]["RegionName"], False, False)))
    if "GlobalSecondaryIndexUpdates" in params:
        return _index_update(found, params)
    if "ProvisionedThroughput" in params:
        return _with_capacity(found, _capacity(None, params["ProvisionedThroughput"]))
    if "StreamSpecification" in params:
        return found.but(stream_view=params["StreamSpecification"]["StreamViewType"])
    if "TableClass" in params:
        return found.but(table_class=params["TableClass"])
    assert params == {"DeletionProtectionEnabled": True}
    return found.but(deletion_protection=True)


def _index_update(found: TableSettings, params: dict[str, Any]) -> TableSettings:
    (update,) = params["GlobalSecondaryIndexUpdates"]
    if "Update" in update:
        return _with_capacity(found, _updated(update["Update"]))
    create = update["Create"]
    types = {one["AttributeName"]: one["AttributeType"] for one in params["AttributeDefinitions"]}
    keys = {
        one["KeyType"]: KeyAttribute(one["AttributeName"], types[one["AttributeName"]]) for one in create["KeySchema"]
    }
    projection = create["Projection"]
    made = IndexDocument(
        create["IndexName"], keys["HASH"], keys.get("RANGE"), projection["ProjectionType"],
        tuple(projection.get("NonKeyAttributes", ())),
    )  # fmt: skip
    grown = found.but(indexes=(*found.indexes, made))
    assert ("ProvisionedThroughput" in create) == (found.billing_mode == "PROVISIONED")
    if "ProvisionedThroughput" in create:
        return _with_capacity(grown, _capacity(made.name, create["ProvisionedThroughput"]))
    return grown


def _updated(update: dict[str, Any]) -> CapacitySetting:
    return _capacity(update["IndexName"], update["ProvisionedThroughput"])


def _capacity(index: str | None, throughput: dict[str, int]) -> CapacitySetting:
    return CapacitySetting(index, read=throughput["ReadCapacityUnits"], write=throughput["WriteCapacityUnits"])


def _with_capacity(found: TableSettings, one: CapacitySetting) -> TableSettings:
    return found.but(capacity=(*(other for other in found.capacity if other.index != one.index), one))


def _replica(found: TableSettings, region: str, **changed: bool) -> TableSettings:
    (old,) = (replica for replica in found.replicas if replica.region == region)
    new = ReplicaContract(
        region, changed.get("pitr", old.pitr), changed.get("deletion_protection", old.deletion_protection)
    )
    return found.but(replicas=(*(replica for replica in found.replicas if replica.region != region), new))


def _continuous_backups(found: TableSettings, change: Change) -> TableSettings:
    wanted = change.params["PointInTimeRecoverySpecification"]
    assert wanted["PointInTimeRecoveryEnabled"] is True
    if change.region is not None:
        return _replica(found, change.region, pitr=True)
    return found.but(pitr_days=wanted["RecoveryPeriodInDays"])


def _tag(found: TableSettings, change: Change) -> TableSettings:
    if change.region is not None:
        return found
    return found.but(tags={**found.tags, **{one["Key"]: one["Value"] for one in change.params["Tags"]}})


def _scaling_place(change: Change) -> tuple[str | None, str]:
    index = change.params["ResourceId"].partition("/index/")[2] or None
    return index, "read" if "Read" in change.params["ScalableDimension"] else "write"


def _register(found: TableSettings, change: Change) -> TableSettings:
    """A target alone scales nothing; the rule is complete with its policy."""
    index, dimension = _scaling_place(change)
    rest = tuple(rule for rule in found.scaling if (rule.index, rule.dimension) != (index, dimension))
    low, high = change.params["MinCapacity"], change.params["MaxCapacity"]
    draft = ScalingRule(index=index, dimension=dimension, minimum=low, maximum=high, target_percent=0)  # type: ignore[arg-type]
    return found.but(scaling=(*rest, draft))


def _policy(found: TableSettings, change: Change) -> TableSettings:
    place = _scaling_place(change)
    (old,) = (rule for rule in found.scaling if (rule.index, rule.dimension) == place)
    tracking = change.params["TargetTrackingScalingPolicyConfiguration"]
    new = ScalingRule(
        index=old.index, dimension=old.dimension, minimum=old.minimum, maximum=old.maximum,
        target_percent=int(tracking["TargetValue"]), scale_in_cooldown_s=tracking["ScaleInCooldown"],
        scale_out_cooldown_s=tracking["ScaleOutCooldown"],
    )  # fmt: skip
    return found.but(scaling=(*(rule for rule in found.scaling if rule is not old), new))


MODEL: dict[str, Callable[[TableSettings, Change], TableSettings]] = {
    "update_table": _update_table,
    "update_continuous_backups": _continuous_backups,
    "update_time_to_live": lambda found, change: found.but(
        ttl_attribute=change.params["TimeToLiveSpecification"]["AttributeName"]
    ),
    "tag_resource": _tag,
    "register_scalable_target": _register,
    "put_scaling_policy": _policy,
}


def all_applied(found: TableSettings, wanted: TableSettings) -> TableSettings:
    for change in plan(found, wanted):
        found = applied(found, change)
    return found


@given(settings(), settings())
def test_after_a_plan_nothing_is_left_to_plan(current: TableSettings, wanted: TableSettings) -> None:
    assert plan(all_applied(current, wanted), wanted) == ()


@given(settings(), settings())
def test_only_what_may_not_be_removed_still_differs(current: TableSettings, wanted: TableSettings) -> None:
    """Extra things stay, and so do a stream of another view and an index of another shape."""
    for one in differences(wanted, all_applied(current, wanted)):
        removal = one.wanted in ("off", "none")
        extra_safety = one.setting.startswith("replicas.") and "off" in one.wanted
        other_stream = one.setting == "stream" and current.stream_view is not None
        assert removal or extra_safety or other_stream, one


@given(settings())
def test_a_table_that_is_as_wanted_needs_nothing(wanted: TableSettings) -> None:
    assert plan(wanted, wanted) == ()
    assert differences(wanted, wanted) == ()


@given(settings(indexes=(GENRE,)))
def test_a_freshly_restored_table_gets_everything_back(wanted: TableSettings) -> None:
    """A restore keeps items, indexes, billing and capacity, and drops the rest."""
    bare = TableSettings(billing_mode=wanted.billing_mode, indexes=wanted.indexes, capacity=wanted.capacity)
    assert differences(wanted, all_applied(bare, wanted)) == ()


@given(settings(), settings())
def test_nothing_is_ever_taken_away(current: TableSettings, wanted: TableSettings) -> None:
    after = all_applied(current, wanted)
    assert set(current.tags) <= set(after.tags)
    assert {index.name for index in current.indexes} <= {index.name for index in after.indexes}
    assert {one.region for one in current.replicas} <= {one.region for one in after.replicas}
    places = {(rule.index, rule.dimension) for rule in current.scaling}
    assert places <= {(rule.index, rule.dimension) for rule in after.scaling}
    for name in ("pitr_days", "ttl_attribute", "stream_view"):
        assert getattr(current, name) is None or getattr(after, name) is not None
    assert after.deletion_protection >= current.deletion_protection


@given(settings(), settings())
def test_the_order_is_the_one_that_aws_takes(current: TableSettings, wanted: TableSettings) -> None:
    changes = plan(current, wanted)
    stages = [change.stage for change in changes]
    assert stages == sorted(stages, reverse=True), "everything before the proof comes first"
    side_effects = {"stream", "ttl", "replicas"}
    assert {change.setting.split(".")[0] for change in changes if change.stage == "after_proof"} <= side_effects
    names = [change.setting for change in changes]
    scaled = [at for at, name in enumerate(names) if name.startswith("scaling.")]
    replicated = [at for at, name in enumerate(names) if name.startswith("replicas.")]
    assert not scaled or not replicated or max(scaled) < min(replicated)
    if "pitr" in names:
        assert names.index("pitr") == 0


@given(settings(), settings())
def test_no_change_carries_an_empty_structure(current: TableSettings, wanted: TableSettings) -> None:
    for change in plan(current, wanted):
        assert change.params
        assert all(value not in ({}, []) for value in change.params.values())


@given(settings())
def test_a_snapshot_reads_back_as_it_was(found: TableSettings) -> None:
    assert from_json(to_json(found)) == found


@given(settings(), st.sampled_from(["scaling", "tags", "sse", "capacity"]))
def test_what_is_not_stated_is_never_a_difference(found: TableSettings, facet: str) -> None:
    wanted = found.but(unknown={facet: "not in the contract"}, tags={}, scaling=(), capacity=(), sse="")
    names = {one.setting.split(".")[0] for one in differences(wanted, found)}
    assert facet not in names
    assert flatten(wanted)[facet] == "not in the contract"
