"""FP32 against INT8 on each runtime: ResNet18 at 224 pixels, one image a call, one thread, in turns.

Run as `python -m bench.runtimes` with tests/ and jobs/ on PYTHONPATH. How much faster INT8 must be is judged
on processors with VNNI alone, and on ONNX Runtime, which serves; exits 1 where a bound does not hold.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.runtimes.measuring import METHODS, Measured, make, measure
from compression_contract.methods import LatencyPlan
from compression_contract.results import Speedup
from compression_jobs.evaluation import latency, processor
from compression_jobs.runtimes import RUNTIMES

VNNI = ("avx512_vnni", "avx_vnni")
LEAST_SPEEDUP = {"PTQ": 2.5, "QAT": 2.0}
JUDGED = "onnxruntime"


def table(measured: list[Measured], arch: str) -> Table:
    """The figures."""
    columns = ("runtime", "file", "p50 ms", "p95", "p99", "CV", "times FP32", "resident MB", "MB")
    found = Table(*columns, title=f"{arch}: one image, one thread, in turns")
    for one in measured:
        size = f"{one.bytes / 1e6:.1f}"
        if one.latency is None:
            found.add_row(one.runtime, one.method, f"[red]{one.problem}[/]", "", "", "", "", "", size)
            continue
        times = [f"{getattr(one.latency, name):.2f}" for name in ("p50", "p95", "p99", "cv")]
        ratio = "" if one.speedup is None else _ratio(one.speedup)
        found.add_row(one.runtime, one.method, *times, ratio, f"{one.resident / 1e6:.0f}", size)
        if one.method == METHODS[-1]:
            found.add_section()
    return found


def _ratio(found: Speedup) -> str:
    text = f"{found.p50.value:.2f} ({found.p50.low:.2f} to {found.p50.high:.2f})"
    return f"[red]{text} slower than FP32[/]" if latency.is_slower(found) else text


def judge(measured: list[Measured], console: Console) -> bool:
    """Print each bound with its figure; whether all that are judged hold."""
    cpu = processor.identify(VNNI)
    holds = True
    for one in measured:
        if not one.runtime.startswith(JUDGED) or one.method not in LEAST_SPEEDUP:
            continue
        least = LEAST_SPEEDUP[one.method]
        figure = one.speedup.p50.value if one.speedup else 0.0
        fits = figure >= least
        verdict = "[green]holds[/]" if fits else "[red]does not hold[/]"
        if not cpu.features:
            verdict = "not judged: no VNNI"
        holds = holds and (fits or not cpu.features)
        console.print(
            f"{one.method} on {one.runtime}: {figure:.2f} times as fast as FP32, bound {least}: {verdict}"
        )
    console.print(f"processor: {cpu.cpu_model}, {cpu.cpus} in use; {', '.join(cpu.features) or 'no VNNI'}")
    return holds


def main() -> int:
    """Make the files, measure, print; the exit code says whether the bounds hold."""
    parser = argparse.ArgumentParser(prog="bench.runtimes", description=__doc__)
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--iterations", type=int, default=50)
    given = parser.parse_args()
    shape, plan = (3, given.size, given.size), LatencyPlan(warmup=5, iterations=given.iterations, repeats=3)
    console, measured = Console(width=120), []
    # A process for each: libraries with threads of their own must not meet.
    with tempfile.TemporaryDirectory(prefix="bench-runtimes-") as folder:
        with _alone() as pool:
            files = pool.submit(make, given.network, shape, Path(folder)).result()
        for name in RUNTIMES:
            family = "Paddle" if name.startswith("paddle") else "ONNX"
            with _alone() as pool:
                measured += pool.submit(measure, name, files[family], shape, plan).result()
    console.print(table(measured, f"{given.network} at {given.size}"))
    return 0 if judge(measured, console) else 1


def _alone() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


if __name__ == "__main__":
    sys.exit(main())
