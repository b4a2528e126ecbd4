"""The inference runtimes that models are deployed on, by name.

Owns the Protocols of a runtime and of an opened model, and the table. Must not import a runtime before it is
asked for: each evaluator's image has its own, and no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from compression_contract.served_model import TensorSpec
from compression_jobs.errors import Misconfigured
from compression_jobs.runtimes.model_files import ModelFiles

__all__ = ["ABSENT", "DATATYPES", "RUNTIMES", "ModelFiles", "Runtime", "Session", "runtime"]

DATATYPES: Final[Mapping[str, Any]] = {"FP32": np.float32, "INT64": np.int64}
"""Inputs that models may have: NumPy's types by the Open Inference Protocol's names."""


class Session(Protocol):
    """A model, opened as it will be deployed: an input [n, …] of a type in DATATYPES, a float32 output."""

    @property
    def input(self) -> TensorSpec:
        """The input; -1 is a free dimension."""

    @property
    def output(self) -> TensorSpec:
        """The output; -1 is a free dimension."""

    def run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """One call; raises InvalidData(ModelFailed)."""


class Runtime(Protocol):
    """A library that runs models on this machine."""

    formats: frozenset[str]
    """Of model files; keys of compression_contract.formats.CANDIDATE_FILES."""

    @property
    def version(self) -> str:
        """Name and version of the library."""

    def open(self, model: ModelFiles, threads: int, *, checked: bool = False) -> Session:
        """Open a model in the mode that it would be deployed in: a quantised one must run on integer kernels.

        Args:
            model: its files and their format.
            threads: of one call.
            checked: whether the same files were opened before. Looking into them costs memory that serving
                does not need; it is left out where memory is measured.

        Raises:
            InvalidData: for files that must not or cannot be opened: ModelUnreadable, ExternalData,
                ModelRefused, SignatureUnsupported; NotQuantised where a quantised one would run in float.
            Misconfigured: FormatUnsupported.
        """


RUNTIMES: Final[Mapping[str, str]] = {
    "onnxruntime": "compression_jobs.runtimes.onnx_runtime:RUNTIME",
    "openvino": "compression_jobs.runtimes.openvino_runtime:RUNTIME",
    "paddle-inference": "compression_jobs.runtimes.paddle_inference:RUNTIME",
}


@dataclass(frozen=True, slots=True)
class Absent:
    """A runtime that has a name here, and no way to run."""

    reason: str
    because: str


ABSENT: Final[Mapping[str, Absent]] = {
    "tensorrt": Absent(
        "HardwareMissing", "it needs an NVIDIA GPU and TensorRT, which no evaluator's image has"
    ),
    "onnxruntime-gpu": Absent(
        "HardwareMissing", "it needs an NVIDIA GPU and CUDA, which no evaluator's image has"
    ),
    "paddle-inference-gpu": Absent(
        "HardwareMissing", "it needs an NVIDIA GPU and CUDA, which no evaluator's image has"
    ),
    "paddle-lite": Absent("LibraryMissing", "Paddle Lite is not published for Python 3.11"),
}
"""Runtimes that a target may well name and that cannot be measured here, each with the reason."""


def runtime(name: str) -> Runtime:
    """The runtime of that name.

    Raises:
        Misconfigured: RuntimeUnknown; HardwareMissing, LibraryMissing; WrongImage, the image lacks it.
    """
    if name in ABSENT:
        absent = ABSENT[name]
        raise Misconfigured(
            absent.reason,
            f"The runtime {name} cannot measure: {absent.because}; set evaluation.targets[].runtime to one "
            f"of {', '.join(RUNTIMES)}.",
        )
    if name not in RUNTIMES:
        raise Misconfigured(
            "RuntimeUnknown",
            f"This evaluator does not know the runtime {name!r}, it knows {', '.join(RUNTIMES)}; "
            "correct evaluation.targets or the evaluators of the CompressionRuntime.",
        )
    module, attribute = RUNTIMES[name].split(":")
    try:
        found: Runtime = getattr(import_module(module), attribute)
    except ImportError as error:
        raise Misconfigured(
            "WrongImage", f"This image lacks the runtime {name} ({error}); check the evaluators' images."
        ) from error
    return found
