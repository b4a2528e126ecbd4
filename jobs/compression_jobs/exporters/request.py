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
    """An .npz file with `inputs` float32 [n, ...]."""
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

    layers: int = 0
