"""Does the shipped file answer as the model that was trained?

Owns reading the fake-quantised model's recorded outputs and comparing. A converter can lose the learned
scales and still write a valid file: this is where it shows. Must not draw a verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

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
    predicted: NDArray[np.int64]


def read(path: Path, samples: int, num_classes: int) -> Recorded:
    """Read the recorded outputs.

    Args:
        path: an .npz file with `indices` int [m] into the test split and `logits` float [m, classes].
        samples: of the test split.
        num_classes: of the dataset.

    Raises:
        InvalidData: ArraysInvalid; FakeQuantInvalid, for what cannot belong to this split.
    """
    found = arrays.load(path, ("indices", "logits"), MAX_BYTES)
    indices, logits = found["indices"], found["logits"]
    problem = ""
    if indices.ndim != 1 or indices.dtype.kind not in "iu" or len(indices) == 0:
        problem = "indices must be whole numbers in one dimension, at least one"
    elif logits.shape != (len(indices), num_classes) or logits.dtype.kind != "f":
        problem = f"logits must be floats of shape {[len(indices), num_classes]}"
    elif indices.min() < 0 or indices.max() >= samples:
        problem = f"indices must lie in 0..{samples - 1}"
    elif not np.isfinite(logits).all():
        problem = "logits must be finite"
    if problem:
        raise InvalidData("FakeQuantInvalid", f"{path.name} of the candidate: {problem}; export it again.")
    return Recorded(indices.astype(np.int64), logits.argmax(axis=1))


def compare(recorded: Recorded, predicted: NDArray[np.int64]) -> Agreement:
    """The share of samples with the same first class."""
    same = float(np.mean(recorded.predicted == predicted))
    return Agreement(value=round(same, 6), samples=len(predicted))
