"""What every runtime refuses alike, in the same words.

Owns the checks on formats and signatures. Must not know any runtime.
"""

from __future__ import annotations

from collections.abc import Sequence

from compression_contract.served_model import TensorSpec
from compression_jobs.errors import InvalidData, Misconfigured
from compression_jobs.runtimes import DATATYPES
from compression_jobs.runtimes.model_files import ModelFiles


def require_format(name: str, formats: frozenset[str], model: ModelFiles) -> None:
    """Raises Misconfigured(FormatUnsupported) where a runtime does not read a format."""
    if model.format not in formats:
        raise Misconfigured(
            "FormatUnsupported",
            f"{name} does not run {model.format}; choose {' or '.join(sorted(formats))}.",
        )


def signature(
    model: ModelFiles, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> tuple[TensorSpec, TensorSpec]:
    """The one input and the one output; raises InvalidData(SignatureUnsupported)."""
    fits = len(inputs) == len(outputs) == 1
    fits = fits and inputs[0].datatype in DATATYPES and outputs[0].datatype == "FP32"
    if not fits or len(inputs[0].shape) < 2 or len(outputs[0].shape) < 2:
        raise InvalidData(
            "SignatureUnsupported",
            f"{model.name} must have one input, of type float32 or int64, and one float32 output, both with "
            "a batch in front.",
        )
    return inputs[0], outputs[0]


def not_quantised(name: str, model: ModelFiles) -> InvalidData:
    """A quantised file that a runtime would compute in float, slower than its FP32 form."""
    return InvalidData(
        "NotQuantised",
        f"{model.name} should run in INT8, but {name} finds no integer operator in it; "
        "export it with QuantizeLinear and DequantizeLinear around its layers.",
    )


def model_failed(model: ModelFiles, error: Exception) -> InvalidData:
    """A call that the runtime did not survive."""
    return InvalidData("ModelFailed", f"{model.name} failed on an input: {one_line(error)}.")


def model_refused(name: str, model: ModelFiles, error: Exception) -> InvalidData:
    """Files that the runtime does not open."""
    return InvalidData("ModelRefused", f"{name} refuses {model.name}: {one_line(error)}.")


def one_line(error: Exception) -> str:
    """What a library says of itself, short enough for a message."""
    return " ".join(str(error).split())[:300]
