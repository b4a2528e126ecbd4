"""Verdicts: the common language of all gates.

Owns the values, how an interval is held against bounds, and how numbers are written for people.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from compression_operator.core.compression.statistics import Interval


class Verdict(StrEnum):
    """What a gate says; only Pass lets a candidate through."""

    PASS = "Pass"  # noqa: S105 - a verdict
    FAIL = "Fail"
    INCONCLUSIVE = "Inconclusive"
    ERROR = "Error"


class Reason(StrEnum):
    """Why a gate did not pass; the words are reasons of the condition GatesPassed."""

    NONE = ""
    METRIC_BELOW_MINIMUM = "MetricBelowMinimum"
    METRIC_ABOVE_MAXIMUM = "MetricAboveMaximum"
    DROP_TOO_LARGE = "DropTooLarge"
    TOO_LARGE = "TooLarge"
    TOO_SLOW = "TooSlow"
    VULNERABLE = "Vulnerable"
    END_OF_LIFE = "EndOfLife"
    INCONCLUSIVE = "Inconclusive"
    NOISY = "Noisy"
    HARDWARE_MISMATCH = "HardwareMismatch"
    DATABASE_STALE = "DatabaseStale"
    OS_UNKNOWN = "OSUnknown"
    MISSING = "Missing"
    WRONG_UNIT = "WrongUnit"
    CONTRADICTORY = "Contradictory"


@dataclass(frozen=True, slots=True)
class Ruling:
    """A verdict with its grounds, before it has the gate's name on it."""

    verdict: Verdict
    reason: Reason = Reason.NONE
    message: str = ""
    observed: str = ""
    required: str = ""
    interval: str = ""
    repeatable: bool = False
    """Measuring again may give another verdict: noise, not the data, decided."""


@dataclass(frozen=True, slots=True)
class Bound:
    """An allowed range; None is no limit. `below` and `above` are the reasons for leaving it."""

    low: float | None
    high: float | None
    below: Reason
    above: Reason

    @property
    def required(self) -> str:
        """The range as people write it: `>=0.85`, `<=0.01`, `>=0.85 <=1`."""
        ends = ((">=", self.low), ("<=", self.high))
        return " ".join(f"{sign}{number(value)}" for sign, value in ends if value is not None)


def number(value: float) -> str:
    """A number for people, without trailing zeros: `0.8625`, `12.5`, `3`."""
    text = f"{value:.4f}" if abs(value) < 1000 else f"{value:.1f}"
    text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def error(reason: Reason, message: str, required: str = "") -> Ruling:
    """No number, no verdict: an Error never passes."""
    return Ruling(Verdict.ERROR, reason, message, required=required, repeatable=True)


def inconclusive(
    reason: Reason, message: str, *, observed: str = "", required: str = "", repeatable: bool = False
) -> Ruling:
    """There is a number, but it decides nothing."""
    return Ruling(
        Verdict.INCONCLUSIVE, reason, message, observed=observed, required=required, repeatable=repeatable
    )


def held_against(what: str, value: Interval, bound: Bound) -> Ruling:
    """Hold an interval against a range: inside passes, outside fails, across an end is inconclusive."""
    verdict, reason, how = _position(value, bound)
    width = value.high > value.low
    interval = f"{number(value.low)}..{number(value.high)}" if width else ""
    message = ""
    if verdict is not Verdict.PASS:
        grounds = f" (interval {interval})" if interval else ""
        message = f"{what} is {number(value.point)}{grounds}: {how} {bound.required}"
    return Ruling(verdict, reason, message, number(value.point), bound.required, interval)


def _position(value: Interval, bound: Bound) -> tuple[Verdict, Reason, str]:
    if bound.low is not None and value.high < bound.low:
        return Verdict.FAIL, bound.below, "required is"
    if bound.high is not None and value.low > bound.high:
        return Verdict.FAIL, bound.above, "required is"
    inside = (bound.low is None or value.low >= bound.low) and (
        bound.high is None or value.high <= bound.high
    )
    if inside:
        return Verdict.PASS, Reason.NONE, ""
    return Verdict.INCONCLUSIVE, Reason.INCONCLUSIVE, "too few samples to say whether it is"
