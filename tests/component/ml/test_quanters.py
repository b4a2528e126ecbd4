"""Learned grids against their papers: values by the grid's definition, gradients by finite differences.

Rounding has no useful derivative; the papers let the gradient pass through it. What they take the derivative
of is the same formula with the rounding error held fixed; of that one finite differences can be taken.
"""

from __future__ import annotations

import numpy as np
import pytest

from compression_jobs.framework import paddle
from compression_jobs.quantizers.quanters import LearnedGrid, LearnedLimit, LearnedWeightSteps

pytestmark = [pytest.mark.paddle, pytest.mark.filterwarnings("ignore")]

VALUES = np.random.default_rng(0).normal(0.3, 1.0, (4, 50)).astype(np.float32)
OUTER = np.random.default_rng(1).normal(0, 1, (4, 50))
"""The gradient that arrives from behind: it makes the loss sum(OUTER * output)."""
SMALL = 1e-6


def gradients(quanter, values, *parameters):
    """What Paddle gives for the loss, by the values and by some parameters."""
    tensor = paddle.to_tensor(values)
    tensor.stop_gradient = False
    (quanter(tensor) * paddle.to_tensor(OUTER.astype(np.float32))).sum().backward()
    return [tensor.grad.numpy(), *(parameter.grad.numpy() for parameter in parameters)]


def difference(function, at):
    return (function(at + SMALL) - function(at - SMALL)) / (2 * SMALL)


def set_to(parameter, value):
    parameter.set_value(paddle.full(parameter.shape, value))


def frozen_rounding(values, step, zero):
    """Value of a grid as a function of step and zero point, its rounding errors fixed at the given ones."""
    inside = np.clip(values / step, -np.rint(zero), 255 - np.rint(zero))
    error, zero_error = np.rint(inside) - inside, np.rint(zero) - zero

    def of(new_step, new_zero):
        rounded = new_zero + zero_error
        return (np.clip(values / new_step, -rounded, 255 - rounded) + error) * new_step

    return of


@pytest.mark.parametrize(("low", "high"), [(-0.8, 1.5), (-2.9, 0.4), (0.0, 1.5)])
def test_an_lsq_plus_grid_of_activations_has_the_papers_gradients(low, high):
    quanter = LearnedGrid(low, high)
    set_to(quanter.growth, 0.1)
    set_to(quanter.shift, 0.013)
    by_values, by_growth, by_shift = gradients(quanter, VALUES, quanter.growth, quanter.shift)

    start, values = (high - low) / 255, VALUES.astype(np.float64)
    step, free = start * np.exp(0.1), low < 0
    zero = -low / start + free * 0.013 * 255
    formula = frozen_rounding(values, step, zero)
    factor = 1 / np.sqrt(50 * 255)  # Esser et al. 2020: the gradient of steps is scaled down
    assert by_growth[0] == pytest.approx(
        factor * difference(lambda g: (OUTER * formula(start * np.exp(g), zero)).sum(), 0.1), rel=1e-3
    )
    expected = difference(lambda s: (OUTER * formula(step, -low / start + free * s * 255)).sum(), 0.013)
    assert by_shift[0] == pytest.approx(factor * expected, rel=1e-3, abs=1e-6)
    number = values / step + np.rint(zero)
    assert np.allclose(by_values, OUTER * ((number > 0) & (number < 255)), atol=1e-5)


@pytest.mark.parametrize(("low", "high"), [(-0.8, 1.5), (0.0, 1.5)])
def test_an_lsq_plus_grid_gives_the_numbers_that_are_deployed(low, high):
    quanter = LearnedGrid(low, high)
    set_to(quanter.shift, 0.013)
    step, zero = quanter.grid()
    deployed = (np.clip(np.rint(VALUES / np.float32(step)) + zero, 0, 255) - zero) * step
    assert np.abs(quanter(paddle.to_tensor(VALUES)).numpy() - deployed).max() <= 1e-6
    assert 0 in deployed or low < 0
    assert (quanter(paddle.zeros([1, 1])).numpy() == 0).all()


