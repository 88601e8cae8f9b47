"""The environment document survives JSON unchanged and names what is wrong with a broken one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.environment import (
    EnvironmentDocument,
    KeyAttribute,
    Objectives,
    RecoveryContract,
    ReplicaContract,
    ScalingRule,
    TableDocument,
    contract_path,
    join,
    moved_contracts,
    parameter_path,
    pointer_path,
    split,
)

st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))


def documents() -> st.SearchStrategy[EnvironmentDocument]:
    tables = st.lists(st.from_type(TableDocument), max_size=3)
    return st.builds(
        EnvironmentDocument,
        schema=st.just("ops.environment/1"),
        tables=tables.map(lambda found: {table.logical: table for table in found}),
    )


def example() -> EnvironmentDocument:
    table = TableDocument(
        logical="top_tracks",
        physical="top_tracks",
        arn="arn:aws:dynamodb:us-east-1:123456789012:table/top_tracks",
        region="us-east-1",
        partition_key=KeyAttribute("artist_id"),
        sort_key=KeyAttribute("id"),
        contract=RecoveryContract(
            billing_mode="PROVISIONED",
            read_capacity=5,
            write_capacity=5,
            scaling=(ScalingRule(dimension="read", minimum=5, maximum=100),),
            replicas=(ReplicaContract("us-west-2"),),
        ),
        objectives=Objectives(rto_s=3600.0, rpo_s=300.0, max_lost_items=0),
    )
    return EnvironmentDocument(
        project="dynamo-ops",
        stack="dev",
        account="123456789012",
        region="us-east-1",
        environment_class="development",
        tables={"top_tracks": table},
        export_bucket="bucket",
    )


@given(documents())
def test_a_document_read_back_from_its_json_is_equal(document: EnvironmentDocument) -> None:
    assert EnvironmentDocument.from_json(document.to_json()) == document


@given(documents())
def test_members_this_version_does_not_know_are_ignored(document: EnvironmentDocument) -> None:
    data = {**document.to_data(), "added_later": {"x": 1}}
    assert EnvironmentDocument.from_json(json.dumps(data)) == document


@pytest.mark.parametrize(
    ("path", "named"),
    [
        (("account",), "EnvironmentDocument.account"),
        (("tables", "top_tracks", "partition_key"), "tables.top_tracks.partition_key"),
        (("tables", "top_tracks", "contract", "billing_mode"), "contract.billing_mode"),
        (("tables", "top_tracks", "objectives", "rto_s"), "objectives.rto_s"),
    ],
)
def test_a_missing_required_member_is_named(path: tuple[str, ...], named: str) -> None:
    data: Any = example().to_data()
    node = data
    for part in path[:-1]:
        node = node[part]
    del node[path[-1]]
    with pytest.raises(ValueError, match=named):
        EnvironmentDocument.from_json(data)


@pytest.mark.parametrize(
    ("member", "value"),
    [("account", 7), ("environment_class", "staging"), ("replica_regions", "us-west-2"), ("tables", [])],
)
def test_a_mistyped_member_is_named(member: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"EnvironmentDocument\.{member}"):
        EnvironmentDocument.from_json({**example().to_data(), member: value})


def test_a_document_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match=r"ops\.environment/2"):
        EnvironmentDocument.from_json({**example().to_data(), "schema": "ops.environment/2"})


def test_text_that_is_not_json_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON"):
        EnvironmentDocument.from_json("half{")


def test_members_without_a_value_take_no_room() -> None:
    assert "null" not in example().to_json()


def test_a_table_under_the_wrong_logical_name_is_refused() -> None:
    data = example().to_data()
    data["tables"] = {"other": data["tables"]["top_tracks"]}
    with pytest.raises(ValueError, match="other"):
        EnvironmentDocument.from_json(data)


def test_paths_in_the_parameter_store() -> None:
    assert parameter_path("dynamo-ops", "dev") == "/dynamo-ops/dev/environment"
    assert pointer_path("dynamo-ops", "dev", "top_tracks") == "/dynamo-ops/dev/tables/top_tracks"


@given(documents())
def test_a_split_document_joined_again_is_equal(document: EnvironmentDocument) -> None:
    text, contracts = split(document)
    assert set(moved_contracts(text)) == set(document.tables) == set(contracts)
    assert join(text, contracts) == document


@given(documents())
def test_a_document_that_was_not_split_joins_to_itself(document: EnvironmentDocument) -> None:
    assert moved_contracts(document.to_json()) == ()
    assert join(document.to_json(), {}) == document


def test_a_contract_of_another_time_is_refused() -> None:
    text, contracts = split(example())
    other = contracts["top_tracks"].replace("100", "200")
    with pytest.raises(ValueError, match=r"top_tracks\.contract: .* another SHA-256"):
        join(text, {"top_tracks": other})


def test_a_contract_that_is_not_there_is_named() -> None:
    text, _ = split(example())
    with pytest.raises(ValueError, match=r"top_tracks\.contract: its parameter is missing"):
        join(text, {})
    assert contract_path("dynamo-ops", "dev", "top_tracks") == "/dynamo-ops/dev/contract/top_tracks"
