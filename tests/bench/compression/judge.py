"""What every file is judged by: all test images, and single calls in turns.

Owns accuracy with its standard error, paired differences and latency; the same for us and for the peers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from compression_contract.methods import LatencyPlan
from compression_contract.results import Latency
from compression_jobs import arrays
from compression_jobs.evaluation import latency
from compression_jobs.readers.calibration import carve
from compression_jobs.runtimes import ModelFiles, runtime

BATCH = 256
LIMIT_BYTES = 1 << 30


@dataclass(frozen=True)
class Data:
    """Normalised images [n, 1, 32, 32] and labels."""

    train: np.ndarray
    test: np.ndarray
    train_labels: np.ndarray
    labels: np.ndarray

    @classmethod
    def read(cls, folder: Path, manifest: bytes) -> Data:
        """From the two files of a dataset artifact and its manifest."""
        facts = json.loads(manifest)["facts"]
        mean, std = (np.float32(255 * facts[key][0]) for key in ("mean", "std"))
        parts = {}
        for split in ("train", "test"):
            content = arrays.load(folder / f"{split}.npz", ("images", "labels"), LIMIT_BYTES)
            images = ((content["images"].astype(np.float32) - mean) / std).reshape(-1, 1, 32, 32)
            parts[split] = (images, content["labels"])
        return cls(parts["train"][0], parts["test"][0], parts["train"][1], parts["test"][1])

    def calibration(self, seed: int, samples: int) -> np.ndarray:
        """The very images that our own calibration takes first."""
        return self.train[carve(len(self.train), seed).calibration[:samples]]


@dataclass(frozen=True)
class Judged:
    """A file's right answers, bytes and latency."""

    right: np.ndarray
    bytes: int
    latency: Latency | None = None

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return float(self.right.mean())

    def less(self, other: Judged) -> tuple[float, float]:
        """How much less accurate it is than another, and the standard error of that: paired by image."""
        difference = other.right.astype(float) - self.right
        return float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(len(difference)))


def judge(files: Mapping[str, tuple[str, ModelFiles]], data: Data, plan: LatencyPlan) -> dict[str, Judged]:
    """Judge files side by side.

    Args:
        files: by name, the runtime and the files.
        data: its test split is asked whole.
        plan: of single calls, which take turns.
    """
    sessions = {name: runtime(which).open(model, threads=1) for name, (which, model) in files.items()}
    right = {name: _right(session, data) for name, session in sessions.items()}
    one = data.test[:1]
    rounds = latency.measure([partial(session.run, one) for session in sessions.values()], plan)
    times = dict(zip(sessions, map(latency.summary, rounds), strict=True))
    return {name: Judged(right[name], model.bytes, times[name]) for name, (_, model) in files.items()}


def _right(session: Any, data: Data) -> np.ndarray:
    parts = [session.run(data.test[at : at + BATCH]) for at in range(0, len(data.test), BATCH)]
    return np.concatenate(parts).argmax(1) == data.labels
