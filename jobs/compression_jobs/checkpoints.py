"""Checkpoints: what an interrupted training needs to go on, kept beside the artifact that it will become.

Owns what a checkpoint consists of as files (arrays without pickle, JSON), when the next one is due, that at
least one whole one is always there, and that writing them does not hold up training. Must not know what is in
them, nor Paddle: training/state.py has that.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from compression_contract.artifacts import ArtifactKind
from compression_contract.base import canonical_json
from compression_jobs import arrays
from compression_jobs.artifacts import LocalArtifact, Output
from compression_jobs.errors import InvalidData, NotFound, StageError

SLOTS: Final = ("0", "1")
"""Two places in turn: while one is written anew, the other one is whole."""
ARRAYS_FILE: Final = "arrays.npz"
VALUES_FILE: Final = "values.json"
MAX_BYTES: Final = 32 << 30
MAX_VALUE_BYTES: Final = 64 << 20
FORMAT: Final = 1

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a training between two steps."""

    step: int
    """Steps done."""
    arrays: Mapping[str, NDArray[Any]]
    values: Mapping[str, Any]
    """What JSON can hold; numbers come back to the last bit."""


class Place(Protocol):
    """Where the slots are: the object store, or folders that somebody else brings there."""

    def read(self, slot: str) -> LocalArtifact | None:
        """A whole checkpoint, or None where the slot has none.

        Raises:
            StageError: it is damaged, or cannot be reached.
        """
        ...

    def write(self, slot: str, output: Output) -> None:
        """Replace a slot; whoever reads meanwhile finds it empty, never half.

        Raises:
            StageError: it could not be stored.
        """
        ...

    def clear(self) -> None:
        """Empty all slots.

        Raises:
            StageError: the store's answer.
        """
        ...


class Checkpoints:
    """The checkpoints of one training."""

    def __init__(self, place: Place, input_hash: str, seconds: float, scratch: Path) -> None:
        """Nothing is read yet.

        Args:
            place: of the slots.
            input_hash: of the stage; a checkpoint of another input is none of ours.
            seconds: between two checkpoints.
            scratch: an own folder for those under way.
        """
        self._place = place
        self._input_hash = input_hash
        self._seconds = seconds
        self._scratch = scratch
        self._last = time.monotonic()
        self._next = 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._writing: Future[None] | None = None

    def stored(self) -> Iterator[Snapshot]:
        """Those that can be read, the newest first; others are passed over with a warning."""
        found: list[tuple[int, str, LocalArtifact]] = []
        for slot in SLOTS:
            artifact = self._read(slot)
            if artifact is not None:
                found.append((int(artifact.manifest.facts["step"]), slot, artifact))
        for _, slot, artifact in sorted(found, key=lambda entry: entry[:2], reverse=True):
            try:
                snapshot = _decode(artifact)
            except (StageError, OSError) as error:
                _passed_over(slot, str(error))
                continue
            # The other one is the next to be replaced: this one is known to be good.
            self._next = (SLOTS.index(slot) + 1) % len(SLOTS)
            yield snapshot

    def due(self) -> bool:
        """Whether the next one should be kept now: never while one is still being written."""
        busy = self._writing is not None and not self._writing.done()
        return not busy and time.monotonic() - self._last >= self._seconds

    def keep(self, snapshot: Snapshot) -> None:
        """Store a snapshot in the background."""
        self._last = time.monotonic()
        slot, self._next = SLOTS[self._next], (self._next + 1) % len(SLOTS)
        self._writing = self._pool.submit(self._write, slot, snapshot)

    def settle(self) -> None:
        """Wait until nothing is being written any more."""
        if self._writing is not None:
            self._writing.result()

    def clear(self) -> None:
        """Remove them all: their training is done. A store that fails now changes nothing."""
        self.settle()
        try:
            self._place.clear()
        except (StageError, OSError) as error:
            log.warning("checkpoints could not be removed", extra={"fields": {"why": str(error)}})

    def _read(self, slot: str) -> LocalArtifact | None:
        try:
            artifact = self._place.read(slot)
        except (InvalidData, NotFound) as error:
            _passed_over(slot, error.message)
            return None
        if artifact is None:
            return None
        facts = artifact.manifest.facts
        ours = facts.get("inputHash") == self._input_hash and facts.get("format") == FORMAT
        if not ours or not isinstance(facts.get("step"), int):
            _passed_over(slot, "it is of another input")
            return None
        return artifact

    def _write(self, slot: str, snapshot: Snapshot) -> None:
        start = time.monotonic()
        try:
            output = _encode(snapshot, self._input_hash, self._scratch)
            self._place.write(slot, output)
        except (StageError, OSError) as error:
            # Training goes on: what a lost checkpoint costs is known only if there is an interruption too.
            log.warning("a checkpoint could not be kept", extra={"fields": {"why": str(error)}})
            return
        told = {"step": snapshot.step, "slot": slot, "seconds": round(time.monotonic() - start, 2)}
        log.info("checkpoint kept", extra={"fields": told})


def _passed_over(slot: str, why: str) -> None:
    log.warning("a checkpoint is passed over", extra={"fields": {"slot": slot, "why": why}})


def _encode(snapshot: Snapshot, input_hash: str, folder: Path) -> Output:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # Not deflated: weights do not shrink by it, and it would take a core from training for seconds.
    with (folder / ARRAYS_FILE).open("wb") as file:
        np.savez(file, **{f"a{number}": array for number, array in enumerate(snapshot.arrays.values())})
    document = {"names": list(snapshot.arrays), "values": snapshot.values}
    (folder / VALUES_FILE).write_bytes(canonical_json(document))
    facts = {"format": FORMAT, "inputHash": input_hash, "step": snapshot.step}
    return Output(folder, ArtifactKind.CHECKPOINT, facts)


def _decode(artifact: LocalArtifact) -> Snapshot:
    """Raises InvalidData: CheckpointInvalid, ArraysInvalid, FileMissing."""
    path = artifact.file(VALUES_FILE)
    try:
        document = json.loads(path.read_bytes()[:MAX_VALUE_BYTES])
        names, values = [str(name) for name in document["names"]], dict(document["values"])
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidData(
            "CheckpointInvalid", f"{path.name} of a checkpoint cannot be read ({error})."
        ) from error
    members = [f"a{number}" for number in range(len(names))]
    found = arrays.load(artifact.file(ARRAYS_FILE), members, MAX_BYTES)
    content = {name: found[member] for name, member in zip(names, members, strict=True)}
    return Snapshot(int(artifact.manifest.facts["step"]), content, values)
