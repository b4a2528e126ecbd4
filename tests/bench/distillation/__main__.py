"""What teachers cost a training: samples a second of a distillation beside a bare Paddle loop.

    python -m bench.distillation [--student ARCH] [--teacher ARCH] [--rounds N] [--steps N]

One student, one data pipeline (bytes in memory, a batch gathered and normalised by the reader), batches of
32, Adam, one thread. Each round trains three ways, one after the other, so that all meet the same machine:

bare      a plain loop: batch, forward, cross entropy, backward, Adam, learning rate. No teacher, no other
          code of this project than the reader and the network.
kept      a distillation as the stage runs it: its loop with all that belongs to a step (random streams, check
          for divergence, progress), a feature loss with an adapter if --features is given, and the teacher's
          outputs computed before and mapped into memory. That computation is not in the time; it is printed.
asked     the same, but the teacher answers every batch.

A figure is the median over the rounds of the ratio within a round, by the clock; beside it stands the same by
processor time, which neighbours on the machine disturb less. Ends non-zero where a bound does not hold.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.distillation import ways
from bench.distillation.ways import Setting

LEAST_KEPT, LEAST_GAIN = 0.95, 3.0


@dataclass(frozen=True)
class Pace:
    """Samples a second."""

    clock: float
    processor: float


Round = dict[str, Pace]
"""By way."""


def main() -> int:
    """Measure, print, and say whether the bounds hold."""
    given = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting.make(given.student, given.teacher, Path(folder), features=given.features)
        loops = {"bare": ways.bare, "kept": ways.kept, "asked": ways.asked}
        steps = {"bare": given.steps, "kept": given.steps, "asked": max(2, given.steps // 8)}
        for name, loop in loops.items():
            loop(setting, 3 if name != "asked" else 2)
        rounds = []
        for number in range(given.rounds):
            # Whoever comes first meets the cooler processor: the order turns.
            order = [*loops][number % 2 :] + [*loops][: number % 2]
            found = {name: _pace(loops[name], setting, steps[name]) for name in order}
            rounds.append(found)
    return _report(given, setting, rounds)


def _pace(loop: Callable[[Setting, int], None], setting: Setting, steps: int) -> Pace:
    clock, processor = time.perf_counter(), time.process_time()
    loop(setting, steps)
    samples = steps * ways.BATCH
    return Pace(samples / (time.perf_counter() - clock), samples / (time.process_time() - processor))


def _report(given: argparse.Namespace, setting: Setting, rounds: Sequence[Round]) -> int:
    figures = [("kept", "bare", LEAST_KEPT), ("kept", "asked", LEAST_GAIN)]
    paces = Table(title=f"{given.student} under {given.teacher}: samples a second")
    for column in ("round", "bare", "kept", "asked"):
        paces.add_column(column, justify="right")
    for number, each in enumerate(rounds, start=1):
        paces.add_row(str(number), *(f"{each[name].clock:.0f}" for name in ("bare", "kept", "asked")))
    table = Table(
        title=f"the teacher's outputs for {ways.COUNT} samples: {setting.teacher_seconds:.1f} s, once"
    )
    for column in ("figure", "median", "least", "most", "bound", "holds", "by processor time"):
        table.add_column(column, justify="right")
    held = True
    for ours, other, bound in figures:
        ratios = [each[ours].clock / each[other].clock for each in rounds]
        processor = statistics.median(each[ours].processor / each[other].processor for each in rounds)
        median = statistics.median(ratios)
        held = held and median >= bound
        values = [f"{value:.2f}" for value in (median, min(ratios), max(ratios))]
        holds = "yes" if median >= bound else "NO"
        table.add_row(f"{ours} / {other}", *values, f">= {bound}", holds, f"{processor:.2f}")
    console = Console()
    console.print(paces)
    console.print(table)
    return 0 if held else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.distillation", description=__doc__.split("\n")[0])
    parser.add_argument("--student", default="mobilenet_v1_tiny", help="architecture that is trained")
    parser.add_argument("--teacher", default="resnet18_32", help="architecture that teaches")
    parser.add_argument("--features", default="", help="student layer=teacher layer, compared by L2")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=32, help="of each way in a round")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
