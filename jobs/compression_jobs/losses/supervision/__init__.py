"""Losses by task: what a network is taught by truth and by teachers.

Owns the registry; `tasks` has the half that needs no framework. Importing it loads Paddle.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from compression_contract.methods import TaskName
from compression_jobs.losses.supervision.base import Supervision
from compression_jobs.losses.supervision.classification import Classification
from compression_jobs.losses.supervision.combining import COMBINATIONS, Floats
from compression_jobs.losses.supervision.ctc import CTC
from compression_jobs.losses.supervision.detection import Detection
from compression_jobs.readers.base import DatasetFacts
from compression_jobs.tasks import task

__all__ = ["COMBINATIONS", "SUPERVISIONS", "Floats", "Supervision", "supervision"]

SUPERVISIONS: Final[Mapping[tuple[TaskName, str], Supervision]] = {
    ("ImageClassification", "Labels"): Classification(),
    ("TextClassification", "Labels"): Classification(),
    ("SpeechRecognition", "Labels"): Classification(),
    ("SpeechRecognition", "Symbols"): CTC(),
    ("OCRRecognition", "Symbols"): CTC(),
    ("ObjectDetection", "Boxes"): Detection(),
}
"""By the keys of `tasks.TASKS`."""


def supervision(name: TaskName, facts: DatasetFacts) -> Supervision:
    """The losses of a job's task on its dataset.

    Raises:
        InvalidInput: TaskMismatch.
    """
    return SUPERVISIONS[task(name, facts).name, facts.targets]
