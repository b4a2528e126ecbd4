"""Conversion to ONNX, as stages ask for it.

Owns the child process around `worker`.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from compression_jobs import arrays, children
from compression_jobs.errors import Defect, InvalidInput
from compression_jobs.exporters.request import Quantised, Report, Request
from compression_jobs.exporters.scales import LayerScales, write_scales

log = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = 1800.0
_UNKNOWN: Final = re.compile(r"operators not supported yet, including ([^\n]*?),?\s*$", re.MULTILINE)
"""How paddle2onnx 1.3 names them before it aborts."""
_PACKAGES: Final = str(Path(__file__).resolve().parents[2])
"""The child loads the packages that we were loaded from."""


def to_float_onnx(program: Path, output: Path, opset: int, scratch: Path) -> None:
    """Convert a program.

    Args:
        program: the prefix of a Paddle inference program.
        output: the ONNX file.
        opset: version of ONNX's operators.
        scratch: a folder for what lies between.

    Raises:
        InvalidInput: ExportFailed, the network has what cannot be exported.
        OutOfMemory, TransferFailed, Defect: the converter's end.
    """
    _run(Request(program=program, opset=opset, float_output=output), scratch)


def to_int8_onnx(
    program: Path,
    output: Path,
    layers: tuple[LayerScales, ...],
    calibration: NDArray[Any],
    opset: int,
    scratch: Path,
) -> Report:
    """Convert a float program and put the learned grids into it.

    Args:
        program: the prefix of a Paddle inference program, trained and not quantised.
        output: the ONNX file with QuantizeLinear and DequantizeLinear.
        layers: the learned grids.
        calibration: samples [n, ...] for tensors that no layer learned a grid for.
        opset: version of ONNX's operators.
        scratch: a folder for what lies between.

    Returns:
        What was quantised, and how the runtime computes it.

    Raises:
        InvalidInput: ExportFailed, the network has what cannot be exported.
        OutOfMemory, TransferFailed, Defect: the converter's end.
    """
    scales, samples = scratch / "scales.json", scratch / "calibration.npz"
    write_scales(scales, layers)
    arrays.save(samples, {"inputs": calibration})
    quantised = Quantised(scales=scales, calibration=samples, output=output)
    report = _run(
        Request(program=program, opset=opset, float_output=scratch / "float.onnx", quantised=quantised),
        scratch,
    )
    told = report.model_dump(by_alias=True, exclude={"problem"})
    if report.in_floats:
        log.warning("quantised layers without an integer kernel", extra={"fields": told})
    else:
        log.info("INT8 file written", extra={"fields": told})
    return report


def _path_of_ours() -> list[str]:
    found = os.environ.get("PYTHONPATH", "")
    return found.split(os.pathsep) if found else []


def _run(request: Request, scratch: Path) -> Report:
    file = scratch / "convert.json"
    file.write_text(request.model_dump_json(by_alias=True))
    try:
        done = children.run(
            [sys.executable, "-m", "compression_jobs.exporters.worker", str(file)],
            doing="converting to ONNX",
            timeout=TIMEOUT_SECONDS,
            environment={**os.environ, "PYTHONPATH": os.pathsep.join([_PACKAGES, *_path_of_ours()])},
            check=False,
        )
    except Defect as error:  # the converter's native half ends its process on what it does not know
        raise _failed(_said(error)) from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise Defect("ChildFailed", f"The process for converting to ONNX failed: {last}")
    report = Report.model_validate_json(done.stdout.strip().splitlines()[-1])
    if report.problem:
        raise _failed(f"{report.problem}.")
    return report


def _said(error: Defect) -> str:
    """Which operators the converter does not know, or else how it ended."""
    words = getattr(error.__cause__, "stdout", "") or ""
    unknown = _UNKNOWN.search(words)
    return f"paddle2onnx does not know the operators {unknown[1]}." if unknown else error.message


def _failed(why: str) -> InvalidInput:
    return InvalidInput(
        "ExportFailed", f"The network cannot be exported to ONNX: {why} Build it of operators that can be."
    )
