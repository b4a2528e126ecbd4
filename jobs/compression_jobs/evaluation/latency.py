"""Latency of single calls, of several models in the same minutes.

Owns the plan of measuring: rounds of single calls in which the models take turns, so that whatever else the
machine does meets them alike and their ratio is of one run. Must not know what a call does.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from compression_contract.methods import LatencyPlan
from compression_contract.results import Latency

NANOSECONDS_PER_MILLISECOND = 1e6
PERCENTILES = (50, 90, 95, 99)

Call = Callable[[], object]
Clock = Callable[[], int]
"""Nanoseconds of a clock that never goes back."""


def measure(
    calls: Sequence[Call], plan: LatencyPlan, clock: Clock = time.perf_counter_ns
) -> tuple[Latency, ...]:
    """The latency of each call.

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
    return tuple(summary(times / NANOSECONDS_PER_MILLISECOND) for times in rounds)


def summary(rounds: NDArray[np.float64]) -> Latency:
    """Percentiles of all calls, and the variation of p95 between rounds.

    Args:
        rounds: milliseconds [rounds, calls]. The two halves of a single round stand in for two rounds: one
            round alone would look perfectly steady.
    """
    p50, p90, p95, p99 = (round(float(value), 4) for value in np.percentile(rounds, PERCENTILES))
    parts = list(rounds) if len(rounds) > 1 else np.array_split(rounds[0], min(2, rounds.shape[1]))
    each = np.array([np.percentile(part, 95) for part in parts])
    spread = float(each.std(ddof=1)) if len(each) > 1 else float(each.mean())
    mean = float(each.mean())
    return Latency(p50=p50, p90=p90, p95=p95, p99=p99, cv=round(spread / mean, 4) if mean > 0 else 0.0)
