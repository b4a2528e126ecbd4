"""The process that converts: ``python3 -m compression_jobs.exporters.worker REQUEST``.

Converters are native code that ends its process on what it does not know; here it takes no trained network
with it. Owns the order conversion, tidying, quantising. Must not know stages or artifacts.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from compression_jobs import arrays
from compression_jobs.exporters.float_graph import tidy
from compression_jobs.exporters.graph import Graph
from compression_jobs.exporters.int8_graph import quantise
from compression_jobs.exporters.request import Report, Request
from compression_jobs.exporters.scales import read_scales

MAX_CALIBRATION_BYTES = 8 << 30


def convert(request: Request) -> Report:
    """Write the files that were asked for."""
    # Paddle 2.6 exports zlib's symbols: loaded first, it breaks the standard library's (Paddle issue 70538).
    import zlib  # noqa: F401, PLC0415

    import paddle2onnx  # noqa: PLC0415

    paddle2onnx.export(
        f"{request.program}.pdmodel",
        f"{request.program}.pdiparams",
        str(request.float_output),
        opset_version=request.opset,
        verbose=False,
    )
    graph = Graph.load(request.float_output)
    factors = tidy(graph)
    graph.save(request.float_output)
    wanted = request.quantised
    if wanted is None:
        return Report()
    inputs = arrays.load(wanted.calibration, ("inputs",), MAX_CALIBRATION_BYTES)["inputs"]
    layers = quantise(graph, read_scales(wanted.scales), factors, inputs.astype(np.float32))
    graph.save(wanted.output)
    return Report(layers=layers)


if __name__ == "__main__":
    given = TypeAdapter(Request).validate_json(Path(sys.argv[1]).read_bytes())
    sys.stdout.write(f"{convert(given).model_dump_json()}\n")
