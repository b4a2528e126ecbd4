"""What can go wrong in a stage, named by whose fault it is.

Owns the errors that stages raise; each carries a reason for a condition, one sentence for a person (what is
wrong, where, what to do), and the exit code it ends the process with. Must not decide about retries: the
operator reads the exit code.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import ValidationError

from compression_contract.exitcodes import SIGKILL_CODE, ExitCode


class StageError(Exception):
    """A stage could not do its work; only its subclasses are raised.

    Args:
        reason: one CamelCase word, as conditions have it; unique for what a person has to do next.
        message: one sentence: what is wrong, where, what to do.
    """

    exit_code: ClassVar[int]

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


class InvalidInput(StageError):
    """The stage's own input is wrong: an unknown metric, a document that does not parse."""

    exit_code = ExitCode.USAGE


class InvalidData(StageError):
    """What an input holds is wrong: digest, kind, shape, value. The same bytes fail again."""

    exit_code = ExitCode.DATA


class NotFound(StageError):
    """An input does not exist."""

    exit_code = ExitCode.NO_INPUT


class Unavailable(StageError):
    """A service cannot be reached or is unwell; later it may be."""

    exit_code = ExitCode.UNAVAILABLE


class TransferFailed(StageError):
    """A disk or a transfer failed half-way, a full disk among them; elsewhere or later it may work."""

    exit_code = ExitCode.IO_ERROR


class Denied(StageError):
    """Credentials were refused, or do not reach this far."""

    exit_code = ExitCode.NO_PERMISSION


class Misconfigured(StageError):
    """The platform's set-up is wrong: a missing Secret, a distrusted certificate, the wrong image."""

    exit_code = ExitCode.CONFIG


class Diverged(StageError):
    """Training produced NaN or infinity; another step of the plan may do better."""

    exit_code = ExitCode.DIVERGED


class Defect(StageError):
    """A defect of ours: something that no input should be able to cause."""

    exit_code = ExitCode.SOFTWARE


class OutOfMemory(StageError):
    """Memory ran out, in this process or in a child that the kernel killed.

    Ends with the code of a killed process: where the kernel kills a child only, the container's own state
    shows a plain error, and this is the one place that knows.
    """

    exit_code = SIGKILL_CODE


def first_problem(error: ValidationError) -> str:
    """Where a document is wrong and how, in a few words; the first of possibly many places."""
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'document'}: {first['msg']}"


def chain(error: BaseException) -> Iterator[BaseException]:
    """An exception, what caused it or what it was raised amid, and so on."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
