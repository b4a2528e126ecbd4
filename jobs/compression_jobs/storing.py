"""Store: what a stage that ran an author's code leaves, taken into the object store.

Owns the sidecar's life: it stores checkpoints while the stage runs, learns from SIGTERM that the stage has
ended, in whatever way, and makes the result that the operator reads. Everything it finds was written by a
process that ran anybody's code, and is treated so.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from compression_contract.artifacts import ArtifactKind
from compression_contract.exitcodes import ExitCode
from compression_contract.inputs import StageInput
from compression_contract.results import StageResult
from compression_jobs import (
    artifacts,
    checkpoint_places,
    delivery,
    document,
    replicas,
    result,
    runner,
    untrusted,
)
from compression_jobs.checkpoints import SLOTS
from compression_jobs.context import StageContext, StageOutcome
from compression_jobs.errors import InvalidData, Misconfigured, StageError, first_problem
from compression_jobs.exchange import MAX_END_BYTES, End, Exchange
from compression_jobs.fetching import sides
from compression_jobs.interruption import awaited
from compression_jobs.logs import MAX_LOG_BYTES
from compression_jobs.outlets import LOG_NAME
from compression_jobs.storage import Storage

KINDS: Final[Mapping[str, ArtifactKind]] = {
    "distill": ArtifactKind.FLOAT_STUDENT,
    "prune": ArtifactKind.FLOAT_STUDENT,
    "ptq": ArtifactKind.CANDIDATE,
    "qat": ArtifactKind.CANDIDATE,
}
_POLL_SECONDS: Final = 0.5
_GRACE_SECONDS: Final = 30.0

log = logging.getLogger(__name__)


def work(process: runner.Process) -> tuple[bytes, int]:
    """Wait for the stage's end and store what it made; the result and exit code are the stage's.

    Raises:
        InvalidData: StageVanished, OutputUnsafe, OutputTooLarge, OutputInvalid.
        Misconfigured, Denied, Unavailable, NotFound, TransferFailed: of the store.
    """
    with awaited() as arrived:
        given = document.read(process.settings.input)
        process.input_hash = given.input_hash
        scratch = runner.prepare(process, given)
        process.replica = replicas.from_environment(os.environ, getattr(given.parameters, "replicas", 1))
        storage = runner.connect(process, given)
        if storage is None or given.output is None:
            raise Misconfigured("StorageMissing", "The pod of an author's code has no store in its input.")
        taker = _Taker(sides(process), storage, given, scratch)
        recorded = delivery.recorded(storage, given)
        log.info("waiting for the stage", extra={"fields": {"recorded": recorded is not None}})
        while not (arrived() or taker.ended()):
            if recorded is None and process.replica.first:
                taker.store_checkpoints()
            time.sleep(_POLL_SECONDS)
        found = taker.finish(process.replica) if recorded is None else (recorded, int(ExitCode.SUCCESS))
        # The kubelet would start another one if this one ended before it is told to.
        deadline = time.monotonic() + _GRACE_SECONDS
        while not arrived() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        return found


@dataclass(slots=True)
class _Taker:
    """What is known of one stage's exchange."""

    exchange: Exchange
    storage: Storage
    given: StageInput
    scratch: Path
    _stored: dict[str, str] = field(default_factory=dict)
    """Digest of the checkpoint that was last stored, by slot."""

    def ended(self) -> bool:
        """Whether the stage has said how it ended; one that was killed never does."""
        return os.path.lexists(self.exchange.end)

    def store_checkpoints(self) -> None:
        """Store those that are new; trouble with one of them is no reason to end."""
        for slot in SLOTS:
            try:
                self._store_checkpoint(slot)
            except (StageError, OSError) as error:
                log.warning("a checkpoint is not stored", extra={"fields": {"slot": slot, "why": str(error)}})

    def finish(self, replica: replicas.Replica) -> tuple[bytes, int]:
        """The stage has ended: store what it made, and say what came of it."""
        end = self._end()
        name = LOG_NAME if replica.first else f"log-{replica.index}.jsonl"
        self._store_log(name)
        if end.exit_code != 0:
            self.store_checkpoints()
            failed = end.result or StageResult(input_hash=self.given.input_hash)
            own = failed.model_copy(update={"input_hash": self.given.input_hash, "rank": replica.index})
            return result.encode(own), end.exit_code
        if not replica.first:
            helped = StageResult(input_hash=self.given.input_hash, rank=replica.index)
            return result.encode(helped), int(ExitCode.SUCCESS)
        data = self._deliver(end)
        self._place().clear()
        return data, int(ExitCode.SUCCESS)

    def _end(self) -> End:
        data = untrusted.read(self.exchange.outputs, self.exchange.end.name, MAX_END_BYTES)
        if data is None:
            raise InvalidData(
                "StageVanished",
                "The stage ended without a word: it was killed, or the author's code ended the process.",
            )
        try:
            return End.model_validate_json(data)
        except ValidationError as error:
            raise InvalidData(
                "OutputInvalid", f"How the stage ended cannot be read ({first_problem(error)})."
            ) from error

    def _deliver(self, end: End) -> bytes:
        stage = self.given.parameters.stage
        made = untrusted.take(self.exchange.artifact, self._fresh("artifact"))
        if made is None or made.kind != KINDS.get(stage):
            raise InvalidData("OutputInvalid", f"What the stage left is no whole {KINDS.get(stage)}.")
        if end.facts is not None and end.facts.stage != stage:
            raise InvalidData("OutputInvalid", f"The stage's facts are of {end.facts.stage}, not of {stage}.")
        context: StageContext[Any] = StageContext(
            parameters=self.given.parameters,
            run=self.given.run,
            input_hash=self.given.input_hash,
            scratch=self.scratch,
            registry_secret=self.scratch,
            storage=self.storage,
        )
        return delivery.deliver(StageOutcome(end.facts, made), context, self.given)

    def _store_checkpoint(self, slot: str) -> None:
        folder = self.exchange.checkpoints.kept / slot
        finished = untrusted.read(folder, "_SUCCESS", 128)
        if finished is None or self._stored.get(slot) == finished.decode("ascii", "replace"):
            return
        found = untrusted.take(folder, self._fresh("checkpoint"))
        # One that is being replaced right now is whole the next time.
        if found is None or artifacts.describe(found).digest.encode() != finished:
            return
        if found.kind != ArtifactKind.CHECKPOINT or found.facts.get("inputHash") != self.given.input_hash:
            raise InvalidData("OutputInvalid", "it is no checkpoint of this stage")
        self._place().write(slot, found)
        self._stored[slot] = finished.decode("ascii")
        log.info("checkpoint stored", extra={"fields": {"slot": slot, "step": found.facts.get("step")}})

    def _store_log(self, name: str) -> None:
        try:
            data = untrusted.read(self.exchange.outputs, self.exchange.log.name, 2 * MAX_LOG_BYTES)
            if data is not None:
                self.storage.write(artifacts.join(str(self.given.output), name), data)
        except (StageError, OSError) as error:
            log.warning("the log could not be kept", extra={"fields": {"why": str(error)}})

    def _place(self) -> checkpoint_places.Stored:
        return checkpoint_places.Stored(
            self.storage, checkpoint_places.address(str(self.given.output)), self.scratch / "slots"
        )

    def _fresh(self, name: str) -> Path:
        folder = self.scratch / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder
