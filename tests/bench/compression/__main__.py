"""Our INT8 files beside the peers', on the same float model, images and machine, in one run.

Run as `python -m bench.compression FOLDER` with tests/ and jobs/ on PYTHONPATH (`make bench-compression`).
Exits 1 where a bound does not hold; the bounds are printed beside the figures.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.compression import peers
from bench.compression.judge import Data, Judged, judge
from bench.compression.ours import SEED, Budget, Workshop
from compression_contract.artifacts import ArtifactRef
from compression_contract.methods import LatencyPlan
from compression_jobs.runtimes import ModelFiles
from support import seaweed

NETWORKS = ("mobilenet_v1_x0_5", "mobilenet_v2_x0_5_32", "mobilenet_v3_small_x0_5_32", "resnet18_32_s2")
LARGEST_DROP = 0.005
"""FP32 to deployed INT8, by PTQ or, where that misses it, by QAT."""
LEAST_RATIO = {"resnet18_32_s2": 3.6}
PLAN = LatencyPlan(warmup=20, iterations=200, repeats=3)
OURS = ("PTQ", "QAT")


@dataclass(frozen=True)
class Bound:
    """A figure beside what it must be."""

    what: str
    figure: str
    required: str
    holds: bool


class Contest:
    """One network: the float model, our candidates and the peers' files, judged together."""

    def __init__(self, workshop: Workshop, arch: str, data: Data, console: Console) -> None:
        self._workshop, self._arch, self._data, self._console = workshop, arch, data, console
        self._folder = workshop.folder / arch
        self._folder.mkdir(parents=True, exist_ok=True)
        self.judged: dict[str, Judged] = {}
        self.failures: dict[str, str] = {}

    def run(self) -> Contest:
        """Train, quantise by every way, judge."""
        self._console.print(f"[bold]{self._arch}[/]: training")
        student = self._workshop.train(self._arch)
        start = self._float_model(student)
        files = {"FP32": ("onnxruntime", ModelFiles("ONNX", (start.onnx,)))}
        for method in OURS:
            self._console.print(f"{self._arch}: {method}")
            candidate = self._workshop.quantise(self._arch, student, method)
            path = self._workshop.fetch(candidate, "model.onnx", self._folder / f"{method}.onnx")
            files[method] = ("onnxruntime", ModelFiles("ONNXQDQ", (path,)))
        for name, peer in peers.PEERS.items():
            self._console.print(f"{self._arch}: {name}")
            try:
                files[name] = peer(start, self._folder)
            except (peers.PeerFailed, OSError, ValueError, RuntimeError) as error:
                self.failures[name] = str(error).splitlines()[-1][:120]
        self.judged = judge(files, self._data, PLAN)
        return self

    @property
    def best(self) -> str:
        """PTQ, or QAT where PTQ drops too much: what the plan would ship."""
        drop, _ = self.judged["PTQ"].less(self.judged["FP32"])
        return "PTQ" if drop <= LARGEST_DROP else "QAT"

    def bounds(self) -> Iterator[Bound]:
        """What must hold of this network."""
        ours, float_model = self.judged[self.best], self.judged["FP32"]
        drop, _ = ours.less(float_model)
        yield Bound(
            f"{self._arch}: drop by {self.best}", f"{drop:+.4f}", f"<= {LARGEST_DROP}", drop <= LARGEST_DROP
        )
        least = LEAST_RATIO.get(self._arch)
        if least:
            ratio = float_model.bytes / ours.bytes
            yield Bound(
                f"{self._arch}: FP32 bytes / INT8 bytes", f"{ratio:.2f}", f">= {least}", ratio >= least
            )
        for name in peers.PEERS:
            if name in self.judged:
                less, error = ours.less(self.judged[name])
                what = f"{self._arch}: {self.best} less accurate than {name}"
                yield Bound(what, f"{less:+.4f}", f"<= {error:.4f} (1 s.e.)", less <= error)

    def rows(self) -> Iterator[tuple[str, ...]]:
        """A row for each file, and one for each peer that failed."""
        start = self.judged["FP32"]
        for name, one in self.judged.items():
            drop, error = one.less(start)
            assert one.latency is not None
            yield (
                self._arch,
                f"{name} (ours)" if name in OURS else name,
                f"{one.accuracy:.4f}",
                "" if one is start else f"{drop:+.4f} ± {error:.4f}",
                f"{one.bytes / 1e3:.0f}",
                f"{start.bytes / one.bytes:.2f}",
                f"{one.latency.p50:.3f}",
                f"{start.latency.p50 / one.latency.p50:.2f}" if start.latency else "",
            )
        for name, why in self.failures.items():
            yield self._arch, name, "failed", why, "", "", "", ""

    def _float_model(self, student: ArtifactRef) -> peers.FloatModel:
        fetch, folder = self._workshop.fetch, self._folder
        images = self._data.calibration(SEED, 32 * self._workshop.budget.batches)
        np.save(folder / "calibration.npy", images)
        np.savez(folder / "train.npz", images=self._data.train, labels=self._data.train_labels)
        for suffix in ("pdmodel", "pdiparams"):
            fetch(student, f"float.{suffix}", folder / "program" / f"float.{suffix}")
        return peers.FloatModel(
            fetch(student, "float.onnx", folder / "float.onnx"),
            folder / "program/float",
            folder / "calibration.npy",
            folder / "train.npz",
        )


def show(console: Console, contests: list[Contest]) -> bool:
    """Print both tables; whether every bound holds."""
    columns = ("network", "file", "top-1", "drop ± s.e.", "kB", "smaller", "p50 ms", "faster")
    table = Table(*columns, title="All 10,000 test images; latency of one image on one thread, in turns")
    for contest in contests:
        for row in contest.rows():
            table.add_row(*row)
        table.add_section()
    console.print(table)
    bounds = [bound for contest in contests for bound in contest.bounds()]
    judged = Table("figure", "measured", "bound", "", title="Bounds")
    for bound in bounds:
        mark = "[green]holds[/]" if bound.holds else "[red]does not hold[/]"
        judged.add_row(bound.what, bound.figure, bound.required, mark)
    console.print(judged)
    return all(bound.holds for bound in bounds)


def main() -> int:
    """Measure, print, and say by the exit code whether the bounds hold."""
    parser = argparse.ArgumentParser(prog="bench.compression", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="for environments and files; default: a new one")
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--samples", type=int, default=Budget.samples)
    parser.add_argument("--epochs", type=int, default=Budget.epochs)
    given = parser.parse_args()
    folder = (given.folder or Path(tempfile.mkdtemp(prefix="bench-compression-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    console = Console()
    with seaweed.running(folder / "store") as server:
        budget = Budget(given.samples, given.epochs)
        workshop = Workshop(server, server.bucket("bench-compression"), folder, budget)
        data = workshop.prepare()
        contests = [Contest(workshop, arch, data, console).run() for arch in given.networks]
    return 0 if show(console, contests) else 1


if __name__ == "__main__":
    sys.exit(main())
