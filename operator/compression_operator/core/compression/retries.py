"""What follows from a failed attempt: another one, and when; or the end, and why.

Owns the limits and the delay. Must not read a pod (see `outcomes`) nor a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from compression_contract.exitcodes import ExitClass
from compression_operator.api.compressionjob.run import RetryDelay, RunPolicy
from compression_operator.core.outcomes import Failed


class Ending(StrEnum):
    """Why there will be no further attempt; the words are reasons of the condition Failed."""

    STEP_FAILED = "StepFailed"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    START_DEADLINE_EXCEEDED = "StartDeadlineExceeded"


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often a stage has been repeated, by whose fault."""

    retryable: int = 0
    """Charged to `backoffLimit`."""
    infra: int = 0
    """Disruptions and lost children: charged to `infraRetryLimit`."""

    @property
    def number(self) -> int:
        """Number of the attempt at hand, from 0."""
        return self.retryable + self.infra


@dataclass(frozen=True, slots=True)
class Retry:
    """Another attempt, not before `at`."""

    attempts: Attempts
    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No further attempt."""

    ending: Ending
    message: str


@dataclass(frozen=True, slots=True)
class Unmet:
    """The step failed, the plan goes on: a later step may be meant for exactly this."""

    message: str


def after_failure(
    failed: Failed, attempts: Attempts, policy: RunPolicy, seed: str, now: datetime
) -> Retry | GiveUp | Unmet:
    """Decide by the class of the failure. `seed` makes the jitter: the same attempt waits the same time."""
    match failed.kind:
        case ExitClass.RETRYABLE:
            after = Attempts(attempts.retryable + 1, attempts.infra)
            limit, count, field = policy.backoff_limit, after.retryable, "backoffLimit"
        case ExitClass.DISRUPTION | ExitClass.CHILD_LOST:
            after = Attempts(attempts.retryable, attempts.infra + 1)
            limit, count, field = policy.infra_retry_limit, after.infra, "infraRetryLimit"
        case ExitClass.UNMET:
            return Unmet(failed.message)
        case ExitClass.NEVER_STARTED:
            return GiveUp(Ending.START_DEADLINE_EXCEEDED, failed.message)
        case _:
            return GiveUp(Ending.STEP_FAILED, failed.message)
    if count > limit:
        return GiveUp(
            Ending.RETRIES_EXHAUSTED,
            f"{failed.reason}: {failed.message} (attempt {after.number}; runPolicy.{field} is {limit})",
        )
    return Retry(after, now + delay(policy.retry_delay, after.number, seed))


def delay(policy: RetryDelay, number: int, seed: str) -> timedelta:
    """Time before repetition `number` (from 1): doubled each time, capped, spread over its upper half.

    Source: Brooker, "Exponential backoff and jitter" (equal jitter). The spread comes from a hash of `seed`
    and the number instead of a random source, so that two operators wait equally long.
    """
    # The exponent is bounded before the power: a timedelta overflows long before a large limit is reached.
    longest = min(policy.base * 2 ** min(number - 1, 32), policy.max) if number > 0 else timedelta()
    spread = int.from_bytes(sha256(f"{seed}/{number}".encode()).digest()[:4], "big") / 2**32
    return longest * (0.5 + spread / 2)
