"""Rows of several requests in one call of the model.

Owns the queue in front of the model and its single worker. Must not know HTTP. A call takes what waits
already, so batches grow with load and an idle server adds no delay (adaptive batching: Crankshaw et al.,
Clipper, NSDI 2017).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from compression_serving.errors import OverloadedError, PredictionError

Array = npt.NDArray[Any]
Tensors = dict[str, Array]
Run = Callable[[Tensors], Tensors]


@dataclass(frozen=True)
class Limits:
    """How requests share a call: at most `batch_rows` rows, waiting `delay` seconds for them."""

    batch_rows: int
    delay: float
    queue_rows: int
    splits: bool
    """Whether rows are independent: a request may be cut, and share a call with others."""


@dataclass(eq=False)
class _Waiting:
    """Rows of a request that wait for their turn."""

    inputs: Tensors
    rows: int
    answer: asyncio.Future[Tensors] = field(repr=False)

    @property
    def kind(self) -> tuple[tuple[int, ...], ...]:
        """What must be equal to share a call: the shapes behind the first dimension."""
        return tuple(array.shape[1:] for array in self.inputs.values())


class Batcher:
    """Answers requests by one worker thread; `start` it inside a running event loop."""

    def __init__(self, run: Run, limits: Limits, observe: Callable[[int, float], None]) -> None:
        """Batch calls of `run`; `observe` hears of each call's rows and seconds."""
        self._run, self._limits, self._observe = run, limits, observe
        self._queue: deque[_Waiting] = deque()
        self._rows = 0
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "model")
        self._worker: asyncio.Task[None] | None = None

    @property
    def waiting_rows(self) -> int:
        """Rows in the queue."""
        return self._rows

    def start(self) -> None:
        """Begin to answer."""
        self._worker = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Stop at once; whoever still waits is refused."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        while self._queue:
            self._settle(self._queue.popleft(), OverloadedError("the server is shutting down"))
        self._thread.shutdown()

    async def infer(self, inputs: Tensors) -> Tensors:
        """The model's outputs for `inputs`, whose first dimension counts rows.

        Raises:
            OverloadedError: too much is waiting.
            PredictionError: the model failed.
        """
        rows = len(next(iter(inputs.values())))
        if self._limits.splits and any(len(array) != rows for array in inputs.values()):
            raise PredictionError("the inputs differ in their number of rows")
        if self._queue and self._rows + rows > self._limits.queue_rows:
            raise OverloadedError(f"{self._rows} rows are waiting already; try again in a moment")
        step = self._limits.batch_rows if self._limits.splits else rows
        pieces = [self._enqueue(_cut(inputs, start, start + step)) for start in range(0, rows, step)]
        if len(pieces) == 1:
            return await pieces[0]
        return _joined(await asyncio.gather(*pieces))

    def _enqueue(self, inputs: Tensors) -> asyncio.Future[Tensors]:
        answer: asyncio.Future[Tensors] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(inputs, len(next(iter(inputs.values()))), answer)
        self._queue.append(waiting)
        self._rows += waiting.rows
        self._arrived.set()
        return answer

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            if self._limits.delay and self._limits.splits and self._rows < self._limits.batch_rows:
                await asyncio.sleep(self._limits.delay)
            batch = self._take()
            if not self._queue:
                self._arrived.clear()
            if batch:
                await self._answer(batch)

    def _take(self) -> list[_Waiting]:
        """The next requests that fit in one call; those whose client is gone are dropped."""
        batch: list[_Waiting] = []
        room = self._limits.batch_rows
        while self._queue and (not batch or self._fits(self._queue[0], batch[0], room)):
            waiting = self._queue.popleft()
            self._rows -= waiting.rows
            if not waiting.answer.cancelled():
                batch.append(waiting)
                room -= waiting.rows
        return batch

    def _fits(self, waiting: _Waiting, first: _Waiting, room: int) -> bool:
        return self._limits.splits and waiting.rows <= room and waiting.kind == first.kind

    async def _answer(self, batch: list[_Waiting]) -> None:
        joined = batch[0].inputs if len(batch) == 1 else _joined([waiting.inputs for waiting in batch])
        loop = asyncio.get_running_loop()
        started = time.perf_counter()
        try:
            outputs = await loop.run_in_executor(self._thread, self._run, joined)
        except PredictionError as error:
            if len(batch) == 1:
                self._settle(batch[0], error)
                return
            # One bad row must not spoil its neighbours' answers.
            for waiting in batch:
                await self._answer([waiting])
            return
        except asyncio.CancelledError:
            for waiting in batch:
                self._settle(waiting, OverloadedError("the server is shutting down"))
            raise
        self._observe(sum(waiting.rows for waiting in batch), time.perf_counter() - started)
        start = 0
        for waiting in batch:
            self._settle(waiting, _cut(outputs, start, start + waiting.rows) if len(batch) > 1 else outputs)
            start += waiting.rows

    @staticmethod
    def _settle(waiting: _Waiting, result: Tensors | Exception) -> None:
        if waiting.answer.done():
            return
        if isinstance(result, Exception):
            waiting.answer.set_exception(result)
        else:
            waiting.answer.set_result(result)


def batching_pays(
    run: Run, sample: Tensors, rows: int, repeats: int = 5, clock: Callable[[], float] = time.perf_counter
) -> bool:
    """Whether a row is at least a tenth cheaper in a call of `rows` rows than alone (medians of `repeats`).

    Args:
        run: the model.
        sample: inputs of exactly one row.
        rows: the size of a full batch.
        repeats: calls of each size.
        clock: seconds, rising.
    """
    full = {name: np.repeat(array, rows, axis=0) for name, array in sample.items()}
    times: dict[int, list[float]] = {1: [], rows: []}
    for _ in range(repeats):
        for size, inputs in ((1, sample), (rows, full)):
            started = clock()
            run(inputs)
            times[size].append(clock() - started)
    return float(np.median(times[rows])) / rows <= 0.9 * float(np.median(times[1]))


def _cut(tensors: Tensors, start: int, stop: int) -> Tensors:
    return {name: array[start:stop] for name, array in tensors.items()}


def _joined(parts: list[Tensors]) -> Tensors:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
