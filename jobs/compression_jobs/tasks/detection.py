"""Object detection: boxes with classes.

Owns what counts as the same answer of two detectors. The output is described in `centernet`; which detections
count as found is COCO's to say, see `metrics.coco`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compression_contract.methods import TaskName
from compression_jobs.metrics import coco
from compression_jobs.metrics.answers import Answers
from compression_jobs.metrics.base import Share, Whole
from compression_jobs.metrics.detection import MeanAveragePrecision
from compression_jobs.readers.base import DatasetFacts, Targets
from compression_jobs.tasks import centernet
from compression_jobs.tasks.base import Floats

METRICS: Final[Mapping[str, Share | Whole]] = {
    "mAP": MeanAveragePrecision(coco.THRESHOLDS),
    "mAP50": MeanAveragePrecision(coco.THRESHOLDS[:1]),
}
CONFIDENT: Final = 0.3
"""Score of a box that somebody would be shown (the threshold of CenterNet's own demonstration)."""
OVERLAP: Final = 0.5
"""Least intersection over union of two boxes that are the same."""


@dataclass(frozen=True, slots=True)
class Detection:
    """See the module."""

    name: TaskName = "ObjectDetection"

    @property
    def metrics(self) -> Mapping[str, Share | Whole]:
        """See Task.metrics."""
        return METRICS

    def output_shape(self, facts: DatasetFacts) -> tuple[int, ...]:
        """See Task.output_shape."""
        _, height, width = facts.input_shape
        maps = (centernet.map_size(height), centernet.map_size(width))
        return (facts.num_classes + centernet.GEOMETRY, *maps)

    def judge(self, outputs: Floats, truth: Targets) -> Answers:
        """See Task.judge."""
        return coco.matched(
            centernet.decode(outputs), truth, outputs.shape[1] - centernet.GEOMETRY, centernet.MAX_BOXES
        )

    def same(self, recorded: Floats, outputs: Floats) -> NDArray[np.bool_]:
        """Every confident box of either has a partner in the other.

        A partner is a box of the same class that overlaps by half and is at least half as confident as a box
        has to be to count: scores on either side of the threshold are no disagreement.
        """
        pairs = zip(centernet.decode(recorded), centernet.decode(outputs), strict=True)
        return np.asarray([_covers(ours, theirs) and _covers(theirs, ours) for ours, theirs in pairs])


def _covers(ours: centernet.Found, theirs: centernet.Found) -> bool:
    confident = ours.scores >= CONFIDENT
    partners = theirs.scores >= CONFIDENT / 2
    alike = ours.classes[confident][:, None] == theirs.classes[partners][None, :]
    near = centernet.overlap(ours.boxes[confident], theirs.boxes[partners]) >= OVERLAP
    return bool((alike & near).any(axis=1).all())
