"""Does the shipped file answer as the model that was trained?

Owns reading the fake-quantised model's recorded outputs and comparing. A converter can lose the learned
scales and still write a valid file: this is where it shows. Must not draw a verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compression_contract.results import Agreement
from compression_jobs import arrays
from compression_jobs.errors import InvalidData

MAX_BYTES: Final = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the fake-quantised model said of some samples of the test split."""

    indices: NDArray[np.int64]
    outputs: NDArray[np.float32]
    """[m, ...], as the task has them."""


def read(path: Path, samples: int, output_shape: tuple[int, ...]) -> Recorded:
    """Read the recorded outputs.

    Args:
        path: an .npz file with `indices` int [m] into the test split and `logits` float [m, *output_shape].
        samples: of the test split.
        output_shape: of the model for one sample; -1 is free.

    Raises:
        InvalidData: ArraysInvalid; FakeQuantInvalid, for what cannot belong to this split.
    """
    found = arrays.load(path, ("indices", "logits"), MAX_BYTES)
    indices, logits = found["indices"], found["logits"]
    problem = ""
    if indices.ndim != 1 or indices.dtype.kind not in "iu" or len(indices) == 0:
        problem = "indices must be whole numbers in one dimension, at least one"
    elif not _has_shape(logits, (len(indices), *output_shape)) or logits.dtype.kind != "f":
        problem = f"logits must be floats of shape {[len(indices), *output_shape]}"
    elif indices.min() < 0 or indices.max() >= samples:
        problem = f"indices must lie in 0..{samples - 1}"
    elif not np.isfinite(logits).all():
        problem = "logits must be finite"
    if problem:
        raise InvalidData("FakeQuantInvalid", f"{path.name} of the candidate: {problem}; export it again.")
    return Recorded(indices.astype(np.int64), logits.astype(np.float32))


def compare(same: NDArray[np.bool_]) -> Agreement:
    """The share of samples on which both answer alike."""
    return Agreement(value=round(float(np.mean(same)), 6), samples=len(same))


def _has_shape(array: NDArray[Any], shape: tuple[int, ...]) -> bool:
    return array.ndim == len(shape) and all(
        wanted in {-1, found} for wanted, found in zip(shape, array.shape, strict=True)
    )
