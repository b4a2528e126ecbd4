"""One model being served: warm-up, readiness, predictions.

Owns the life of the model inside the process. Must not know HTTP.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from compression_contract.served_model import ServedModel
from compression_serving.batching import Batcher, Limits, Tensors, batching_pays
from compression_serving.errors import NoModelError
from compression_serving.metrics import Metrics
from compression_serving.model import Model
from compression_serving.protocol import DATATYPES
from compression_serving.settings import Settings

logger = logging.getLogger("compression_serving")


class Service:
    """A model with its queue: `warm_up`, then `start`, `drain` and `stop`. Ready between start and drain."""

    def __init__(self, model: Model | None, settings: Settings, metrics: Metrics) -> None:
        """Serve `model`; None is the bare base image, which lives and never gets ready."""
        self._model = model
        self.settings = settings
        self.metrics = metrics
        self._batcher: Batcher | None = None
        self._shares_calls = False
        self._draining = False
        if model is not None:
            metrics.describe(self.description.name, self.version, self.description.artifact_digest)
        metrics.watch(lambda: self._batcher.waiting_rows if self._batcher else 0, lambda: self.ready)

    @property
    def model(self) -> Model:
        """The served model; raises NoModelError in the bare base image."""
        if self._model is None:
            raise NoModelError
        return self._model

    @property
    def description(self) -> ServedModel:
        """What model.json says."""
        return self.model.description

    @property
    def version(self) -> str:
        """The version clients see: the author's, or the start of the artifact's digest."""
        return self.description.version or self.description.artifact_digest.removeprefix("sha256:")[:12]

    @property
    def ready(self) -> bool:
        """Whether new requests are welcome."""
        return self._batcher is not None and not self._draining

    @property
    def draining(self) -> bool:
        """Whether the process is about to end; requests that still come are answered."""
        return self._draining

    def warm_up(self) -> None:
        """Check the model on this machine, run it once, and measure whether calls are to be shared.

        Raises:
            ModelError: it does not answer the golden inputs as it should.
        """
        if self._model is None:
            return
        if self.settings.self_check:
            self.model.self_check(self.settings.max_batch_rows)
        sample = {spec.name: _zeros(spec.datatype, spec.shape) for spec in self.description.inputs}
        self.model.run(sample)
        rows = self.settings.max_batch_rows
        self._shares_calls = self.model.batches and rows > 1 and batching_pays(self.model.run, sample, rows)

    async def start(self) -> None:
        """Be ready, from inside the event loop."""
        if self._model is None:
            logger.warning("%s", NoModelError())
            return
        shares = self._shares_calls
        limits = Limits(
            batch_rows=self.settings.max_batch_rows if shares else 1,
            delay=self.settings.max_delay_ms / 1000 if shares else 0.0,
            queue_rows=self.settings.max_queue_rows,
            splits=self.model.batches,
        )
        self._batcher = Batcher(self.model.run, limits, self.metrics.called)
        self._batcher.start()
        logger.info("ready: model=%s version=%s batching=%s", self.description.name, self.version, shares)

    def drain(self) -> None:
        """Turn unready; requests are still answered."""
        self._draining = True

    async def stop(self) -> None:
        """Answer nothing more."""
        if self._batcher is not None:
            await self._batcher.stop()

    async def predict(self, inputs: Tensors) -> Tensors:
        """The model's outputs; raises RequestError kinds."""
        if self._batcher is None:
            raise NoModelError
        return await self._batcher.infer(inputs)


def _zeros(datatype: str, shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[Any]]:
    """One row; dimensions that are free become one."""
    return np.zeros([max(size, 1) for size in shape], dtype=DATATYPES[datatype])
