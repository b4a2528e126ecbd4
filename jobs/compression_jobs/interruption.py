"""SIGTERM: the node drains, or the job was suspended or cancelled.

Owns when it unwinds the process: at once, or, where somebody asked to be let finish first, when they look.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType


class Terminated(BaseException):
    """SIGTERM arrived; raised so that children are ended and files closed on the way out."""


class _Arrival:
    """What the handler and those who defer it share."""

    def __init__(self) -> None:
        self.deferred = False
        self.arrived = False


_state = _Arrival()


def terminate(number: int, _frame: FrameType | None) -> None:
    """The handler of SIGTERM; a second signal changes nothing.

    Raises:
        Terminated: unless somebody defers it.
    """
    signal.signal(number, signal.SIG_IGN)
    _state.arrived = True
    if not _state.deferred:
        raise Terminated


@contextlib.contextmanager
def awaited() -> Iterator[Callable[[], bool]]:
    """Within it SIGTERM is what is waited for: it only makes the given question true."""
    _state.deferred = True
    try:
        yield lambda: _state.arrived
    finally:
        _state.deferred = False


def reset() -> None:
    """Forget that it arrived; for whoever sets the handler anew in the same process."""
    _state.arrived = False


@contextlib.contextmanager
def deferred() -> Iterator[Callable[[], bool]]:
    """Within it SIGTERM only makes the given question true: the asker ends in its own good order, and soon.

    Raises:
        Terminated: at the end, where it arrived and nobody heeded it.
    """
    with awaited() as arrived:
        yield arrived
    if arrived():
        raise Terminated
