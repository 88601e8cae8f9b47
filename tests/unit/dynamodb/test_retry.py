"""How often a request is sent, how long it waits, and what becomes of its last failure."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from ops.aws import AwsError
from ops.dynamodb.retry import THROTTLES, UNREACHED, UNUSABLE, Failure, Retrier, RetryPolicy, Tries, classified
from ops.errors import BadResponse, NotAllowed, OpsError, TableNotFound, Throttled, Unreachable
from tests.unit.dynamodb.kit import StillClock
from tests.unit.dynamodb.test_write import Longest

POLICY = RetryPolicy(attempts=6, base_s=0.5, cap_s=3.0, unreached_attempts=3)
SLOW, BROKEN = Failure("ThrottlingException", "slow", 400), Failure("ConnectionBroken", "reset", 0)


def spent_after(*failures: Failure) -> list[bool]:
    tries = Tries()
    return [tries.spent(failure, POLICY) for failure in failures]


def test_a_request_is_sent_as_often_as_the_policy_says() -> None:
    assert spent_after(*[SLOW] * 6) == [False] * 5 + [True]


def test_an_endpoint_that_is_not_reached_is_given_up_sooner() -> None:
    assert spent_after(*[BROKEN] * 3) == [False, False, True]


@pytest.mark.parametrize(("failure", "times"), [(SLOW, 10), (BROKEN, 4)])
def test_without_another_policy_aws_is_asked_ten_times_and_what_cannot_be_reached_four_times(
    failure: Failure, times: int
) -> None:
    tries, policy = Tries(), RetryPolicy()
    assert [tries.spent(failure, policy) for _ in range(times)] == [False] * (times - 1) + [True]


def test_an_answer_between_shows_that_the_endpoint_is_reached() -> None:
    assert spent_after(BROKEN, BROKEN, SLOW, BROKEN, BROKEN) == [False] * 5


def test_what_may_not_be_repeated_is_given_up_at_once() -> None:
    assert spent_after(Failure("ValidationException", "no", 400)) == [True]


# sorted: every worker has to collect the same tests in the same order
@pytest.mark.parametrize("code", sorted(THROTTLES | UNUSABLE | UNREACHED))
def test_what_may_be_repeated(code: str) -> None:
    failure = Failure(code, "x", 400)
    assert failure.repeatable
    assert failure.throttled is (code in THROTTLES)
    assert str(failure) == f"{code}: x"


@pytest.mark.parametrize(("status", "repeatable"), [(499, False), (500, True), (503, True)])
def test_a_failure_of_the_server_may_be_repeated_whatever_its_code(status: int, repeatable: bool) -> None:
    assert Failure("SomethingNew", "", status).repeatable is repeatable


def test_pauses_lie_between_zero_and_a_bound_that_doubles_up_to_a_cap() -> None:
    assert [POLICY.wait_s(number, Longest()) for number in range(1, 6)] == [1.0, 2.0, 3.0, 3.0, 3.0]
    random = Random(2)
    waits = [POLICY.wait_s(2, random) for _ in range(300)]
    assert min(waits) < 0.1
    assert 1.9 < max(waits) <= 2.0


def test_the_first_good_attempt_is_the_value_and_each_failure_before_it_costs_a_pause() -> None:
    clock = StillClock()
    outcomes: Iterator[Failure | str] = iter([SLOW, BROKEN, "value"])

    def attempt() -> str:
        outcome = next(outcomes)
        if isinstance(outcome, Failure):
            raise outcome
        return outcome

    assert Retrier(clock, Longest(), POLICY).run(attempt, "Scan", {"TableName": "t"}) == "value"
    assert clock.slept == [1.0, 2.0]


@pytest.mark.parametrize(
    ("failure", "error", "text"),
    [
        (SLOW, Throttled, "Scan on t was throttled 7 times"),
        (BROKEN, Unreachable, "https://dynamodb.example"),
        (Failure("Timeout", "hang", 0), Unreachable, "https://dynamodb.example"),
        (Failure("CertificateRefused", "self-signed", 0), Unreachable, "https://dynamodb.example"),
        (Failure("Truncated", "cut", 200), BadResponse, "Scan on t had no usable answer in 7 tries"),
        (Failure("InternalServerError", "oops", 500), BadResponse, "Scan on t had no usable answer in 7 tries"),
        (Failure("AccessDeniedException", "no", 400), NotAllowed, "not allowed: dynamodb:Scan on t"),
        (Failure("ResourceNotFoundException", "none", 400), TableNotFound, "table not found: t"),
        (Failure("ValidationException", "no", 400), AwsError, "ValidationException"),
    ],
)
def test_the_last_failure_becomes_an_error_that_says_what_to_do(
    failure: Failure, error: type[OpsError], text: str
) -> None:
    found = classified(failure, 7, "Scan", {"TableName": "t"}, "https://dynamodb.example")
    assert type(found) is error
    assert text in found.what
    assert failure.message in found.why or failure.message in found.what
    with pytest.raises(error):
        Retrier(StillClock(), Longest(), POLICY, "https://dynamodb.example").give_up(
            failure, 7, "Scan", {"TableName": "t"}
        )
