"""How near each network's INT8 file is to its fake-quantised network.

    python -m bench.agreement [--small] [--network NAME …] [--method NAME …]

Trains each network for a few steps, quantises it by each method, exports it, and prints a table: bytes of the
float and of the INT8 file, the share of equal decisions with the fake-quantised network and the largest
difference of an answer (in standard deviations), latency of the INT8 file over the float one's. Ends with 1
where a network agrees less than the bound, or an integer kernel was lost that there could be.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.agreement.exporting import METHODS, Budget, Exported, export, fitted, session
from bench.agreement.subjects import LARGE, SMALL, Data, chosen

BOUND = 0.95
CALLS = 60
"""Timed calls of each file, in turns."""


def main() -> int:
    """Export all and judge; 0 if every bound holds."""
    parser = argparse.ArgumentParser(prog="bench.agreement", description=__doc__)
    parser.add_argument("--small", action="store_true", help="one tiny network for each difficulty")
    parser.add_argument("--network", action="append", default=[], help="only this one; may be repeated")
    parser.add_argument("--method", action="append", choices=METHODS, help="only this one; may be repeated")
    given = parser.parse_args()
    console = Console(width=150)
    table = Table(
        *("network", "method", "float kB", "INT8 kB", "ratio", "agreement", "float agrees", "largest Δ"),
        *("latency", "layers", "in floats"),
    )
    worst = 1.0
    for subject in chosen(given.network, SMALL if given.small else LARGE):
        data = subject.data()
        budget = Budget() if given.small else Budget(steps=100, tuning=30, rate=3e-3)
        with tempfile.TemporaryDirectory() as folder:
            weights = fitted(subject, data, budget).state_dict()
            for method in given.method or METHODS:
                done = export(subject, data, weights, method, Path(folder) / method, budget)
                table.add_row(subject.name, method, *_row(done, data))
                worst = min(worst, done.agreement)
                console.print(f"{subject.name} · {method}: {done.agreement:.4f}")
    console.print(table)
    console.print(f"least agreement {worst:.4f} (bound {BOUND})")
    return int(worst < BOUND)


def _row(done: Exported, data: Data) -> tuple[str, ...]:
    before, after = done.float_file.stat().st_size, done.file.stat().st_size
    agreement = f"{done.agreement:.4f}"
    return (
        *(f"{before / 1e3:.0f}", f"{after / 1e3:.0f}", f"{before / after:.2f}"),
        agreement if done.agreement >= BOUND else f"[red]{agreement}[/red]",
        *(f"{done.float_agreement:.4f}", f"{done.difference:.3f}", f"{_slowdown(done, data):.2f}"),
        *(str(done.report.layers), ", ".join(done.report.in_floats)),
    )


def _slowdown(done: Exported, data: Data) -> float:
    """The median time of a call with the INT8 file over that with the float one."""
    sessions = [session(done.float_file), session(done.file)]
    feed = {"input": data.test[:1]}
    times = np.empty((2, CALLS))
    for call in range(CALLS):
        for which, opened in enumerate(sessions):
            begin = time.perf_counter()
            opened.run(None, feed)
            times[which, call] = time.perf_counter() - begin
    floats, integers = np.median(times, axis=1)
    return float(integers / floats)


if __name__ == "__main__":
    sys.exit(main())
