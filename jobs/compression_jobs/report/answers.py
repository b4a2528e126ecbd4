"""Where a model is right and wrong: a picture for each kind of task.

Owns the pictures of stored predictions, the candidate beside its baseline where that helps. Must not read
files, and must not compute a metric that a gate reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compression_jobs.report.style import INK, MUTED, PALETTE, figure, png

MAX_CLASSES: Final = 30
MAX_CURVES: Final = 8
MOST_EDITS: Final = 5

Records = Mapping[str, NDArray[Any]]


def draw(records: Records) -> bytes | None:
    """The picture for these records, or None where there is none for their kind."""
    for needed, picture in (
        ({"candidate_labels", "candidate_predicted"}, _confusion),
        ({"candidate_scores", "candidate_classes", "candidate_hits", "candidate_objects"}, _precision_recall),
        ({"candidate_edits", "candidate_length"}, _edits),
    ):
        if needed <= set(records):
            return picture(records)
    return None


def _confusion(records: Records) -> bytes | None:
    """Which classes are taken for which, in shares of the true class."""
    labels, predicted = records["candidate_labels"], records["candidate_predicted"]
    classes = int(max(labels.max(initial=0), predicted.max(initial=0))) + 1
    if len(labels) == 0 or classes > MAX_CLASSES:
        return None
    counts = np.zeros((classes, classes))
    np.add.at(counts, (labels, predicted), 1)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    with figure(5.2, 4.6) as drawn:
        axes = drawn.add_subplot()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.grid(visible=False)
        axes.set_xticks(range(classes))
        axes.set_yticks(range(classes))
        for row, column in np.argwhere(shares >= 0.005):
            value = shares[row, column]
            colour = "white" if value > 0.55 else INK
            text = f"{100 * value:.0f}"
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
        axes.set(title="Confusion, % of the true class", xlabel="predicted", ylabel="true")
        return png(drawn)


def _precision_recall(records: Records) -> bytes | None:
    """Precision over recall of each class where boxes overlap by half: the candidate, dotted its baseline."""
    classes = records["candidate_objects"].shape[1]
    with figure(5.2, 4.2) as drawn:
        axes = drawn.add_subplot()
        for label in range(min(classes, MAX_CURVES)):
            for model, style in (("candidate", "-"), ("baseline", ":")):
                curve = _curve(records, model, label)
                if curve is not None:
                    named = f"class {label}" if model == "candidate" else None
                    axes.plot(*curve, style, color=PALETTE[label], label=named, drawstyle="steps-post")
        axes.set(
            title="Precision over recall, overlap 0.5",
            xlabel="recall",
            ylabel="precision",
            xlim=(0, 1.02),
            ylim=(0, 1.05),
        )
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="lower left", fontsize=7.5)
        return png(drawn)


def _curve(records: Records, model: str, label: int) -> tuple[NDArray[Any], NDArray[Any]] | None:
    if f"{model}_scores" not in records:
        return None
    objects = int(records[f"{model}_objects"][:, label].sum())
    mine = records[f"{model}_classes"] == label
    order = np.argsort(-records[f"{model}_scores"][mine], kind="stable")
    # Bit 0 is the lowest threshold of overlap, 0.5.
    right = (records[f"{model}_hits"][mine][order] & 1).astype(bool)
    if objects == 0 or len(right) == 0:
        return None
    found = np.cumsum(right)
    return found / objects, found / np.arange(1, len(right) + 1)


def _edits(records: Records) -> bytes | None:
    """How many symbols of a line have to be mended, candidate beside baseline."""
    names = [name for name in ("baseline", "candidate") if f"{name}_edits" in records]
    with figure(5.2, 3.4) as drawn:
        axes = drawn.add_subplot()
        for place, name in enumerate(names):
            edits = np.minimum(records[f"{name}_edits"], MOST_EDITS)
            shares = 100 * np.bincount(edits, minlength=MOST_EDITS + 1) / max(1, len(edits))
            offset = 0.4 * (place - (len(names) - 1) / 2)
            colour = PALETTE[0] if name == "candidate" else MUTED
            bars = axes.bar(np.arange(MOST_EDITS + 1) + offset, shares, 0.38, color=colour, label=name)
            axes.bar_label(bars, fmt="%.0f", fontsize=7.5, color=colour)
        axes.grid(visible=False, axis="x")
        axes.set_xticks(range(MOST_EDITS + 1), [*map(str, range(MOST_EDITS)), f"{MOST_EDITS}+"])
        axes.set(title="Lines by symbols to mend", xlabel="edits of a line", ylabel="% of lines")
        axes.legend()
        return png(drawn)
