"""Which filters go, by the papers' formulas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compression_jobs.pruning.criteria import CRITERIA, geometric_median_distance, kept, l1_norm

FILTERS = np.random.default_rng(0).normal(size=(7, 3, 3, 3)).astype(np.float32)


def test_l1_norm_is_the_sum_of_absolute_weights():
    assert l1_norm(FILTERS) == pytest.approx([np.abs(one).sum() for one in FILTERS], rel=1e-5)


def test_fpgm_is_the_summed_distance_to_all_others():
    expected = [sum(np.linalg.norm(one - other) for other in FILTERS) for one in FILTERS]
    assert geometric_median_distance(FILTERS) == pytest.approx(expected, rel=1e-5)


def test_fpgm_cuts_the_replaceable_filter_and_l1_the_small_one():
    filters = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 3.0], [0.0, 2.9], [0.05, 0.0]])
    assert 4 not in kept([filters], CRITERIA["L1Norm"], 0.2)
    moved = filters + np.array([10.0, 10.0])  # norms change, distances do not
    assert np.array_equal(kept([moved], CRITERIA["FPGM"], 0.4), kept([filters], CRITERIA["FPGM"], 0.4))


def test_layers_that_make_the_same_channels_are_heard_alike_whatever_the_size_of_their_weights():
    one, other = np.array([[1.0], [2.0], [3.0]]), np.array([[9.0], [1.0], [8.0]])
    alone = kept([one, other], CRITERIA["L1Norm"], 0.34)
    assert np.array_equal(alone, kept([one * 1000, other], CRITERIA["L1Norm"], 0.34))
    assert alone.tolist() == [0, 2]


@given(st.integers(1, 40), st.floats(0, 0.95), st.sampled_from(sorted(CRITERIA)))
def test_the_asked_share_goes_and_never_the_last_channel(count, ratio, criterion):
    filters = np.random.default_rng(count).normal(size=(count, 4))
    staying = kept([filters], CRITERIA[criterion], ratio)
    assert len(staying) == max(1, count - round(count * ratio))
    assert np.array_equal(staying, np.unique(staying))
    assert staying.max() < count
