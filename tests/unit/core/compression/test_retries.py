"""Repetitions: by class, within limits, after a delay that is the same for everybody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compression_contract.exitcodes import ExitClass
from compression_operator.api.compressionjob.run import RetryDelay, RunPolicy
from compression_operator.core.compression.retries import (
    Attempts,
    Ending,
    GiveUp,
    Retry,
    Unmet,
    after_failure,
    delay,
)
from compression_operator.core.outcomes import Failed

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
POLICY = RunPolicy(backoff_limit=2, infra_retry_limit=3)


def after(kind, attempts=None):
    return after_failure(Failed(kind, "Why", "because"), attempts or Attempts(), POLICY, "uid/ptq", NOW)


@pytest.mark.parametrize(
    ("kind", "before", "expected"),
    [
        (ExitClass.RETRYABLE, Attempts(), Attempts(1, 0)),
        (ExitClass.RETRYABLE, Attempts(1, 3), Attempts(2, 3)),
        (ExitClass.DISRUPTION, Attempts(2, 0), Attempts(2, 1)),
        (ExitClass.CHILD_LOST, Attempts(2, 2), Attempts(2, 3)),
    ],
)
def test_a_passing_trouble_is_charged_to_whose_fault_it_is(kind, before, expected):
    verdict = after(kind, before)
    assert isinstance(verdict, Retry)
    assert verdict.attempts == expected
    assert verdict.at > NOW


@pytest.mark.parametrize(
    ("kind", "before", "ending"),
    [
        (ExitClass.RETRYABLE, Attempts(2, 0), Ending.RETRIES_EXHAUSTED),
        (ExitClass.DISRUPTION, Attempts(0, 3), Ending.RETRIES_EXHAUSTED),
        (ExitClass.CHILD_LOST, Attempts(0, 3), Ending.RETRIES_EXHAUSTED),
        (ExitClass.PERMANENT, Attempts(), Ending.STEP_FAILED),
        (ExitClass.OUT_OF_MEMORY, Attempts(), Ending.STEP_FAILED),
        (ExitClass.NEVER_STARTED, Attempts(), Ending.START_DEADLINE_EXCEEDED),
    ],
)
def test_a_lasting_trouble_or_a_used_up_limit_is_the_end(kind, before, ending):
    verdict = after(kind, before)
    assert isinstance(verdict, GiveUp)
    assert verdict.ending is ending
    assert "because" in verdict.message


def test_divergence_is_the_plans_affair():
    assert after(ExitClass.UNMET) == Unmet("because")


@given(st.integers(1, 200), st.text(max_size=40))
def test_the_delay_doubles_within_its_cap_and_keeps_to_its_upper_half(number, seed):
    policy = RetryDelay(base=timedelta(seconds=10), max=timedelta(minutes=10))
    longest = min(10 * 2 ** (number - 1), 600)
    seconds = delay(policy, number, seed).total_seconds()
    assert longest / 2 <= seconds <= longest
    assert seconds == delay(policy, number, seed).total_seconds()


def test_the_delay_is_spread_over_jobs_and_nothing_is_waited_before_the_first_attempt():
    policy = RetryDelay()
    assert len({delay(policy, 1, f"job-{n}") for n in range(20)}) == 20
    assert delay(policy, 0, "x") == timedelta()
