"""Confidence intervals of what an evaluator counts.

Owns the formulas, each with its source. Must not know what a gate is: it takes counts and returns bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, sqrt
from statistics import NormalDist


@dataclass(frozen=True, slots=True)
class Interval:
    """A point estimate within its bounds; with no confidence asked for the bounds are the point."""

    point: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not (isfinite(self.point) and isfinite(self.low) and isfinite(self.high)):
            raise ValueError("an interval needs finite numbers")
        if self.low > self.high:
            raise ValueError("an interval's low end must not be above its high end")

    def negated(self) -> Interval:
        """The interval of minus the quantity."""
        return Interval(-self.point, -self.high, -self.low)

    def scaled(self, factor: float) -> Interval:
        """The interval of the quantity times a positive constant."""
        return Interval(self.point * factor, self.low * factor, self.high * factor)

    def minus(self, other: Interval) -> Interval:
        """An interval of the difference of two quantities measured apart: the worst of both.

        Conservative (its level is above that of its parts) and needs no assumption on how they depend.
        """
        return Interval(self.point - other.point, self.low - other.high, self.high - other.low)


def exactly(value: float) -> Interval:
    """A number without uncertainty."""
    return Interval(value, value, value)


def _quantile(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def _check_counts(successes: int, samples: int) -> None:
    if samples < 1 or not 0 <= successes <= samples:
        raise ValueError(f"{successes} of {samples} samples is no proportion")


def wilson(successes: int, samples: int, confidence: float) -> Interval:
    """Score interval of a proportion; `confidence` 0 is the point alone.

    Keeps its level near 0 and 1, where the textbook interval has width zero.
    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).

    Raises:
        ValueError: the counts are no proportion.
    """
    _check_counts(successes, samples)
    share = successes / samples
    if confidence <= 0:
        return exactly(share)
    z2 = _quantile(confidence) ** 2
    centre = (share + z2 / (2 * samples)) / (1 + z2 / samples)
    half = sqrt(z2 * (share * (1 - share) / samples + z2 / (4 * samples**2))) / (1 + z2 / samples)
    # At 0 and 1 the exact bound is the share itself; rounding would move it past the end.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == samples else min(1.0, centre + half)
    return Interval(share, min(low, share), max(high, share))


def paired_difference(
    both: int, only_first: int, only_second: int, samples: int, confidence: float
) -> Interval:
    """Interval of first - second for two proportions over the same samples; `confidence` 0 is the point.

    The two agree on most samples, so only the discordant ones carry uncertainty: with 2 % of 10,000
    discordant the interval is 0.3 points to either side, where two separate samples would give 0.9.
    Source: Newcombe, "Improved confidence intervals for the difference between binomial proportions based on
    paired data", Statistics in Medicine 17 (1998), method 10 (score intervals joined by the correlation phi).

    Raises:
        ValueError: the counts are negative or more than the samples.
    """
    neither = samples - both - only_first - only_second
    if samples < 1 or min(both, only_first, only_second, neither) < 0:
        raise ValueError("paired counts must be non-negative and add up to the samples")
    point = (only_first - only_second) / samples
    if confidence <= 0:
        return exactly(point)
    first = wilson(both + only_first, samples, confidence)
    second = wilson(both + only_second, samples, confidence)
    phi = _phi(both, only_first, only_second, neither)
    below = _joined(first.point - first.low, second.high - second.point, phi)
    above = _joined(first.high - first.point, second.point - second.low, phi)
    return Interval(point, max(-1.0, point - below), min(1.0, point + above))


def _joined(first: float, second: float, phi: float) -> float:
    return sqrt(max(0.0, first * first - 2 * phi * first * second + second * second))


def _phi(both: int, only_first: int, only_second: int, neither: int) -> float:
    """Correlation of the two outcomes, with Newcombe's continuity correction where it is positive."""
    product = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    if product == 0:
        return 0.0
    surplus: float = both * neither - only_first * only_second
    if surplus > 0:
        surplus = max(0.0, surplus - (both + only_first + only_second + neither) / 2)
    return surplus / sqrt(product)
