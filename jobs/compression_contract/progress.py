"""How far a training is: a line of its log that the operator may read while the pod runs.

Owns the line's shape and finding the newest one in the end of a log. A log is data from outside, with lines
of anybody's code among it: what does not parse is passed over, and nothing is decided by what does.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError

from compression_contract.base import Frozen

FIELD: Final = "progress"
"""The key of a log line under which the progress lies; the line's other keys are those of any line."""

SECONDS_BETWEEN_LINES: Final = 10.0
"""At most one line in so many seconds, and one at the start and at the end."""

MAX_TAIL_BYTES: Final = 64 * 1024
"""As much of a log's end is looked at; lines before it are old."""


class Progress(Frozen):
    """How far a training is; for people, nothing depends on it."""

    step: Annotated[int, Field(ge=0)]
    """Steps done."""
    steps: Annotated[int, Field(ge=1)]
    """Steps in all."""
    epoch: Annotated[int, Field(ge=1)]
    """The one under way, counted from 1."""
    seconds_left: Annotated[int, Field(ge=0)] | None = None
    """An estimate from this process's own pace; None before the first step."""
    loss: float | None = None
    """The mean of the last steps, over all replicas."""
    samples_per_second: Annotated[float, Field(ge=0)] | None = None
    """Of all replicas together, in the last interval."""
    replicas: Annotated[int, Field(ge=1)] = 1


def fields(progress: Progress) -> dict[str, Any]:
    """What a log line carries, beside its time and message."""
    return {FIELD: progress.wire()}


def newest(log: bytes | str) -> Progress | None:
    """The last progress in the end of a log, or None where there is none.

    Args:
        log: some of the last lines, JSON or anything else; the first may be cut.
    """
    data = log.encode() if isinstance(log, str) else log
    for line in reversed(data[-MAX_TAIL_BYTES:].splitlines()):
        found = _of(line)
        if found is not None:
            return found
    return None


def _of(line: bytes) -> Progress | None:
    if f'"{FIELD}"'.encode() not in line:
        return None
    try:
        entry = json.loads(line)
        return Progress.model_validate(entry[FIELD])
    except (ValueError, TypeError, KeyError, RecursionError, ValidationError):
        return None
