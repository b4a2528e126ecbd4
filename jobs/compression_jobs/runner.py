"""One stage in one process, from its input document to its exit code.

Owns the order of things: input, credentials, an earlier attempt's result, the stage, its artifact, the
termination message; and what each failure ends with. Must not know any stage.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import signal
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

from compression_contract.exitcodes import SIGTERM_CODE, ExitCode
from compression_contract.inputs import StageInput
from compression_contract.results import StageResult
from compression_jobs import artifacts, delivery, document, logs, result, stages, trust
from compression_jobs.context import StageContext
from compression_jobs.errors import Defect, OutOfMemory, StageError, TransferFailed, chain
from compression_jobs.redaction import Redactor, mounted_secrets
from compression_jobs.settings import Settings
from compression_jobs.storage import Credentials, Storage

LOG_NAME: Final = "log.jsonl"

log = logging.getLogger(__name__)


class Terminated(BaseException):
    """SIGTERM arrived: the node drains, or the job was suspended or cancelled."""


def terminate(number: int, _frame: FrameType | None) -> NoReturn:
    """The handler of SIGTERM: unwind, so that children are ended; a second one changes nothing."""
    signal.signal(number, signal.SIG_IGN)
    raise Terminated


@dataclass(slots=True)
class Process:
    """What is known of this process so far; it fills as the input is read."""

    settings: Settings
    stage: str
    redactor: Redactor
    input_hash: str = document.UNKNOWN_HASH
    storage: Storage | None = None
    output: str | None = None
    """Where the log goes; None until it is known that no earlier attempt has finished there."""
    log_file: Path | None = None


def main(stage: str, settings: Settings) -> int:
    """Run a stage and return the exit code; the result is in the termination log then."""
    signal.signal(signal.SIGTERM, terminate)
    process = Process(settings, stage, Redactor(mounted_secrets(settings.secret_folders)))
    logs.start(process.redactor, None, stage=stage)
    try:
        data, code = _run(process), int(ExitCode.SUCCESS)
    except Terminated:
        ended = TransferFailed("Terminated", "The pod was asked to end before its stage was done.")
        data, code = _failed(process, ended), SIGTERM_CODE
    except Exception as caught:
        error = as_stage_error(caught, settings.scratch)
        log.exception(error.message, extra={"fields": {"reason": error.reason}})
        data, code = _failed(process, error), int(error.exit_code)
    _write_result(data, settings.termination_log)
    log.info("done", extra={"fields": {"exitCode": code, "result": json.loads(data)}})
    if code != SIGTERM_CODE:
        _keep_log(process)
    return code


def as_stage_error(caught: Exception, scratch: Path) -> StageError:
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
    frames = traceback.extract_tb(caught.__traceback__)
    last = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
    return Defect(
        "UnexpectedError",
        f"{type(caught).__name__} at {last}: {caught}; the stage's log tells all, please report it.",
    )


def _run(process: Process) -> bytes:
    """The stage's result, from this attempt or from an earlier one."""
    settings = process.settings
    process.input_hash = document.claimed_hash(settings.input)
    given = document.read(settings.input, process.stage)
    scratch = _fresh_folder(settings.scratch)
    process.log_file = scratch / LOG_NAME
    logs.start(
        process.redactor,
        process.log_file,
        stage=process.stage,
        namespace=given.run.namespace,
        run=given.run.name,
    )
    bundle = trust.write_bundle(given.ca_bundle, scratch / "ca.pem") if given.ca_bundle else None
    if given.store is not None:
        credentials = Credentials.mounted(settings.storage_secret)
        process.storage = Storage.connect(given.store, credentials, bundle)
    return _once(process, given, scratch, bundle)


def _once(process: Process, given: StageInput, scratch: Path, bundle: Path | None) -> bytes:
    """Run the stage unless an earlier attempt of the same input has finished it."""
    recorded = delivery.recorded(process.storage, given)
    if recorded is not None:
        log.info("an earlier attempt finished this", extra={"fields": {"output": given.output}})
        return recorded
    process.output = given.output
    context: StageContext[Any] = StageContext(
        parameters=given.parameters,
        run=given.run,
        input_hash=given.input_hash,
        scratch=scratch,
        registry_secret=process.settings.registry_secret,
        ca_bundle=bundle,
        storage=process.storage,
    )
    outcome = stages.load(process.stage)(context)
    return delivery.deliver(outcome, context, given)


def _failed(process: Process, error: StageError) -> bytes:
    failure = result.failure(error, process.redactor)
    return result.encode(StageResult(input_hash=process.input_hash, failure=failure))


def _fresh_folder(base: Path) -> Path:
    """A fresh folder in the scratch volume: a restarted container finds nothing of its predecessor."""
    base.mkdir(parents=True, exist_ok=True)
    folder = base / "stage"
    shutil.rmtree(folder, ignore_errors=True)
    temporary = folder / "tmp"
    temporary.mkdir(parents=True)
    tempfile.tempdir = str(temporary)
    os.environ["TMPDIR"] = str(temporary)
    return folder


def _write_result(data: bytes, path: Path) -> None:
    try:
        path.write_bytes(data)
    except OSError:
        # The exit code still tells the class of the end; the operator reports the missing result.
        log.exception("the result could not be written", extra={"fields": {"path": str(path)}})


def _keep_log(process: Process) -> None:
    """Store the log beside the manifest; a store that fails now must not change how the stage ended."""
    if process.storage is None or process.output is None or process.log_file is None:
        return
    try:
        process.storage.upload(process.log_file, artifacts.join(process.output, LOG_NAME))
    except (StageError, OSError) as error:
        log.warning("the log could not be kept", extra={"fields": {"why": str(error)}})


def _free(folder: Path) -> str:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return "its size is unknown"
    return f"{usage.free >> 20} of {usage.total >> 20} MiB are free"
