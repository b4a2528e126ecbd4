"""Intervals held against bounds, and numbers written for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compression_operator.core.compression.gates.verdicts import (
    Bound,
    Reason,
    Verdict,
    held_against,
    number,
)
from compression_operator.core.compression.statistics import Interval, exactly


def bound(low=None, high=None):
    return Bound(low, high, Reason.METRIC_BELOW_MINIMUM, Reason.METRIC_ABOVE_MAXIMUM)


@pytest.mark.parametrize(
    ("value", "limits", "verdict", "reason"),
    [
        (Interval(0.90, 0.88, 0.92), bound(low=0.85), "Pass", ""),
        (Interval(0.85, 0.85, 0.86), bound(low=0.85), "Pass", ""),
        (Interval(0.80, 0.78, 0.82), bound(low=0.85), "Fail", "MetricBelowMinimum"),
        (Interval(0.85, 0.84, 0.86), bound(low=0.85), "Inconclusive", "Inconclusive"),
        (Interval(0.90, 0.88, 0.92), bound(high=0.85), "Fail", "MetricAboveMaximum"),
        (Interval(0.85, 0.84, 0.86), bound(high=0.85), "Inconclusive", "Inconclusive"),
        (Interval(0.80, 0.78, 0.82), bound(high=0.85), "Pass", ""),
        (Interval(0.85, 0.84, 0.86), bound(low=0.8, high=0.9), "Pass", ""),
        (Interval(0.85, 0.70, 0.86), bound(low=0.8, high=0.9), "Inconclusive", "Inconclusive"),
        (Interval(0.85, 0.84, 0.99), bound(low=0.8, high=0.9), "Inconclusive", "Inconclusive"),
    ],
)
def test_inside_passes_outside_fails_and_across_an_end_is_inconclusive(value, limits, verdict, reason):
    ruling = held_against("top1", value, limits)
    assert (ruling.verdict, ruling.reason) == (verdict, reason)


def test_a_failure_says_what_was_found_and_what_is_required():
    ruling = held_against("top1", Interval(0.80, 0.78, 0.82), bound(low=0.85, high=1.0))
    assert ruling.message == "top1 is 0.8 (interval 0.78..0.82): required is >=0.85 <=1"
    assert ruling.observed == "0.8"
    assert ruling.required == ">=0.85 <=1"
    assert ruling.interval == "0.78..0.82"
    assert held_against("top1", exactly(0.9), bound(low=0.85)).interval == ""


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_only_an_interval_wholly_inside_passes(low, width, least):
    value = Interval(low, low, min(1.0, low + width))
    ruling = held_against("top1", value, bound(low=least))
    assert (ruling.verdict is Verdict.PASS) == (value.low >= least)
    assert (ruling.verdict is Verdict.FAIL) == (value.high < least)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.8625, "0.8625"), (0.85, "0.85"), (3.0, "3"), (-0.00001, "0"), (12345.678, "12345.7"), (0.0, "0")],
)
def test_numbers_are_written_without_noise(value, text):
    assert number(value) == text
