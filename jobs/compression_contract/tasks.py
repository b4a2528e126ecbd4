"""The metrics of each task: their names, and which way is better.

Owns the list that the operator admits by and the evaluator computes by, so that both refuse the same names.
Must not compute anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from compression_contract.methods import TaskName

Direction = Literal["HigherIsBetter", "LowerIsBetter"]

_CLASSES: Final[dict[str, Direction]] = {
    "top1": "HigherIsBetter",
    "top5": "HigherIsBetter",
    "macroF1": "HigherIsBetter",
}
_SEQUENCES: Final[dict[str, Direction]] = {"CER": "LowerIsBetter", "exactMatch": "HigherIsBetter"}

METRICS: Final[Mapping[TaskName, Mapping[str, Direction]]] = MappingProxyType(
    {
        "ImageClassification": _CLASSES,
        "ObjectDetection": {"mAP": "HigherIsBetter", "mAP50": "HigherIsBetter"},
        "OCRRecognition": _SEQUENCES,
        "TextClassification": _CLASSES,
        # A recording may be one word out of a list, or a sequence of symbols: the dataset says which.
        "SpeechRecognition": {**_SEQUENCES, **_CLASSES},
    }
)
"""By task: metrics by name, each with its better direction. The first is the main one."""
