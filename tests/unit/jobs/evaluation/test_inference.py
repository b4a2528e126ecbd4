"""Batches, shapes and refusals, with a session that computes in plain numpy."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from compression_contract.served_model import TensorSpec
from compression_jobs.errors import InvalidData
from compression_jobs.evaluation import inference
from compression_jobs.tasks.classification import Classification

CLASSES = 3


@dataclass
class Split:
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def inputs(self, indices):
        one_hot = np.eye(CLASSES, dtype=np.float32)[self.labels[indices]]
        return one_hot.reshape(-1, 1, 1, CLASSES)

    def targets(self, indices):
        return {"labels": self.labels[indices]}


@dataclass
class Echo:
    """Answers with its input."""

    batch: int = -1
    sizes: list[int] = field(default_factory=list)
    change: object = staticmethod(lambda outputs: outputs)

    @property
    def input(self):
        return TensorSpec(name="in", datatype="FP32", shape=(self.batch, 1, 1, CLASSES))

    @property
    def output(self):
        return TensorSpec(name="out", datatype="FP32", shape=(self.batch, CLASSES))

    def run(self, batch):
        self.sizes.append(len(batch))
        return self.change(batch.reshape(len(batch), -1))


TASK = Classification("ImageClassification")
SPLIT = Split(np.arange(150) % CLASSES)
ALL = np.arange(150)


@pytest.mark.parametrize(("batch", "sizes"), [(-1, [64, 64, 22]), (40, [40, 40, 40, 40])])
def test_every_sample_is_answered_once_whatever_the_batch(batch, sizes):
    session = Echo(batch)

    answers = inference.answers(session, "candidate", SPLIT, ALL, TASK)

    assert session.sizes == sizes
    assert np.array_equal(answers["labels"], SPLIT.labels)
    assert np.array_equal(answers["predicted"], SPLIT.labels)


def test_answers_are_of_the_chosen_samples_in_their_order():
    answers = inference.answers(Echo(), "candidate", SPLIT, np.array([4, 0, 5]), TASK)

    assert answers["labels"].tolist() == [1, 0, 2]


@pytest.mark.parametrize(
    "change",
    [
        lambda outputs: np.where(outputs == 1, np.nan, outputs),
        lambda outputs: np.where(outputs == 1, np.inf, outputs),
        lambda outputs: outputs[:-1],
        lambda outputs: outputs[:, :, None],
    ],
    ids=["NaN", "infinity", "a row is missing", "three dimensions"],
)
def test_outputs_that_are_no_answers_are_refused(change):
    with pytest.raises(InvalidData, match="candidate") as caught:
        inference.answers(Echo(change=change), "candidate", SPLIT, ALL, TASK)

    assert caught.value.reason == "InvalidOutputs"


@pytest.mark.parametrize(
    ("shape", "output", "fits"),
    [
        ((1, 1, 3), (3,), True),
        ((1, 1, 3), (-1,), True),
        ((1, 1, 4), (3,), False),
        ((1, 3), (3,), False),
        ((1, 1, 3), (4,), False),
        ((1, 1, 3), (3, 1), False),
    ],
)
def test_a_model_must_fit_the_data(shape, output, fits):
    if fits:
        inference.require_fit(Echo(), "candidate", shape, output)
    else:
        with pytest.raises(InvalidData, match="ShapeMismatch"):
            inference.require_fit(Echo(), "candidate", shape, output)


@pytest.mark.parametrize(("limit", "expected"), [(0, 150), (200, 150), (150, 150), (20, 20)])
def test_samples_are_chosen_without_repetition_and_in_order(limit, expected):
    chosen = inference.choose(len(SPLIT), limit, seed=5)

    assert len(chosen) == expected
    assert np.all(np.diff(chosen) > 0)
    assert np.array_equal(chosen, inference.choose(len(SPLIT), limit, seed=5))


def test_a_limited_choice_is_spread_over_a_sorted_split():
    assert inference.choose(10_000, 100, seed=0).max() > 5_000


@pytest.mark.parametrize(("fixed", "asked", "size"), [(-1, 1, 1), (-1, 200, 200), (7, 1, 7)])
def test_a_timed_call_takes_as_many_samples_as_the_model_and_the_target_want(fixed, asked, size):
    assert inference.call_input(Echo(fixed), SPLIT, asked).shape == (size, 1, 1, CLASSES)
