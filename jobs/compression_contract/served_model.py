"""model.json: what the serving image carries beside the model's bytes.

Owns the description that packaging writes, the server reads and the probe checks.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from compression_contract.base import Digest, Fraction, Frozen

MODEL_FOLDER: Final = "/models"
MODEL_FILE: Final = "model.onnx"
DESCRIPTION_FILE: Final = "model.json"
GOLDEN_FILE: Final = "golden/golden.npz"
GOLDEN_INPUTS: Final = "inputs"
GOLDEN_OUTPUTS: Final = "outputs"


def decision_axis(dimensions: int) -> int:
    """The axis of an output along which its largest entry is the answer.

    That of classes in [n, classes] and [n, positions, classes], that of channels in maps [n, channels, h, w]:
    along a map's width, where mostly nothing is, the largest entry is noise.
    """
    return 1 if dimensions == 4 else -1


class Tolerance(Frozen):
    """How far a prediction may be from its golden output on another machine.

    INT8 kernels differ between processors, so equality to the bit cannot be asked for.
    """

    max_absolute_difference: Annotated[float, Field(ge=0)] = 0.05
    top1_agreement: Fraction = 0.99


class TensorSpec(Frozen):
    """A tensor in the Open Inference Protocol's words; -1 is a free dimension."""

    name: str
    datatype: str
    shape: tuple[int, ...]


class ServedModel(Frozen):
    """The description of the one model that an image serves."""

    name: str
    version: str = ""
    artifact_digest: Digest
    """Digest of the candidate's artifact, as it was gated."""
    model_digest: Digest
    """sha256 of model.onnx."""
    golden_digest: Digest
    """sha256 of golden.npz."""
    format: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    threads: Annotated[int, Field(ge=1, le=128)] = 1
    tolerance: Tolerance = Tolerance()
