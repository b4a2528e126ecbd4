"""What a second rank brings: samples a second of two processes that train one network, beside one's.

    python -m bench.data_parallel [--arch ARCH] [--batch N] [--rounds N] [--steps N]

One thread a process, the same global batch. Each round runs four ways, one after the other:

one        one process on the whole batch
half       one process on half of the batch: what a step costs a rank if nothing else does
apart      two of these at once that know nothing of each other: what sharing the machine costs
together   two ranks: gradients are averaged in one sum a step

The figure is the median over the rounds of `together` by `one`; the table tells where the rest of a factor of
two goes. It needs two otherwise idle cores; ends non-zero where the bound does not hold.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

LEAST = 1.25
Pace = dict[str, float]
"""Seconds of a step: by the clock, by the processor, in collectives."""


def main() -> int:
    """Measure, print, and say whether the bound holds."""
    parser = argparse.ArgumentParser(prog="bench.data_parallel", description=__doc__)
    parser.add_argument("--arch", default="resnet8")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60)
    given = parser.parse_args()
    rounds = [_round(given.arch, given.batch, given.steps) for _ in range(given.rounds)]
    return _report(given, rounds)


def _round(arch: str, batch: int, steps: int) -> dict[str, Pace]:
    def plan(size: int, replica: dict[str, Any] | None = None) -> dict[str, Any]:
        return {"arch": arch, "batch": size, "steps": steps, "replica": replica}

    master = f"127.0.0.1:{_port()}"
    ranks = [{"index": rank, "count": 2, "master": master, "patience_seconds": 60} for rank in (0, 1)]
    return {
        "one": _run([plan(batch)]),
        "half": _run([plan(batch // 2)]),
        "apart": _run([plan(batch // 2)] * 2),
        "together": _run([plan(batch, rank) for rank in ranks]),
    }


def _run(plans: list[dict[str, Any]]) -> Pace:
    """The slower of the processes' paces."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.data_parallel.worker", json.dumps(plan)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            text=True,
        )
        for plan in plans
    ]
    paces: list[Pace] = [
        json.loads(process.communicate()[0].strip().splitlines()[-1]) for process in processes
    ]
    return max(paces, key=lambda pace: pace["clock"])


def _report(given: argparse.Namespace, rounds: list[dict[str, Pace]]) -> int:
    def middle(way: str, kind: str) -> float:
        return statistics.median(found[way][kind] for found in rounds) * 1000

    table = Table(
        title=f"{given.arch}, batch {given.batch}: milliseconds of a step (median of {len(rounds)})"
    )
    for column in ("way", "by the clock", "by the processor", "in collectives", "samples a second"):
        table.add_column(column, justify="left" if column == "way" else "right")
    for way, size in (("one", 1.0), ("half", 0.5), ("apart", 1.0), ("together", 1.0)):
        clock = middle(way, "clock")
        pace = size * given.batch / clock * 1000
        figures = (clock, middle(way, "processor"), middle(way, "collective"), pace)
        table.add_row(way, *(f"{figure:.1f}" for figure in figures))
    console = Console()
    console.print(table)
    one, half, apart, together = (middle(way, "clock") for way in ("one", "half", "apart", "together"))
    console.print(
        f"a factor of 2 becomes {one / half:.2f} as half a batch costs more than half of one, "
        f"{one / apart:.2f} as two processes share the machine, {one / together:.2f} with the sums"
    )
    gain = statistics.median(found["one"]["clock"] / found["together"]["clock"] for found in rounds)
    holds = gain >= LEAST
    console.print(
        f"two ranks by one: [bold]{gain:.2f}[/] (at least {LEAST}) {'holds' if holds else 'DOES NOT HOLD'}"
    )
    return 0 if holds else 1


def _port() -> int:
    """A free port with a free one behind it."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port: int = first.getsockname()[1]
            with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port + 1)):
                return port


if __name__ == "__main__":
    sys.exit(main())
