"""Formats of model files: what a format is called, and which files of an artifact it is made of.

Owns the names that those who write candidates, measure them and ship them must agree on. Must not know how a
file is written or run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

FLOAT_ONNX: Final = "float.onnx"
QUANTISED_ONNX: Final = "model.onnx"
PROGRAM_FORMAT: Final = "PaddleInference"
"""Paddle's own form: a program and its weights."""

CANDIDATE_FILES: Final[Mapping[str, tuple[str, ...]]] = {
    "ONNX": (FLOAT_ONNX,),
    "ONNXQDQ": (QUANTISED_ONNX,),
    "PaddleInference": ("model.pdmodel", "model.pdiparams"),
    "PaddleLite": ("model.nb",),
}
"""The files of a Candidate, by spec.export.formats; the first one gives the model its name in sentences."""

BASELINE_FORMATS: Final[Mapping[str, str]] = {
    "ONNX": "ONNX",
    "ONNXQDQ": "ONNX",
    "PaddleInference": "PaddleInference",
    "PaddleLite": "PaddleLite",
}
"""The format of the float model that a candidate of each format is measured beside."""

FLOAT_FILES: Final[Mapping[str, tuple[str, ...]]] = {
    "ONNX": (FLOAT_ONNX,),
    "PaddleInference": ("float.pdmodel", "float.pdiparams"),
    "PaddleLite": ("float.nb",),
}
"""The files of a FloatStudent, by format."""
