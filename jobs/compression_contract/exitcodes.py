"""Exit codes of a stage's process and what each means for the plan.

Owns the table that turns an ended container into one of a few classes. The numbers follow sysexits.h
where it has a word for the case. Must not decide what happens next: retries are the operator's affair.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final


class ExitCode(IntEnum):
    """Why a stage ended, as its process reports it."""

    SUCCESS = 0
    USAGE = 64  # the input itself is wrong
    DATA = 65  # an input's content is wrong: digest, shape, value
    NO_INPUT = 66  # an input does not exist
    UNAVAILABLE = 69  # a service cannot be reached
    SOFTWARE = 70  # a defect of ours
    IO_ERROR = 74  # disk or transfer failed half-way
    TEMPORARY = 75  # try again later
    NO_PERMISSION = 77  # credentials were refused
    CONFIG = 78  # set-up by the platform is wrong: missing Secret, unknown architecture
    DIVERGED = 80  # training produced NaN or infinity


class ExitClass(StrEnum):
    """What an ended attempt means."""

    SUCCESS = "Success"
    PERMANENT = "Permanent"
    UNMET = "Unmet"
    RETRYABLE = "Retryable"
    OUT_OF_MEMORY = "OutOfMemory"
    DISRUPTION = "Disruption"
    CHILD_LOST = "ChildLost"
    NEVER_STARTED = "NeverStarted"


RETRYABLE_CODES: Final = frozenset({ExitCode.UNAVAILABLE, ExitCode.IO_ERROR, ExitCode.TEMPORARY})
SIGKILL_CODE: Final = 137
SIGTERM_CODE: Final = 143


def classify(code: int) -> ExitClass:
    """The class that an exit code alone stands for.

    What a code cannot tell (out of memory, a drained node, a missing result) is decided beside it from the
    container's reason and the pod's conditions.
    """
    if code == ExitCode.SUCCESS:
        return ExitClass.SUCCESS
    if code == ExitCode.DIVERGED:
        return ExitClass.UNMET
    if code in RETRYABLE_CODES or code >= 128:
        return ExitClass.RETRYABLE
    return ExitClass.PERMANENT
