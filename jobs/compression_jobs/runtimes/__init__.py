"""The inference runtimes that models are deployed on, by name.

Owns the Protocol of an opened model and the table. Must not import a runtime before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from compression_contract.served_model import TensorSpec
from compression_jobs.errors import Misconfigured


class Session(Protocol):
    """A classifier, opened as it will be served: one float32 input [n, …], one output [n, classes]."""

    @property
    def input(self) -> TensorSpec:
        """The input; -1 is a free dimension."""

    @property
    def output(self) -> TensorSpec:
        """The output; -1 is a free dimension."""

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """One call; raises InvalidData(ModelFailed)."""


Opener = Callable[[Path, str, int], Session]
"""``open_model(path, format, threads)``; raises InvalidData for a file that must not or cannot be opened."""

RUNTIMES: Final[Mapping[str, str]] = {"onnxruntime": "compression_jobs.runtimes.onnx_runtime:open_model"}


def opener(name: str) -> Opener:
    """How this runtime opens a model.

    Raises:
        Misconfigured: RuntimeUnknown; WrongImage, the image lacks it.
    """
    if name not in RUNTIMES:
        raise Misconfigured(
            "RuntimeUnknown",
            f"This evaluator does not know the runtime {name!r}, it knows {', '.join(RUNTIMES)}; "
            "correct evaluation.targets or the evaluators of the CompressionRuntime.",
        )
    module, function = RUNTIMES[name].split(":")
    try:
        found: Opener = getattr(import_module(module), function)
    except ImportError as error:
        raise Misconfigured(
            "WrongImage", f"This image lacks the runtime {name} ({error}); check the evaluators' images."
        ) from error
    return found