@pytest.mark.parametrize("axis", [0, 1])
def test_lsq_steps_of_weights_have_the_papers_gradients(axis):
    weight = VALUES.copy()
    weight.flat[0] = 30.0  # far outside of three standard deviations: it is cut off
    quanter = LearnedWeightSteps(weight, axis)
    set_to(quanter.growth, -0.2)
    by_weight, by_growth = gradients(quanter, weight, quanter.growth)

    rows, outer = (np.moveaxis(array.astype(np.float64), axis, 0) for array in (weight, OUTER))
    starts = quanter.start.numpy().astype(np.float64)
    factor = 1 / np.sqrt(rows.shape[1] * 127)
    outside = 0
    for channel, row in enumerate(rows):
        scaled = row / (starts[channel] * np.exp(-0.2))
        inside = np.abs(scaled) <= 127
        outside += int((~inside).sum())
        # Esser et al. 2020, equation 3: -v/s + round(v/s) inside, the end of the grid outside.
        slope = np.where(inside, np.rint(scaled) - scaled, np.sign(scaled) * 127)
        expected = factor * (outer[channel] * slope).sum() * starts[channel] * np.exp(-0.2)
        assert by_growth[channel] == pytest.approx(expected, rel=2e-3, abs=1e-5)
        assert np.allclose(np.moveaxis(by_weight, axis, 0)[channel], outer[channel] * inside, atol=1e-5)
    assert outside > 0


def test_lsq_steps_begin_at_three_standard_deviations_and_never_beyond_the_largest_weight():
    wide = np.random.default_rng(2).normal(0, 1, (2, 4000)).astype(np.float32)
    narrow = np.sign(wide) * np.float32(0.5)
    assert LearnedWeightSteps(wide, 0).steps() * 127 == pytest.approx(3, rel=0.05)
    assert LearnedWeightSteps(narrow, 0).steps() * 127 == pytest.approx(0.5, rel=1e-5)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-0.9, 1.0)])
def test_pact_has_the_papers_gradient(low, high):
    quanter = LearnedLimit(low, high)
    values = np.abs(VALUES) if low == 0 else VALUES
    by_values, by_share = gradients(quanter, values, quanter.share)
    lowest = -128 / 127 if low < 0 else 0.0
    # Choi et al. 2018, equation 4, and its mirror where values of both signs are clipped.
    slope = (values >= 1.0) + lowest * (values <= lowest)
    assert by_share[0] == pytest.approx((OUTER * slope).sum(), rel=1e-3)
    assert np.allclose(by_values, OUTER * ((values < 1.0) & (values > lowest)), atol=1e-6)


@pytest.mark.parametrize(("low", "high", "zero"), [(0.0, 1.0, 0), (-0.9, 1.0, 128)])
def test_pact_gives_the_numbers_that_are_deployed(low, high, zero):
    quanter = LearnedLimit(low, high)
    step, found = quanter.grid()
    assert (found, step * (255 - zero)) == (zero, pytest.approx(1.0))
    deployed = (np.clip(np.rint(VALUES / np.float32(step)) + zero, 0, 255) - zero) * step
    assert np.abs(quanter(paddle.to_tensor(VALUES)).numpy() - deployed).max() <= 1e-6


def test_learning_moves_a_grid_towards_what_it_holds():
    values = paddle.to_tensor(VALUES * 0.05)
    quanter = LearnedGrid(-3.0, 3.0)
    mover = paddle.optimizer.Adam(0.05, parameters=quanter.parameters())

    def error():
        return ((quanter(values) - values) ** 2).mean()

    before = float(error())
    for _ in range(100):
        error().backward()
        mover.step()
        mover.clear_grad()
    assert float(error()) < before / 10
