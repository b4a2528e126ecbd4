"""The plots of the page.

Owns one function for each picture. Each takes plain values and gives a PNG, or None where there is nothing to
draw. Must not read files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from compression_jobs.report.style import BAD, GOOD, INK, MUTED, PALETTE, figure, png

MAX_LAYERS: Final = 24


@dataclass(frozen=True, slots=True)
class Point:
    """A model between accuracy, size and latency."""

    name: str
    metric: float
    low: float
    high: float
    megabytes: float
    milliseconds: float | None
    state: str
    """Baseline, Passed, Rejected or another state of a candidate."""


def training(histories: Mapping[str, Sequence[Mapping[str, Any]]]) -> bytes | None:
    """Mean loss of each epoch, a line for each step of the plan."""
    curves = {
        step: [(float(entry["epoch"]), float(entry["loss"])) for entry in history if _has(entry)]
        for step, history in histories.items()
    }
    curves = {step: points for step, points in curves.items() if points}
    if not curves:
        return None
    with figure(9.2, 3.2) as drawn:
        axes = drawn.add_subplot()
        for colour, (step, points) in zip(_colours(), curves.items(), strict=False):
            epochs, losses = zip(*points, strict=True)
            axes.plot(epochs, losses, color=colour, marker="o", markersize=3.5, label=step)
            axes.annotate(
                step, (epochs[-1], losses[-1]), xytext=(6, 0), textcoords="offset points", color=colour
            )
        axes.set(title="Training loss by epoch", xlabel="epoch", ylabel="mean loss")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.margins(x=0.15)
        if all(loss > 0 for points in curves.values() for _, loss in points) and _spread(curves) > 30:
            axes.set_yscale("log")
        return png(drawn)


def pareto(points: Sequence[Point], metric: str, lower_is_better: bool) -> bytes | None:
    """Accuracy against size and against latency, the baseline among the candidates, intervals as bars."""
    if not points:
        return None
    timed = [point for point in points if point.milliseconds is not None]
    with figure(9.2, 3.6) as drawn:
        panels = [(points, "size in MB", [point.megabytes for point in points])]
        if timed:
            panels.append((timed, "latency p95 in ms", [point.milliseconds or 0 for point in timed]))
        axes = drawn.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        for panel, (shown, label, costs) in zip(axes, panels, strict=True):
            _front(panel, shown, costs, lower_is_better)
            for point, cost in zip(shown, costs, strict=True):
                _mark(panel, point, cost)
            panel.set(xlabel=label)
            panel.margins(x=0.22, y=0.25)
        axes[0].set(
            title=f"{metric}, {'less' if lower_is_better else 'more'} is better; left is cheaper",
            ylabel=metric,
        )
        return png(drawn)


def sensitivity(layers: Sequence[Mapping[str, Any]]) -> bytes | None:
    """What quantising each layer alone costs, the costliest first."""
    ranked = [
        (str(entry["layer"]), float(entry["drop"]))
        for entry in layers
        if "layer" in entry and "drop" in entry
    ]
    if not ranked:
        return None
    ranked = sorted(ranked, key=lambda pair: -pair[1])[:MAX_LAYERS]
    with figure(5.2, 0.9 + 0.24 * len(ranked)) as drawn:
        axes = drawn.add_subplot()
        names, drops = zip(*reversed(ranked), strict=True)
        axes.barh(names, drops, color=[BAD if drop > 0 else GOOD for drop in drops], height=0.7)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.grid(visible=False, axis="y")
        axes.set(
            title="What quantising one layer alone costs", xlabel="loss of the metric on calibration samples"
        )
        axes.tick_params(axis="y", labelsize=7.5)
        return png(drawn)


def _front(axes: Axes, points: Sequence[Point], costs: Sequence[float], lower_is_better: bool) -> None:
    """The line of models that no other beats in both."""
    sign = -1 if lower_is_better else 1
    best, front = -np.inf, []
    for cost, point in sorted(
        zip(costs, points, strict=True), key=lambda pair: (pair[0], -sign * pair[1].metric)
    ):
        if sign * point.metric > best:
            best = sign * point.metric
            front.append((cost, point.metric))
    if len(front) > 1:
        axes.step(*zip(*front, strict=True), where="post", color=MUTED, linewidth=1, linestyle=":")


def _mark(axes: Axes, point: Point, cost: float) -> None:
    colour = {"Baseline": MUTED, "Passed": GOOD, "Rejected": BAD}.get(point.state, PALETTE[4])
    below, above = max(0.0, point.metric - point.low), max(0.0, point.high - point.metric)
    axes.errorbar(
        cost,
        point.metric,
        yerr=[[below], [above]],
        color=colour,
        marker="s" if point.state == "Baseline" else "o",
        markersize=7,
        capsize=3,
        linewidth=1.2,
    )
    axes.annotate(point.name, (cost, point.metric), xytext=(7, 5), textcoords="offset points", color=colour)


def _has(entry: Mapping[str, Any]) -> bool:
    return all(isinstance(entry.get(key), int | float) for key in ("epoch", "loss"))


def _colours() -> list[str]:
    return [*PALETTE, *PALETTE]


def _spread(curves: Mapping[str, Sequence[tuple[float, float]]]) -> float:
    losses = [loss for points in curves.values() for _, loss in points]
    return max(losses) / min(losses)
