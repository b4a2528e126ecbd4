"""Child processes: exporters, scanners, measurements that want a process of their own.

Owns how a child's end becomes a StageError. Must not know any program.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from compression_jobs.errors import Defect, OutOfMemory, TransferFailed

_TAIL: Final = 300


def run(
    arguments: Sequence[str],
    *,
    doing: str,
    timeout: float,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, without a shell and without our standard input.

    A SIGTERM of ours ends the child too: subprocess kills it when an exception passes through.

    Args:
        arguments: the program and its arguments.
        doing: what it is for, as in "exporting to ONNX".
        timeout: seconds.
        environment: the whole environment of the child; None is ours.
        folder: its working directory.
        check: whether an exit code other than 0 is a Defect; False leaves the judgement to the caller.

    Raises:
        OutOfMemory: the kernel killed the child.
        TransferFailed: ChildTimedOut.
        Defect: ChildFailed, with the last line of its standard error; where a signal ended it, what it said
            is in the cause, a CalledProcessError.
    """
    try:
        done = subprocess.run(
            list(arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env=None if environment is None else dict(environment),
            cwd=folder,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TransferFailed(
            "ChildTimedOut",
            f"The process for {doing} did not end within {timeout:g} seconds.",
        ) from error
    _require_end(done, doing, check=check)
    return done


def _require_end(done: subprocess.CompletedProcess[str], doing: str, *, check: bool) -> None:
    # A shell between us and the program reports a signal as 128 and its number.
    if done.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}:
        raise OutOfMemory(
            "OutOfMemory",
            f"The kernel killed the process for {doing}: raise the memory limit of this stage.",
        )
    last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1][-_TAIL:]
    if done.returncode < 0:
        name = _signal_name(-done.returncode)
        raise Defect(
            "ChildFailed", f"The process for {doing} was ended by {name}; its last words: {last}"
        ) from subprocess.CalledProcessError(done.returncode, done.args, done.stdout, done.stderr)
    if check and done.returncode != 0:
        raise Defect("ChildFailed", f"The process for {doing} ended with code {done.returncode}: {last}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
