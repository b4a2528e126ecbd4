"""Tasks by name: what a model's output means, and what is measured of it.

Owns the registry. Must not import a training framework.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from compression_contract.methods import TaskName
from compression_jobs.errors import InvalidInput
from compression_jobs.readers.base import DatasetFacts
from compression_jobs.tasks.base import Floats, Task
from compression_jobs.tasks.classification import Classification
from compression_jobs.tasks.ctc import Recognition
from compression_jobs.tasks.detection import Detection

__all__ = ["TASKS", "Floats", "Task", "task"]

TASKS: Final[Mapping[tuple[TaskName, str], Task]] = {
    ("ImageClassification", "Labels"): Classification("ImageClassification"),
    ("TextClassification", "Labels"): Classification("TextClassification"),
    ("SpeechRecognition", "Labels"): Classification("SpeechRecognition"),
    ("SpeechRecognition", "Symbols"): Recognition("SpeechRecognition"),
    ("OCRRecognition", "Symbols"): Recognition("OCRRecognition"),
    ("ObjectDetection", "Boxes"): Detection(),
}
"""By the name, and by what the dataset knows of its samples (DatasetFacts.targets)."""


def task(name: TaskName, facts: DatasetFacts) -> Task:
    """The task of a job on its dataset.

    Raises:
        InvalidInput: TaskMismatch, the dataset does not tell what the task needs to know.
    """
    found = TASKS.get((name, facts.targets))
    if found is None:
        needed = " or ".join(targets for known, targets in TASKS if known == name)
        raise InvalidInput(
            "TaskMismatch",
            f"{name} needs a dataset with {needed or 'other targets'}, this one has {facts.targets}; "
            "correct spec.task or spec.dataset.",
        )
    return found
