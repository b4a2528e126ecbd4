"""Which entries of an output are compared when a copy of a model is asked for its golden answers."""

import numpy as np
import pytest

from compression_contract.served_model import decision_axis


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((8, 10), 1), ((8, 32, 61), 2), ((8, 9, 24, 24), 1)],
    ids=["classes", "classes at each position", "channels of a map"],
)
def test_the_decision_is_among_classes(shape, axis):
    assert decision_axis(len(shape)) % len(shape) == axis


def test_noise_where_a_map_shows_nothing_changes_no_decision():
    random = np.random.default_rng(0)
    maps = np.tile(np.array([-6.0, -7, 0, 0, 1, 2]).reshape(1, 6, 1, 1), (4, 1, 16, 16))
    noisy = maps + random.normal(0, 0.01, maps.shape)
    axis = decision_axis(maps.ndim)

    assert np.array_equal(maps.argmax(axis), noisy.argmax(axis))
    assert not np.array_equal(maps.argmax(-1), noisy.argmax(-1))
