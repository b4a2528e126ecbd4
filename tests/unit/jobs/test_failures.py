"""Every exception of a stage gets a reason, a sentence and an exit code."""

import errno
from pathlib import Path

import pytest

from compression_contract.exitcodes import ExitClass, ExitCode, classify
from compression_jobs import errors, failures


def _raised(error: Exception, cause: Exception | None = None) -> Exception:
    try:
        raise error from cause
    except type(error) as caught:
        return caught


@pytest.mark.parametrize(
    ("error", "code", "reason", "names"),
    [
        (errors.InvalidData("DigestMismatch", "It differs."), ExitCode.DATA, "DigestMismatch", "It differs."),
        (OSError(errno.ENOSPC, "No space", "/scratch/x"), ExitCode.IO_ERROR, "DiskFull", "/scratch/x"),
        (OSError(errno.EDQUOT, "Quota"), ExitCode.IO_ERROR, "DiskFull", "scratch size"),
        (MemoryError(), 137, "OutOfMemory", "memory limit"),
        (OSError(errno.EACCES, "Permission denied"), ExitCode.SOFTWARE, "UnexpectedError", "Permission"),
        (ZeroDivisionError("division by zero"), ExitCode.SOFTWARE, "UnexpectedError", "test_failures.py:"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_exception_becomes_a_failure(tmp_path: Path, error, code, reason, names):
    found = failures.as_stage_error(_raised(error), tmp_path)

    assert (found.exit_code, found.reason) == (code, reason)
    assert names in found.message


def test_a_full_disk_is_found_behind_another_exception(tmp_path: Path):
    error = _raised(RuntimeError("cannot save"), OSError(errno.ENOSPC, "No space"))

    assert failures.as_stage_error(error, tmp_path).reason == "DiskFull"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (errors.InvalidInput, ExitClass.PERMANENT),
        (errors.InvalidData, ExitClass.PERMANENT),
        (errors.NotFound, ExitClass.PERMANENT),
        (errors.Denied, ExitClass.PERMANENT),
        (errors.Misconfigured, ExitClass.PERMANENT),
        (errors.Defect, ExitClass.PERMANENT),
        (errors.Unavailable, ExitClass.RETRYABLE),
        (errors.TransferFailed, ExitClass.RETRYABLE),
        (errors.Diverged, ExitClass.UNMET),
    ],
)
def test_whose_fault_it_is_decides_whether_it_is_worth_another_attempt(kind, expected):
    assert classify(kind("Reason", "A sentence.").exit_code) == expected
