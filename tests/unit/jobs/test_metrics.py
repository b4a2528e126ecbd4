"""Metrics: ranks, shares, F1, paired counts and intervals, against definitions written out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compression_contract.methods import Metric
from compression_contract.results import PairedCounts, Proportion
from compression_jobs import metrics
from compression_jobs.errors import InvalidData, InvalidInput
from compression_jobs.metrics import bootstrap
from compression_jobs.metrics.answers import Answers
from compression_jobs.metrics.classification import MacroF1, TopK
from compression_jobs.metrics.sequences import CharacterErrorRate
from compression_jobs.tasks.classification import METRICS, Classification

CLASSES = 6
samples = st.lists(
    st.tuples(st.integers(0, CLASSES - 1), st.lists(st.integers(-2, 2), min_size=CLASSES, max_size=CLASSES)),
    min_size=1,
    max_size=30,
)


def _answers(drawn) -> Answers:
    labels = np.array([label for label, _ in drawn])
    return _judged(np.array([outputs for _, outputs in drawn], np.float32), labels)


def _judged(outputs, labels) -> Answers:
    return Classification("ImageClassification").judge(outputs, {"labels": labels})


def _said(labels, predicted) -> Answers:
    labels, predicted = np.array(labels), np.array(predicted)
    return Answers({"labels": labels, "predicted": predicted, "rank": (labels != predicted).astype(np.int64)})


def _f1(answers, counts=None) -> float:
    return MacroF1().of_counts(answers)(np.ones(len(answers), np.int64) if counts is None else counts)


@given(samples)
def test_the_rank_is_the_place_of_the_true_class_in_a_stable_sort(drawn):
    answers = _answers(drawn)

    for index, (label, outputs) in enumerate(drawn):
        order = sorted(range(CLASSES), key=lambda c: (-outputs[c], c))
        assert answers["rank"][index] == order.index(label)
        assert answers["predicted"][index] == order[0]


@given(samples)
def test_first_place_is_right_exactly_if_the_predicted_class_is_the_label(drawn):
    answers = _answers(drawn)

    assert np.array_equal(TopK(1).correct(answers), answers["predicted"] == answers["labels"])


@given(samples)
def test_more_places_never_make_fewer_right(drawn):
    answers = _answers(drawn)
    counts = [int(TopK(k).correct(answers).sum()) for k in range(1, CLASSES + 1)]

    assert counts == sorted(counts)
    assert counts[-1] == len(drawn)


def test_constant_outputs_are_right_about_one_class_only():
    answers = _judged(np.zeros((CLASSES, CLASSES), np.float32), np.arange(CLASSES))

    assert TopK(1).correct(answers).sum() == 1


def test_joining_keeps_the_order():
    parts = [_said([0, 1], [0, 0]), _said([2], [2])]

    joined = Answers.joined(parts)

    assert joined["labels"].tolist() == [0, 1, 2]
    assert joined["predicted"].tolist() == [0, 0, 2]
    assert joined["rank"].tolist() == [0, 1, 0]


@given(samples)
def test_macro_f1_is_the_mean_of_the_classes_f1(drawn):
    answers = _answers(drawn)
    scores = []
    for cls in set(answers["labels"].tolist()) | set(answers["predicted"].tolist()):
        hits = sum((answers["labels"] == cls) & (answers["predicted"] == cls))
        said, true = sum(answers["predicted"] == cls), sum(answers["labels"] == cls)
        scores.append(2 * hits / (said + true))

    assert _f1(answers) == pytest.approx(sum(scores) / len(scores))


@given(samples, st.integers(1, 4))
def test_macro_f1_counts_a_repeated_sample_as_often_as_it_occurs(drawn, times):
    once, often = _answers(drawn), _answers(drawn * times)

    assert _f1(once, np.full(len(once), times)) == pytest.approx(_f1(often))


def test_a_proportion_is_its_counts():
    answers = _said([0, 1, 2, 2], [0, 1, 2, 0])

    assert metrics.proportion("top1", TopK(1), answers) == Proportion(name="top1", successes=3, samples=4)


def test_paired_counts_tell_who_was_right_about_what():
    labels = [0, 0, 0, 0, 1]
    candidate, baseline = _said(labels, [0, 0, 1, 1, 1]), _said(labels, [0, 1, 0, 1, 1])

    assert metrics.paired("top1", TopK(1), candidate, baseline) == PairedCounts(
        name="top1", samples=5, both=2, only_candidate=1, only_baseline=1
    )


@settings(max_examples=5)
@given(samples)
def test_an_estimate_lies_in_its_interval_and_repeats(drawn):
    answers = _answers(drawn * 5)

    first = metrics.estimate("macroF1", MacroF1(), answers, seed=3)

    assert first.low <= first.high
    assert first.low >= 0
    assert first.high <= 1
    assert first == metrics.estimate("macroF1", MacroF1(), answers, seed=3)


def test_the_bootstrap_of_a_proportion_has_the_width_of_the_binomial():
    """For a plain share the normal approximation is known: half width 1.96 * sqrt(p (1 - p) / n)."""
    right = np.arange(1000) < 800

    low, high = bootstrap.interval(lambda counts: counts[right].sum() / counts.sum(), 1000, seed=1)

    half = 1.96 * np.sqrt(0.8 * 0.2 / 1000)
    assert low == pytest.approx(0.8 - half, abs=half / 4)
    assert high == pytest.approx(0.8 + half, abs=half / 4)


def test_metrics_are_found_by_name_and_kept_apart_by_shape():
    chosen = metrics.choose([Metric(name="top5"), Metric(name="macroF1"), Metric(name="top1")], METRICS, 10)

    assert list(chosen.shares) == ["top5", "top1"]
    assert list(chosen.wholes) == ["macroF1"]


@pytest.mark.parametrize(
    ("name", "classes", "reason"),
    [
        ("accuracy", 10, "MetricUnknown"),
        ("top5", 5, "MetricNotApplicable"),
        ("top1", 1, "MetricNotApplicable"),
    ],
)
def test_a_metric_that_says_nothing_is_refused(name, classes, reason):
    with pytest.raises(InvalidInput) as caught:
        metrics.choose([Metric(name=name)], METRICS, classes)

    assert caught.value.reason == reason


def _read(edits, length) -> Answers:
    return Answers({"edits": np.array(edits), "length": np.array(length)})


RANDOM = np.random.default_rng(4)
LENGTH = RANDOM.integers(1, 9, 300)
BASELINE = _read(RANDOM.binomial(LENGTH, 0.3), LENGTH)
# The candidate misreads what the baseline misreads, and now and then a symbol more.
CANDIDATE = _read(np.minimum(BASELINE["edits"] + RANDOM.integers(0, 20, 300) // 19, LENGTH), LENGTH)
CER = CharacterErrorRate()


def test_a_difference_is_of_the_values_and_repeats():
    found = metrics.difference("CER", CER, CANDIDATE, BASELINE, seed=5)

    ones = np.ones(300, np.int64)
    apart = CER.of_counts(CANDIDATE)(ones) - CER.of_counts(BASELINE)(ones)
    assert found.value == pytest.approx(apart, abs=1e-6)
    assert found.low <= found.value <= found.high
    assert found == metrics.difference("CER", CER, CANDIDATE, BASELINE, seed=5)


def test_a_difference_over_the_same_samples_is_narrower_than_two_intervals_apart():
    found = metrics.difference("CER", CER, CANDIDATE, BASELINE, seed=5)
    apart = [metrics.estimate("CER", CER, answers, seed=5) for answers in (CANDIDATE, BASELINE)]

    assert found.high - found.low < 0.4 * sum(one.high - one.low for one in apart)


def test_equal_answers_differ_by_nothing_at_all():
    found = metrics.difference("CER", CER, BASELINE, BASELINE, seed=5)

    assert (found.low, found.value, found.high) == (0, 0, 0)


@pytest.mark.parametrize(
    "measure",
    [
        lambda answers: metrics.estimate("CER", CER, answers, seed=1),
        lambda answers: metrics.difference("CER", CER, answers, answers, seed=1),
        lambda answers: metrics.point(metrics.Chosen({}, {"CER": CER}), "CER", answers),
    ],
    ids=["estimate", "difference", "point"],
)
def test_a_metric_that_has_no_value_is_an_error_and_no_number(measure):
    with pytest.raises(InvalidData) as caught:
        measure(_read([0, 1], [0, 0]))

    assert caught.value.reason == "MetricUndefined"


def test_resamples_without_a_value_do_not_count():
    found = metrics.estimate("CER", CER, _read([0, 0, 1], [0, 0, 2]), seed=1)

    assert (found.low, found.value, found.high) == (0.5, 0.5, 0.5)


def test_a_point_is_the_share_or_the_value():
    chosen = metrics.Chosen({"top1": TopK(1)}, {"CER": CER})

    assert metrics.point(chosen, "top1", _said([0, 1], [0, 0])) == 0.5
    assert metrics.point(chosen, "CER", _read([1, 0], [2, 2])) == 0.25


def test_records_of_different_samples_are_refused():
    with pytest.raises(ValueError, match="same samples"):
        _read([1, 2], [1])
