"""Batches decoded ahead of the one who trains on them.

Owns the thread and the bound on how far it runs ahead. Order is that of the batches; an error comes up where
its batch is taken; leaving the block, by SIGTERM too, drops what is not begun and waits for the one in work.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Final, Self

from compression_jobs.readers.base import Indices, Inputs, Split

DEPTH: Final = 2


class Prefetcher:
    """Iterate once over `(indices, inputs)` of each batch, inside a `with` block.

    Args:
        split: whose samples are asked for.
        batches: indices; taken from the consumer's own thread.
        depth: batches that may be ready or in work besides the one handed out; memory is bounded by it.
        before: called with the number of a batch, in the thread and right before its inputs are made.
    """

    def __init__(
        self,
        split: Split,
        batches: Iterable[Indices],
        depth: int = DEPTH,
        before: Callable[[int], None] | None = None,
    ) -> None:
        self._split = split
        self._batches = iter(batches)
        self._depth = max(1, depth)
        self._before = before
        self._number = 0
        self._waiting: deque[tuple[Indices, Future[Inputs]]] = deque()
        # One thread: samples are asked for in order, and a reader that draws random numbers repeats itself.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="prefetch")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._waiting.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __iter__(self) -> Iterator[tuple[Indices, Inputs]]:
        return self

    def __next__(self) -> tuple[Indices, Inputs]:
        while len(self._waiting) <= self._depth and self._submit_next():
            pass
        if not self._waiting:
            raise StopIteration
        indices, inputs = self._waiting.popleft()
        return indices, inputs.result()

    def _submit_next(self) -> bool:
        """Hand one more batch to the thread; False if there is none."""
        indices = next(self._batches, None)
        if indices is None:
            return False
        self._waiting.append((indices, self._pool.submit(self._make, self._number, indices)))
        self._number += 1
        return True

    def _make(self, number: int, indices: Indices) -> Inputs:
        if self._before is not None:
            self._before(number)
        return self._split.inputs(indices)
