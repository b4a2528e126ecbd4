"""What teachers say of samples.

Owns running a stored teacher and keeping its answers. A teacher is a Paddle inference program (a protobuf and
raw weights, no pickle), run by Paddle's inference library, which has no need of the teacher's own code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compression_jobs.errors import InvalidData
from compression_jobs.framework import inference
from compression_jobs.losses.targets import soft_targets
from compression_jobs.readers import Indices, Split

PROGRAM: Final = "model.pdmodel"
WEIGHTS: Final = "model.pdiparams"
_BATCH: Final = 128


class Teacher:
    """A stored network that answers with logits.

    Raises:
        InvalidData: TeacherUnreadable, ClassesDiffer, ShapesDiffer, TeacherInvalid.
    """

    def __init__(self, name: str, folder: Path, classes: int) -> None:

        self.name = name
        self._classes = classes
        config = inference.Config(str(folder / PROGRAM), str(folder / WEIGHTS))
        config.disable_gpu()
        config.enable_mkldnn()
        config.set_cpu_math_library_num_threads(1)
        config.disable_glog_info()
        try:
            self._predictor = inference.create_predictor(config)
        except (RuntimeError, ValueError) as error:
            raise InvalidData(
                "TeacherUnreadable",
                f"Teacher {name} is no Paddle inference model ({_first_line(error)}); use paddle.jit.save.",
            ) from error
        if len(self._predictor.get_input_names()) != 1 or len(self._predictor.get_output_names()) != 1:
            raise self._invalid("it needs exactly one input and one output")
        self._input = self._predictor.get_input_handle(self._predictor.get_input_names()[0])
        self._output = self._predictor.get_output_handle(self._predictor.get_output_names()[0])

    def logits(self, data: Split, samples: Indices) -> NDArray[np.float32]:
        """[len(samples), classes]."""
        parts = [samples[start : start + _BATCH] for start in range(0, len(samples), _BATCH)]
        return np.concatenate([self._answer(data.inputs(part)) for part in parts])

    def _answer(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        self._input.copy_from_cpu(inputs)
        try:
            self._predictor.run()
        except (RuntimeError, ValueError) as error:
            raise InvalidData(
                "ShapesDiffer",
                f"Teacher {self.name} cannot read samples of {inputs.shape[1:]} ({_first_line(error)}); "
                "use one that was trained on this dataset.",
            ) from error
        logits: NDArray[np.float32] = self._output.copy_to_cpu()
        if logits.shape != (len(inputs), self._classes):
            raise InvalidData(
                "ClassesDiffer",
                f"Teacher {self.name} answers with shape {logits.shape[1:]}, the dataset has {self._classes} "
                "classes; use one that was trained on this dataset.",
            )
        if not np.isfinite(logits).all():
            raise self._invalid("it answers with NaN or infinity")
        return _logits_of(logits)

    def _invalid(self, why: str) -> InvalidData:
        return InvalidData("TeacherInvalid", f"Teacher {self.name} cannot be used: {why}; export it again.")


@dataclass(frozen=True, slots=True)
class CachedTargets:
    """Soft targets of all samples, computed once."""

    table: NDArray[np.float32]
    """[size of the split, classes]; rows that nobody trains on are zero."""

    def of(self, samples: Indices) -> NDArray[np.float32]:
        """See Targets.of."""
        rows: NDArray[np.float32] = self.table[samples]
        return rows


@dataclass(frozen=True, slots=True)
class TeacherTargets:
    """Soft targets of teachers, computed when they are asked for."""

    teachers: Sequence[Teacher]
    weights: NDArray[np.float32]
    data: Split
    combine: str
    temperature: float

    def of(self, samples: Indices) -> NDArray[np.float32]:
        """See Targets.of."""
        logits = np.stack([teacher.logits(self.data, samples) for teacher in self.teachers])
        return soft_targets(logits, self.data.labels[samples], self.weights, self.combine, self.temperature)

    def cached(self, samples: Indices) -> CachedTargets:
        """The same, computed once for these samples."""
        rows = self.of(samples)
        table = np.zeros((len(self.data), rows.shape[1]), np.float32)
        table[samples] = rows
        return CachedTargets(table)


def _logits_of(answers: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits, also where a program ends with softmax: the logarithm of probabilities softens alike."""
    if answers.min() >= 0 and np.allclose(answers.sum(axis=1), 1, atol=1e-3):
        probable: NDArray[np.float32] = np.log(np.maximum(answers, np.float32(1e-9)))
        return probable
    return answers


def _first_line(error: Any) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")[:120]
