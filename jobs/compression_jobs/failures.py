"""What each exception of a stage means: whose fault it is, in a sentence, with an exit code.

Owns the judgement of exceptions that nobody has judged before. Must not act on it.
"""

from __future__ import annotations

import errno
import shutil
import traceback
from pathlib import Path

from compression_jobs import user_code
from compression_jobs.errors import Defect, OutOfMemory, StageError, TransferFailed, chain


def as_stage_error(caught: BaseException, scratch: Path) -> StageError:
    """Give any exception a reason, a sentence and an exit code."""
    if isinstance(caught, StageError):
        return caught
    for cause in chain(caught):
        if isinstance(cause, OSError) and cause.errno in {errno.ENOSPC, errno.EDQUOT}:
            return TransferFailed(
                "DiskFull",
                f"No space is left at {cause.filename or scratch} ({_free(scratch)}); "
                "raise the scratch size in the CompressionRuntime.",
            )
    if isinstance(caught, MemoryError):
        return OutOfMemory("OutOfMemory", "This process ran out of memory; raise the stage's memory limit.")
    blamed = user_code.blame(caught)
    if blamed is not None:
        return blamed
    frames = traceback.extract_tb(caught.__traceback__)
    last = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
    return Defect(
        "UnexpectedError",
        f"{type(caught).__name__} at {last}: {caught}; the stage's log tells all, please report it.",
    )


def _free(folder: Path) -> str:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return "its size is unknown"
    return f"{usage.free >> 20} of {usage.total >> 20} MiB are free"
