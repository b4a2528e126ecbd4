"""Recognised sequences: greedy reading, edits, error rate."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compression_jobs.readers.facts import DatasetFacts
from compression_jobs.tasks.ctc import METRICS, Recognition, decode

CLASSES = 4
TASK = Recognition("OCRRecognition")
paths = st.lists(st.integers(0, CLASSES), min_size=1, max_size=12)


def _outputs(*rows):
    """Outputs whose likeliest classes are these, one row of frames a sample."""
    return np.eye(CLASSES + 1, dtype=np.float32)[np.array(rows)]


def _truth(*rows):
    return {
        "symbols": np.array([symbol for row in rows for symbol in row], np.int64),
        "offsets": np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64),
    }


def _rate(answers, counts=None):
    return METRICS["CER"].of_counts(answers)(np.ones(len(answers), np.int64) if counts is None else counts)


@pytest.mark.parametrize(
    ("frames", "symbols"),
    [
        ([0, 0, 0, 0], []),
        ([1, 1, 2, 2], [1, 2]),
        ([1, 0, 1, 0], [1, 1]),
        ([0, 3, 3, 0], [3]),
        ([4, 1, 1, 4], [4, 1, 4]),
    ],
)
def test_repetitions_are_joined_and_blanks_left_out(frames, symbols):
    assert decode(_outputs(frames))[0].tolist() == symbols + [0] * (4 - len(symbols))


@given(paths)
def test_reading_is_grouping(path):
    grouped = [symbol for symbol, _ in itertools.groupby(path) if symbol]

    assert [symbol for symbol in decode(_outputs(path))[0].tolist() if symbol] == grouped


def _distance(ours, theirs):
    """Levenshtein's recurrence, written out."""
    table = np.zeros((len(ours) + 1, len(theirs) + 1), int)
    table[:, 0], table[0] = range(len(ours) + 1), range(len(theirs) + 1)
    for i, j in itertools.product(range(1, len(ours) + 1), range(1, len(theirs) + 1)):
        changed = table[i - 1, j - 1] + (ours[i - 1] != theirs[j - 1])
        table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, changed)
    return table[-1, -1]


@given(paths, st.lists(st.integers(1, CLASSES), max_size=8))
def test_edits_are_levenshteins(path, wanted):
    answers = TASK.judge(_outputs(path), _truth(wanted))

    said = [symbol for symbol, _ in itertools.groupby(path) if symbol]
    assert answers["edits"].tolist() == [_distance(wanted, said)]
    assert METRICS["exactMatch"].correct(answers).tolist() == [said == wanted]


def test_the_error_rate_is_of_all_symbols_together():
    answers = TASK.judge(
        _outputs([1, 0, 2, 0], [3, 0, 0, 0], [0, 0, 0, 0]), _truth([1, 2], [3, 3, 4, 4, 1], [2])
    )

    assert answers["edits"].tolist() == [0, 4, 1]
    assert _rate(answers) == pytest.approx(5 / 8)
    assert _rate(answers, np.array([2, 0, 1])) == pytest.approx(1 / 5)


def test_more_edits_than_symbols_are_the_worst_there_is():
    assert _rate(TASK.judge(_outputs([1, 2, 3, 4]), _truth([3]))) == 1


def test_without_any_symbol_there_is_no_rate():
    assert np.isnan(_rate(TASK.judge(_outputs([0, 1]), _truth([]))))


def test_models_agree_where_they_read_the_same():
    recorded, shipped = _outputs([1, 1, 0, 2], [1, 0, 1, 0]), _outputs([0, 1, 2, 2], [1, 1, 1, 0])

    assert TASK.same(recorded, shipped).tolist() == [True, False]


def test_batches_join_to_the_answers_of_all():
    outputs, truth = _outputs([1, 0], [2, 0], [3, 4]), _truth([1], [2, 2], [3, 4])
    parts = [TASK.judge(outputs[:2], _truth([1], [2, 2])), TASK.judge(outputs[2:], _truth([3, 4]))]

    whole, joined = TASK.judge(outputs, truth), type(parts[0]).joined(parts)

    assert all(np.array_equal(whole[name], joined[name]) for name in whole.records)


def test_the_output_has_a_class_more_than_the_alphabet():
    facts = DatasetFacts(
        input_shape=(1, 32, 128),
        num_classes=3,
        splits={"a": 1},
        mean=(0.0,),
        std=(1.0,),
        targets="Symbols",
        alphabet=("a", "b", "c"),
    )

    assert TASK.output_shape(facts) == (-1, 4)
