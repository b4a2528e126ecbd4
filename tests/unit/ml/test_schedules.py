"""Which samples come when, and how fast weights move: functions of seed and step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compression_jobs.training.batches import Batches
from compression_jobs.training.rates import WARMUP_SHARE, rate_factor


@given(
    count=st.integers(1, 200), size=st.integers(1, 40), seed=st.integers(0, 2**33), epoch=st.integers(0, 5)
)
@settings(max_examples=80, deadline=None)
def test_an_epoch_shows_each_sample_at_most_once(count, size, seed, epoch):
    samples = np.arange(1000, 1000 + count)
    batches = Batches(samples, size, seed)
    seen = list(batches.epoch(epoch))
    assert len(seen) == batches.steps >= 1
    together = np.concatenate(seen)
    assert len(set(together)) == len(together) == min(count, batches.steps * size)
    assert set(together) <= set(samples)
    assert all(np.array_equal(one, other) for one, other in zip(seen, batches.epoch(epoch), strict=True))


def test_epochs_and_seeds_have_orders_of_their_own():
    samples = np.arange(100)
    first = next(Batches(samples, 100, 0).epoch(0))
    assert not np.array_equal(first, next(Batches(samples, 100, 0).epoch(1)))
    assert not np.array_equal(first, next(Batches(samples, 100, 1).epoch(0)))


@given(steps=st.integers(1, 5000))
@settings(max_examples=60, deadline=None)
def test_the_rate_rises_to_the_full_one_and_falls_from_there(steps):
    rates = [rate_factor(step, steps) for step in range(steps)]
    top = rates.index(max(rates))
    assert rates[top] == pytest.approx(1.0)
    assert all(rate > 0 for rate in rates)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert top <= max(1, round(steps * WARMUP_SHARE))
