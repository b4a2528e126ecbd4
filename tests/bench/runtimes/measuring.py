"""One runtime's figures, and the process in which the files are made: the parts that run apart.

Must not import Paddle unless asked for its files or its runtime.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from compression_contract.methods import LatencyPlan
from compression_contract.results import Latency, Speedup
from compression_jobs.errors import StageError
from compression_jobs.evaluation import footprint, latency
from compression_jobs.runtimes import ModelFiles, runtime

METHODS = ("FP32", "PTQ", "QAT")


@dataclass(frozen=True)
class Measured:
    """One file on one runtime."""

    runtime: str
    method: str
    bytes: int
    latency: Latency | None = None
    speedup: Speedup | None = None
    resident: int = 0
    problem: str = ""


def measure(
    name: str, files: dict[str, ModelFiles], shape: tuple[int, ...], plan: LatencyPlan
) -> list[Measured]:
    """All files on one runtime, in turns; one that cannot run says why."""
    found, sessions = runtime(name), {}
    problems: dict[str, str] = {}
    batch = np.random.default_rng(1).normal(0, 1, (1, *shape)).astype(np.float32)
    for method in METHODS:
        try:
            sessions[method] = found.open(files[method], 1)
            sessions[method].run(batch)
        except StageError as error:
            sessions.pop(method, None)
            problems[method] = error.reason
    calls = [partial(session.run, batch) for session in sessions.values()]
    rounds = dict(zip(sessions, latency.measure(calls, plan), strict=True))
    return [
        Measured(found.version, method, files[method].bytes, problem=problems[method])
        if method in problems
        else Measured(
            runtime=found.version,
            method=method,
            bytes=files[method].bytes,
            latency=latency.summary(rounds[method]),
            speedup=latency.speedup(rounds[method], rounds["FP32"], seed=0) if method != "FP32" else None,
            resident=footprint.measure(
                footprint.Load(
                    name, files[method].format, tuple(map(str, files[method].paths)), 1, batch.shape
                )
            ),
        )
        for method in METHODS
    ]


def make(arch: str, shape: tuple[int, ...], folder: Path) -> dict[str, dict[str, ModelFiles]]:
    """See `files.make`."""
    from bench.runtimes import files  # noqa: PLC0415 - loads Paddle

    return files.make(arch, shape, folder)
