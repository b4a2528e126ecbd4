"""Latency with a clock that the test moves: who is called when, and what is made of the times."""

import gc

import numpy as np
import pytest

from compression_contract.methods import LatencyPlan
from compression_jobs.evaluation import latency

MILLISECOND = 1_000_000


class Machine:
    """Models whose calls take as long as they say, on a clock of their own."""

    def __init__(self) -> None:
        self.now = 0
        self.called: list[str] = []

    def clock(self) -> int:
        return self.now

    def model(self, name: str, *milliseconds: float):
        durations = iter(milliseconds)

        def call() -> None:
            self.called.append(name)
            self.now += int(next(durations) * MILLISECOND)

        return call


def test_the_models_take_turns_and_change_who_goes_first():
    machine = Machine()
    plan = LatencyPlan(warmup=1, iterations=2, repeats=2)
    models = [machine.model(name, *[1.0] * 5) for name in ("int8", "fp32")]

    latency.measure(models, plan, machine.clock)

    assert machine.called[:2] == ["int8", "fp32"]
    assert machine.called[2:] == ["int8", "fp32", "fp32", "int8"] * 2


def test_each_model_gets_its_own_times_and_warming_up_does_not_count():
    machine = Machine()
    plan = LatencyPlan(warmup=1, iterations=3, repeats=1)
    models = [machine.model("int8", 500, 1, 2, 3), machine.model("fp32", 900, 10, 20, 30)]

    int8, fp32 = map(latency.summary, latency.measure(models, plan, machine.clock))

    assert (int8.p50, fp32.p50) == (2, 20)
    assert fp32.p99 == pytest.approx(10 * int8.p99)


def test_the_collector_of_garbage_rests_only_while_time_is_taken():
    seen = []

    latency.measure([lambda: seen.append(gc.isenabled())], LatencyPlan(warmup=0, iterations=2, repeats=1))

    assert seen == [False, False]
    assert gc.isenabled()


def test_the_collector_comes_back_when_a_call_fails():
    def fail() -> None:
        raise ValueError("a broken model")

    with pytest.raises(ValueError, match="broken"):
        latency.measure([fail], LatencyPlan(warmup=0, iterations=1, repeats=1))
    assert gc.isenabled()


def test_percentiles_are_of_all_rounds_together():
    rounds = np.arange(1, 101, dtype=np.float64).reshape(4, 25)

    found = latency.summary(rounds)

    assert (found.p50, found.p90, found.p95, found.p99) == (50.5, 90.1, 95.05, 99.01)


@pytest.mark.parametrize(
    ("rounds", "cv"),
    [
        ([[1, 1], [1, 1]], 0.0),
        ([[1, 1], [3, 3]], round(np.sqrt(2) / 2, 4)),
        ([[1, 1, 3, 3]], round(np.sqrt(2) / 2, 4)),
        ([[5]], 1.0),
        ([[0, 0], [0, 0]], 0.0),
    ],
    ids=["steady", "unsteady", "one round is cut in halves", "one call proves nothing", "below the clock"],
)
def test_the_variation_is_that_of_p95_between_rounds(rounds, cv):
    assert latency.summary(np.array(rounds, np.float64)).cv == pytest.approx(cv, abs=1e-4)


def turns(ratio: float, noise: float = 0.0, calls: int = 200):
    """Times of a candidate of one millisecond and of a baseline that takes `ratio`, on a busy machine."""
    random = np.random.default_rng(0)
    # A neighbour that doubles everything for a third of the time, for both.
    busy = np.where(np.arange(calls) % 60 < 20, 2.0, 1.0)
    own = [random.normal(1, noise, calls).clip(0.2) for _ in range(2)]
    return [(factor * busy * each).reshape(2, -1) for factor, each in zip((1.0, ratio), own, strict=True)]


def test_the_speedup_is_that_of_calls_in_turns_whatever_the_neighbours_do():
    found = latency.speedup(*turns(2.5), seed=0)

    assert (found.p50.value, found.p95.value) == (2.5, 2.5)
    assert found.p50.low == pytest.approx(2.5, rel=0.5)
    assert found == latency.speedup(*turns(2.5), seed=0)


@pytest.mark.parametrize(
    ("ratio", "noise", "slower"),
    [(0.7, 0.02, True), (1.0, 0.2, False), (0.99, 0.3, False), (2.0, 0.02, False)],
    ids=["slower", "equal", "within the noise", "faster"],
)
def test_slower_is_said_where_the_noise_cannot_explain_it(ratio, noise, slower):
    found = latency.speedup(*turns(ratio, noise), seed=0)

    assert latency.is_slower(found) is slower
    assert found.p50.low <= found.p50.value <= found.p50.high


def test_calls_below_the_clock_have_no_ratio():
    assert latency.speedup(np.zeros((2, 5)), np.ones((2, 5)), seed=0) is None
    assert not latency.is_slower(None)


def test_a_single_call_of_each_has_a_ratio_and_no_width():
    found = latency.speedup(np.ones((1, 1)), np.full((1, 1), 3.0), seed=0)

    assert (found.p50.low, found.p50.value, found.p50.high) == (3, 3, 3)
