"""What the converting process is asked and what it answers.

Owns the two documents; importing them loads no converter.
"""

from __future__ import annotations

from pathlib import Path

from compression_contract.base import Frozen


class Quantised(Frozen):
    """The INT8 file that is wanted too."""

    scales: Path
    calibration: Path
    """An .npz file with `inputs` float32 or int64 [n, ...]."""
    output: Path


class Request(Frozen):
    """What to convert."""

    program: Path
    """The prefix of a Paddle inference program."""
    opset: int
    float_output: Path
    quantised: Quantised | None = None


class Report(Frozen):
    """What came of it, as the process's last line."""

    problem: str = ""
    """Why the network cannot be exported; then there is no file."""
    layers: int = 0
    """Quantised ones."""
    in_floats: tuple[str, ...] = ()
    """Quantised layers that the runtime has no integer kernel for: only their weights are 8-bit."""
    float_layers: int = 0
    """Layers that compute in floating point, skipped ones and products of two activations among them."""
    integer_bytes: int = 0
    float_bytes: int = 0
    """Bytes of constants that stay floats: weights of recurrent and skipped layers, and scales."""
