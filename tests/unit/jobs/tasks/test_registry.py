"""Tasks by name and by what a dataset tells."""

import pytest

from compression_contract import tasks as contract
from compression_jobs.errors import InvalidInput
from compression_jobs.readers.facts import TARGETS_OF, DatasetFacts
from compression_jobs.tasks import TASKS, task


def _facts(targets):
    alphabet = ("a", "b") if targets == "Symbols" else ()
    return DatasetFacts(
        input_shape=(1, 8, 8),
        num_classes=2,
        splits={"a": 1},
        mean=(0.0,),
        std=(1.0,),
        targets=targets,
        alphabet=alphabet,
    )


@pytest.mark.parametrize(("name", "targets"), sorted(TASKS))
def test_a_task_knows_its_name(name, targets):
    assert task(name, _facts(targets)).name == name


@pytest.mark.parametrize("name", sorted(contract.METRICS))
def test_what_the_operator_admits_is_what_is_measured(name):
    measured = {metric for (known, _), found in TASKS.items() if known == name for metric in found.metrics}

    assert measured == set(contract.METRICS[name])
    assert next(iter(contract.METRICS[name])) in measured


def test_every_kind_of_dataset_that_suits_a_task_has_one():
    assert set(TASKS) == {(name, targets) for name, kinds in TARGETS_OF.items() for targets in kinds}


def test_a_dataset_that_does_not_tell_what_the_task_needs_is_refused():
    with pytest.raises(InvalidInput, match="Boxes") as caught:
        task("ObjectDetection", _facts("Labels"))

    assert caught.value.reason == "TaskMismatch"
