"""Latency of single calls, of several models in the same minutes.

Owns the plan of measuring: rounds of single calls in which the models take turns, so that whatever else the
machine does meets them alike and their ratio is of one run. Must not know what a call does.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compression_contract.methods import LatencyPlan
from compression_contract.results import Latency, Ratio, Speedup

NANOSECONDS_PER_MILLISECOND = 1e6
PERCENTILES = (50, 90, 95, 99)
BLOCKS: Final = 40
"""Pieces of a measurement that are drawn as wholes: neighbouring calls are disturbed by the same thing."""
RESAMPLES: Final = 400
TAIL: Final = 2.5

Call = Callable[[], object]
Clock = Callable[[], int]
"""Nanoseconds of a clock that never goes back."""
Rounds = NDArray[np.float64]
"""Milliseconds, [rounds, calls], in the order in which they were taken."""


def measure(
    calls: Sequence[Call], plan: LatencyPlan, clock: Clock = time.perf_counter_ns
) -> tuple[Rounds, ...]:
    """The times of each call.

    Args:
        calls: one single call of each model.
        plan: rounds, calls a round, and calls before the first round.
        clock: what time is read from.
    """
    for _ in range(plan.warmup):
        for call in calls:
            call()
    rounds = np.empty((len(calls), plan.repeats, plan.iterations), dtype=np.float64)
    collecting = gc.isenabled()
    gc.disable()
    try:
        for repeat in range(plan.repeats):
            for iteration in range(plan.iterations):
                # Who goes first changes, as the first finds its weights out of the cache.
                order = range(len(calls)) if iteration % 2 == 0 else reversed(range(len(calls)))
                for which in order:
                    begin = clock()
                    calls[which]()
                    rounds[which, repeat, iteration] = clock() - begin
    finally:
        if collecting:
            gc.enable()
    return tuple(rounds / NANOSECONDS_PER_MILLISECOND)


def summary(rounds: Rounds) -> Latency:
    """Percentiles of all calls, and the variation of p95 between rounds.

    The two halves of a single round stand in for two rounds: one round alone would look perfectly steady.
    """
    p50, p90, p95, p99 = (round(float(value), 4) for value in np.percentile(rounds, PERCENTILES))
    parts = list(rounds) if len(rounds) > 1 else np.array_split(rounds[0], min(2, rounds.shape[1]))
    each = np.array([np.percentile(part, 95) for part in parts])
    spread = float(each.std(ddof=1)) if len(each) > 1 else float(each.mean())
    mean = float(each.mean())
    return Latency(p50=p50, p90=p90, p95=p95, p99=p99, cv=round(spread / mean, 4) if mean > 0 else 0.0)


def speedup(candidate: Rounds, baseline: Rounds, seed: int) -> Speedup | None:
    """How many times faster the candidate is, at the median and at p95, each with its 95 % interval.

    The interval is that of a bootstrap over blocks of neighbouring calls (Künsch 1989), the same blocks of
    both: they were taken in turns, so that what slowed the one down slowed down the other.

    Args:
        candidate: times of the one.
        baseline: times of the other, from the same measurement.
        seed: of the resampling.

    Returns:
        None where a time is zero: the clock is too coarse for these calls.
    """
    both = np.stack([baseline.ravel(), candidate.ravel()])
    if not (both > 0).all():
        return None
    blocks = np.array_split(np.arange(both.shape[1]), min(BLOCKS, both.shape[1]))
    generator = np.random.default_rng(seed)
    drawn = np.empty((RESAMPLES, 2))
    for resample in range(RESAMPLES):
        places = np.concatenate(
            [blocks[number] for number in generator.integers(0, len(blocks), len(blocks))]
        )
        drawn[resample] = _ratios(both[:, places])
    low, high = np.percentile(drawn, [TAIL, 100 - TAIL], axis=0)
    p50, p95 = (
        Ratio(value=round(value, 4), low=round(min(least, value), 4), high=round(max(most, value), 4))
        for value, least, most in zip(*(map(float, row) for row in (_ratios(both), low, high)), strict=True)
    )
    return Speedup(p50=p50, p95=p95)


def is_slower(found: Speedup | None) -> bool:
    """Whether the candidate's median call takes longer than the baseline's, whatever the noise."""
    return found is not None and found.p50.high < 1


def _ratios(both: NDArray[np.float64]) -> NDArray[np.float64]:
    baseline, candidate = np.percentile(both, [50, 95], axis=1).T
    ratios: NDArray[np.float64] = baseline / candidate
    return ratios
