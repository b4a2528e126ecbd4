"""The process that converts: ``python3 -m compression_jobs.exporters.worker REQUEST``.

Converters are native code that ends its process on what it does not know; here it takes no trained network
with it. Owns the order conversion, tidying, quantising, checking. Must not know stages or artifacts.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import TypeAdapter

from compression_jobs import arrays
from compression_jobs.exporters import kernels
from compression_jobs.exporters.float_graph import tidy
from compression_jobs.exporters.graph import Graph
from compression_jobs.exporters.int8_graph import quantise
from compression_jobs.exporters.problems import ExportProblem
from compression_jobs.exporters.request import Quantised, Report, Request
from compression_jobs.exporters.scales import read_scales

MAX_CALIBRATION_BYTES = 8 << 30
PER_CHANNEL_OPSET = 13
"""DequantizeLinear's attribute `axis` (github.com/onnx/onnx, docs/Changelog.md)."""


def convert(request: Request) -> Report:
    """Write the files that were asked for.

    Raises:
        ExportProblem: what the network has that cannot be exported.
    """
    _to_onnx(request)
    graph = Graph.load(request.float_output)
    factors = tidy(graph)
    graph.save(request.float_output)
    if request.quantised is None:
        return Report()
    if graph.opset < PER_CHANNEL_OPSET:
        raise ExportProblem(
            f"a grid for each channel needs ONNX operators of version {PER_CHANNEL_OPSET} or later, "
            f"not {graph.opset}; set onnxOpset"
        )
    layers = read_scales(request.quantised.scales)
    inputs = arrays.load(request.quantised.calibration, ("inputs",), MAX_CALIBRATION_BYTES)["inputs"]
    done = quantise(graph, layers, factors, inputs)
    graph.save(request.quantised.output)
    return _report(request.quantised, done.weights, {layer.weight: layer.layer for layer in layers})


def _to_onnx(request: Request) -> None:
    # Paddle 2.6 exports zlib's symbols: loaded first, it breaks the standard library's (Paddle issue 70538).
    import zlib  # noqa: F401, PLC0415

    import paddle2onnx  # noqa: PLC0415

    try:
        paddle2onnx.export(
            f"{request.program}.pdmodel",
            f"{request.program}.pdiparams",
            str(request.float_output),
            opset_version=request.opset,
            verbose=False,
        )
    except RuntimeError as error:
        raise ExportProblem(f"paddle2onnx: {' '.join(str(error).split())}") from error
    if not request.float_output.exists():
        raise ExportProblem(f"paddle2onnx cannot write it with operators of version {request.opset}")


def _report(given: Quantised, weights: dict[str, str], paths: dict[str, str]) -> Report:
    found = kernels.executed(given.output, weights)
    return Report(
        layers=len(weights),
        in_floats=tuple(paths[name] for name in found.in_floats),
        float_layers=found.float_layers,
        integer_bytes=found.integer_bytes,
        float_bytes=found.float_bytes,
    )


def main(path: Path) -> Report:
    """Answer a request; a problem of the network's is an answer too."""
    given = TypeAdapter(Request).validate_json(path.read_bytes())
    try:
        return convert(given)
    except ExportProblem as problem:
        return Report(problem=str(problem))


if __name__ == "__main__":
    sys.stdout.write(f"{main(Path(sys.argv[1])).model_dump_json()}\n")
