"""The end of every bulk write: the sum is checked, and an error says what was written before it."""

from __future__ import annotations

import pytest

from ops.dynamodb.accounting import WriteCounts, accounted
from ops.errors import AccountingMismatch, Throttled


def test_a_write_whose_counts_do_not_add_up_is_no_success() -> None:
    given_up: list[str] = []
    counts = WriteCounts(read=5, written=1, unchanged=1, duplicates=1, rejected=1)
    with pytest.raises(AccountingMismatch) as caught, accounted(counts, "t", lambda: given_up.append("now")):
        pass
    assert caught.value.what == "5 items were read, but 4 are accounted for"
    assert caught.value.why == "written 1, unchanged 1, duplicates 1, rejected 1"
    assert caught.value.changed == "1 items were written"
    assert given_up == []
    with accounted(WriteCounts(read=4, written=1, unchanged=1, duplicates=1, rejected=1), "t", lambda: None):
        pass


def test_an_error_says_what_was_written_after_what_was_on_its_way_has_ended() -> None:
    counts = WriteCounts(read=9)

    def give_up() -> None:
        counts.written += 3

    with pytest.raises(Throttled) as caught, accounted(counts, "t", give_up):
        counts.written += 1
        raise Throttled("slow down")
    assert caught.value.changed == "4 items were written to t before"


def test_an_error_of_the_program_is_raised_as_it_is() -> None:
    counts = WriteCounts()
    with pytest.raises(ZeroDivisionError), accounted(counts, "t", lambda: None):
        raise ZeroDivisionError
