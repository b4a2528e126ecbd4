"""Where a stage's results go: into the object store, or into folders that a sidecar stores.

Owns what the two ways have in common for the runner. Must not know any stage.
"""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from compression_contract.inputs import StageInput
from compression_contract.keys import MAX_RESULT_BYTES
from compression_contract.results import StageResult
from compression_jobs import artifacts, checkpoint_places, delivery, exchange, result
from compression_jobs.checkpoints import Place
from compression_jobs.context import StageContext, StageOutcome
from compression_jobs.errors import StageError
from compression_jobs.exchange import End, Exchange
from compression_jobs.storage import Storage

LOG_NAME: Final = "log.jsonl"

log = logging.getLogger(__name__)


class Outlet(Protocol):
    """One way."""

    def recorded(self) -> bytes | None:
        """The result of an earlier attempt that finished, or None."""
        ...

    def deliver(self, outcome: StageOutcome, context: StageContext[Any]) -> bytes:
        """Hand over what the stage achieved; its result."""
        ...

    def checkpoints(self, scratch: Path) -> Place | None:
        """Where a training keeps its checkpoints; None where it has no output to be beside of."""
        ...

    def failed(self, data: bytes, code: int) -> None:
        """Hand over why it could not."""
        ...

    def keep_log(self, file: Path, name: str) -> None:
        """Keep the log beside the result."""
        ...


@dataclass(frozen=True, slots=True)
class ToStore:
    """The object store itself, where there is one."""

    storage: Storage | None
    given: StageInput

    def recorded(self) -> bytes | None:
        """See Outlet."""
        return delivery.recorded(self.storage, self.given)

    def deliver(self, outcome: StageOutcome, context: StageContext[Any]) -> bytes:
        """See Outlet."""
        return delivery.deliver(outcome, context, self.given)

    def checkpoints(self, scratch: Path) -> Place | None:
        """See Outlet."""
        if self.storage is None or self.given.output is None:
            return None
        return checkpoint_places.Stored(
            self.storage, checkpoint_places.address(self.given.output), scratch / "checkpoints"
        )

    def failed(self, data: bytes, code: int) -> None:
        """Nothing: the termination message says it."""

    def keep_log(self, file: Path, name: str) -> None:
        """A store that fails now must not change how the stage ended."""
        if self.storage is None or self.given.output is None:
            return
        try:
            self.storage.upload(file, artifacts.join(self.given.output, name))
        except (StageError, OSError) as error:
            log.warning("the log could not be kept", extra={"fields": {"why": str(error)}})


@dataclass(frozen=True, slots=True)
class ToExchange:
    """Folders, in a pod whose stage runs an author's code."""

    exchange: Exchange
    given: StageInput

    def recorded(self) -> bytes | None:
        """See Outlet; the sidecar looks for itself, and only waits for the end."""
        if not self.exchange.recorded.is_file():
            return None
        self.exchange.finish(End(exit_code=0))
        return self.exchange.recorded.read_bytes()[:MAX_RESULT_BYTES]

    def deliver(self, outcome: StageOutcome, context: StageContext[Any]) -> bytes:  # noqa: ARG002
        """See Outlet."""
        self.exchange.leave(outcome)
        return result.encode(StageResult(input_hash=self.given.input_hash, facts=outcome.facts))

    def checkpoints(self, scratch: Path) -> Place | None:  # noqa: ARG002
        """See Outlet."""
        return self.exchange.checkpoints

    def failed(self, data: bytes, code: int) -> None:
        """See Outlet; a volume that is full must not hide why."""
        try:
            self.exchange.finish(exchange.failure(data, code))
        except OSError:
            log.exception("the end could not be left for the store")

    def keep_log(self, file: Path, name: str) -> None:  # noqa: ARG002
        """See Outlet."""
        try:
            shutil.copyfile(file, self.exchange.log)
        except OSError as error:
            log.warning("the log could not be kept", extra={"fields": {"why": str(error)}})
