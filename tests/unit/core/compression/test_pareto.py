"""The Pareto front and the best upon it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compression_operator.api.compressionjob.evaluation import Metric
from compression_operator.api.compressionjob.status import (
    CandidateStatus,
    LatencyResult,
    MetricValue,
    TargetResult,
)
from compression_operator.core.compression.pareto import Scale, best, front

TOP1 = Metric(name="top1", direction="HigherIsBetter")
CER = Metric(name="CER", direction="LowerIsBetter")
SCALE = Scale((TOP1,), "ort")
MEASURES = st.sampled_from(["top1", "latencyP95", "bytes"])


def candidate(step, top1, milliseconds, size, metric="top1"):
    result = TargetResult(
        target="ort",
        metrics=(MetricValue(name=metric, value=str(top1)),),
        latency=LatencyResult(p95=f"{milliseconds}ms"),
        bytes=size,
    )
    return CandidateStatus(step=step, state="Passed", results=(result,))


def names(candidates):
    return [item.step for item in candidates]


A = candidate("a", 0.90, 8, 100)
B = candidate("b", 0.88, 5, 100)
DOMINATED = candidate("c", 0.88, 6, 120)
UNMEASURED = CandidateStatus(step="d", state="Passed")


def test_the_front_leaves_out_what_another_beats_in_everything():
    assert names(front([A, B, DOMINATED, UNMEASURED], SCALE)) == ["a", "b"]


def test_equals_do_not_dominate_each_other():
    twin = A.model_copy(update={"step": "twin"})
    assert names(front([A, twin], SCALE)) == ["a", "twin"]


@pytest.mark.parametrize(("measure", "step"), [("top1", "a"), ("latencyP95", "b"), ("bytes", "a")])
def test_the_best_is_the_fronts_by_the_objective_and_then_by_the_main_metric(measure, step):
    assert best([UNMEASURED, DOMINATED, B, A], measure, SCALE).step == step


def test_of_complete_equals_the_earlier_is_chosen():
    twin = A.model_copy(update={"step": "twin"})
    assert best([twin, A], "bytes", SCALE).step == "twin"


def test_an_error_rate_is_better_when_it_is_lower():
    scale = Scale((CER,), "ort")
    worse, better = candidate("w", 0.2, 5, 9, "CER"), candidate("b", 0.1, 5, 9, "CER")
    assert best([worse, better], "CER", scale).step == "b"


def test_measures_are_shown_with_their_units():
    assert SCALE.shown(A, "top1") == "a 0.9"
    assert SCALE.shown(A, "latencyP95") == "a 8ms"
    assert SCALE.shown(A, "bytes") == "a 100 B"
    assert SCALE.shown(UNMEASURED, "bytes") == "d not measured"


CANDIDATES = st.lists(
    st.tuples(st.integers(0, 4), st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=8
).map(lambda rows: [candidate(f"s{n}", a / 10, b, c) for n, (a, b, c) in enumerate(rows)])


@given(CANDIDATES, MEASURES)
def test_the_best_is_on_the_front_and_nobody_is_better_by_the_objective(candidates, measure):
    chosen = best(candidates, measure, SCALE)
    assert chosen in front(candidates, SCALE)
    assert all(SCALE.losses(chosen)[measure] <= SCALE.losses(other)[measure] for other in candidates)


@given(CANDIDATES, MEASURES, st.randoms(use_true_random=False))
def test_the_order_decides_between_equals_only(candidates, measure, random):
    shuffled = list(candidates)
    random.shuffle(shuffled)
    one, other = best(candidates, measure, SCALE), best(shuffled, measure, SCALE)
    assert SCALE.losses(one)[measure] == SCALE.losses(other)[measure]
    assert SCALE.losses(one)["top1"] == SCALE.losses(other)["top1"]
