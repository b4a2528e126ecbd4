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

    int8, fp32 = latency.measure(models, plan, machine.clock)

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
