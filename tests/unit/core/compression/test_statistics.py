"""Intervals: known values from the literature, their coverage, and what holds for all counts."""

from __future__ import annotations

from itertools import product
from math import comb, inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compression_operator.core.compression.statistics import Interval, exactly, paired_difference, wilson


@st.composite
def paired_counts(draw):
    """(both, only first, only second, samples)."""
    cells = [draw(st.integers(min_value=0, max_value=5_000)) for _ in range(4)]
    cells[3] += sum(cells) == 0
    return cells[0], cells[1], cells[2], sum(cells)


@pytest.mark.parametrize(
    ("successes", "samples", "low", "high"),
    [
        # Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_bounds(successes, samples, low, high):
    interval = wilson(successes, samples, 0.95)
    assert interval.low == pytest.approx(low, abs=5e-5)
    assert interval.high == pytest.approx(high, abs=5e-5)


@given(
    st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999)
)
def test_wilson_encloses_its_point_within_zero_and_one(counts, confidence):
    interval = wilson(*counts, confidence)
    assert 0 <= interval.low <= interval.point <= interval.high <= 1


def test_no_confidence_is_the_point_alone():
    assert wilson(3, 4, 0) == exactly(0.75)
    assert paired_difference(5, 2, 1, 10, 0) == exactly(0.1)


@pytest.mark.parametrize(("successes", "samples"), [(1, 0), (-1, 5), (6, 5)])
def test_counts_that_are_no_proportion_are_refused(successes, samples):
    with pytest.raises(ValueError, match="no proportion"):
        wilson(successes, samples, 0.95)


@pytest.mark.parametrize("counts", [(5, 3, 3, 10), (-1, 0, 0, 10), (0, 0, 0, 0)])
def test_paired_counts_that_do_not_add_up_are_refused(counts):
    with pytest.raises(ValueError, match="add up"):
        paired_difference(*counts, 0.95)


def test_pairing_narrows_the_interval_of_a_drop_to_its_discordant_samples():
    paired = paired_difference(8_500, 150, 50, 10_000, 0.95)
    apart = wilson(8_650, 10_000, 0.95).minus(wilson(8_550, 10_000, 0.95))
    assert paired.point == pytest.approx(apart.point)
    # Two percent discordant: about 1.96 * sqrt(0.02 / 10000) to either side.
    assert (paired.high - paired.low) / 2 == pytest.approx(0.0028, abs=2e-4)
    assert paired.high - paired.low < (apart.high - apart.low) / 3


@given(paired_counts(), st.floats(0.5, 0.999))
def test_a_paired_interval_encloses_its_point_and_turns_with_the_order(counts, confidence):
    both, first, second, samples = counts
    forward = paired_difference(both, first, second, samples, confidence)
    backward = paired_difference(both, second, first, samples, confidence).negated()
    assert -1 <= forward.low <= forward.point <= forward.high <= 1
    assert forward.low == pytest.approx(backward.low)
    assert forward.high == pytest.approx(backward.high)


@given(paired_counts())
def test_more_confidence_is_a_wider_interval(counts):
    narrow, wide = (paired_difference(*counts, confidence) for confidence in (0.8, 0.99))
    assert wide.low <= narrow.low
    assert narrow.high <= wide.high


def test_the_paired_interval_covers_the_truth_about_as_often_as_it_says():
    samples, truth = 20, (0.7, 0.12, 0.06, 0.12)
    covered = total = 0.0
    for both, first, second in product(range(samples + 1), repeat=3):
        neither = samples - both - first - second
        if neither < 0:
            continue
        ways = comb(samples, both) * comb(samples - both, first) * comb(samples - both - first, second)
        chance = ways * truth[0] ** both * truth[1] ** first * truth[2] ** second * truth[3] ** neither
        interval = paired_difference(both, first, second, samples, 0.95)
        total += chance
        covered += chance * (interval.low <= truth[1] - truth[2] <= interval.high)
    assert total == pytest.approx(1)
    assert covered > 0.93


@pytest.mark.parametrize("numbers", [(nan, 0, 1), (0.5, -inf, 1), (0.5, 0, inf)])
def test_an_interval_has_finite_ends(numbers):
    with pytest.raises(ValueError, match="finite"):
        Interval(*numbers)


def test_an_interval_is_not_upside_down():
    with pytest.raises(ValueError, match="low end"):
        Interval(0.5, 0.6, 0.4)
