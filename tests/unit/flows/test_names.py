"""Names and addresses that flows make or read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.errors import BadArgument
from ops.flows.backing_up import NAME_TEMPLATE, backup_name
from ops.flows.s3 import Address
from ops.flows.verifying import is_export

NOW = datetime(2026, 11, 20, 10, 2, 16, tzinfo=UTC)


def test_a_backup_is_named_after_table_time_and_run() -> None:
    assert backup_name(NAME_TEMPLATE, "top_tracks", NOW, "wxyz1234") == "top_tracks-20261120T100216Z-wxyz1234"


@given(st.from_regex(r"[A-Za-z0-9_.-]{1,200}", fullmatch=True), st.from_regex(r"[0-9a-z]{8}", fullmatch=True))
def test_whatever_the_template_the_run_is_in_the_name(template: str, run: str) -> None:
    assert run in backup_name(template, "top_tracks", NOW, run)


@pytest.mark.parametrize(
    "template", ["{nonsense}", "{0}", "a b", "{logical", "x" * 300, "ä{run8}", "{logical.x}", "{logical[x]}"]
)
def test_a_template_that_gives_no_backup_name_is_refused(template: str) -> None:
    with pytest.raises(BadArgument):
        backup_name(template, "top_tracks", NOW, "wxyz1234")


@pytest.mark.parametrize("text", ["", "s3://", "s3:///key", "https://b/k", "b/k"])
def test_what_is_no_s3_address_is_refused(text: str) -> None:
    with pytest.raises(BadArgument):
        Address.parse(text)


@given(st.from_regex(r"[a-z0-9]{3,20}", fullmatch=True), st.from_regex(r"[a-z0-9/]{0,40}", fullmatch=True))
def test_an_address_is_printed_as_it_was_read(bucket: str, key: str) -> None:
    assert str(Address.parse(f"s3://{bucket}/{key}")) == f"s3://{bucket}/{key}"


def test_below_an_address_there_is_exactly_one_slash() -> None:
    assert str(Address("b", "p/").below("x")) == str(Address("b", "p").below("x")) == "s3://b/p/x"
    assert str(Address("b", "").below("x")) == "s3://b/x"


def test_a_seal_is_not_taken_for_an_export() -> None:
    assert is_export("s3://b/p/AWSDynamoDB/1/manifest-summary.json")
    assert not is_export("s3://b/p/seals/t/n/seal.json")
    assert not is_export("top_tracks")
