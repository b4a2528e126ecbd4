"""What teachers say of samples.

Owns running a stored teacher. A teacher is a Paddle inference program (a protobuf and raw weights, no
pickle), run by Paddle's inference library, which has no need of the teacher's own code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compression_jobs.errors import InvalidData
from compression_jobs.framework import inference
from compression_jobs.readers import Indices, Split
from compression_jobs.training.inner_tensors import with_outputs

PROGRAM: Final = "model.pdmodel"
WEIGHTS: Final = "model.pdiparams"
BATCH: Final = 128
OUTPUT: Final = ""
"""The name of a teacher's answer among its outputs; the others have the names of layers."""

Floats = NDArray[np.float32]


class Teacher:
    """A stored network that answers, and shows some of its inner layers.

    Args:
        name: for sentences.
        folder: with PROGRAM and WEIGHTS.
        output_shape: of the answer to one sample; -1 is a length that the teacher may choose.
        layers: the inner layers to show.
        record: the names of layers' outputs in the program, if its origin recorded them.

    Raises:
        InvalidInput: LayerUnknown.
        InvalidData: TeacherUnreadable, TeacherInvalid.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        output_shape: tuple[int, ...],
        layers: Sequence[str] = (),
        record: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._shape = output_shape
        self._outputs = (OUTPUT, *layers)
        try:
            program = folder / Path(PROGRAM).stem
            if layers:
                with_outputs(program, layers, record or {}, folder / "shown")
                program = folder / "shown"
            self._predictor = _predictor(program)
        except (RuntimeError, ValueError) as error:
            raise InvalidData(
                "TeacherUnreadable",
                f"Teacher {name} is no Paddle inference model ({_first_line(error)}); use paddle.jit.save.",
            ) from error
        inputs, outputs = self._predictor.get_input_names(), self._predictor.get_output_names()
        if len(inputs) != 1 or len(outputs) != len(self._outputs):
            raise self._invalid("it needs exactly one input and one output")
        self._input = self._predictor.get_input_handle(inputs[0])
        self._handles = [self._predictor.get_output_handle(output) for output in outputs]

    def answers(self, inputs: NDArray[Any]) -> dict[str, Floats]:
        """The answer under OUTPUT, [n, *output_shape], and each layer's feature under its name, [n, ...].

        Raises:
            InvalidData: ShapesDiffer, ClassesDiffer, TeacherInvalid.
        """
        self._input.copy_from_cpu(np.ascontiguousarray(inputs))
        try:
            self._predictor.run()
        except (RuntimeError, ValueError) as error:
            raise InvalidData(
                "ShapesDiffer",
                f"Teacher {self.name} cannot read samples of {inputs.shape[1:]} ({_first_line(error)}); "
                "use one that was trained on this dataset.",
            ) from error
        found = {
            output: handle.copy_to_cpu() for output, handle in zip(self._outputs, self._handles, strict=True)
        }
        for output, values in found.items():
            if len(values) != len(inputs) or values.dtype != np.float32:
                raise self._invalid(
                    f"{output or 'its output'} is {values.dtype} {values.shape} for {len(inputs)} samples"
                )
            if not np.isfinite(values).all():
                raise self._invalid(f"{output or 'it'} answers with NaN or infinity")
        found[OUTPUT] = _logits_of(self._checked(found[OUTPUT]))
        return found

    def outputs(self, data: Split, samples: Indices) -> Floats:
        """The answers to some samples of a split, [len(samples), *output_shape]."""
        parts = [samples[start : start + BATCH] for start in range(0, len(samples), BATCH)]
        return np.concatenate([self.answers(data.inputs(part))[OUTPUT] for part in parts])

    def _checked(self, answers: Floats) -> Floats:
        found = answers.shape[1:]
        fits = len(found) == len(self._shape) and all(
            wanted in (-1, length) for wanted, length in zip(self._shape, found, strict=True)
        )
        if not fits:
            raise InvalidData(
                "ClassesDiffer",
                f"Teacher {self.name} answers with shape {list(found)}, the dataset's classes ask for "
                f"{list(self._shape)} (-1 is any); use one that was trained on this dataset.",
            )
        return answers

    def _invalid(self, why: str) -> InvalidData:
        return InvalidData("TeacherInvalid", f"Teacher {self.name} cannot be used: {why}; export it again.")


def _predictor(program: Path) -> Any:
    config = inference.Config(f"{program}.pdmodel", f"{program}.pdiparams")
    config.disable_gpu()
    config.enable_mkldnn()
    config.set_cpu_math_library_num_threads(1)
    config.disable_glog_info()
    return inference.create_predictor(config)


def _logits_of(answers: Floats) -> Floats:
    """Raw scores, also where a program ends with softmax: the logarithm of probabilities softens alike.

    Classes are the last axis of [n, classes] and [n, steps, classes]; maps have none that could sum to 1.
    """
    if answers.ndim < 4 and answers.min() >= 0 and np.allclose(answers.sum(axis=-1), 1, atol=1e-3):
        probable: Floats = np.log(np.maximum(answers, np.float32(1e-9)))
        return probable
    return answers


def _first_line(error: Any) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")[:120]
