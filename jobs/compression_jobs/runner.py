"""One stage in one process, from its input document to its exit code.

Owns the order of things: input, credentials, an earlier attempt's result, the stage, its artifact, the
termination message. Must not know any stage.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compression_contract.exitcodes import SIGTERM_CODE, ExitCode
from compression_contract.inputs import StageInput
from compression_contract.results import StageResult
from compression_jobs import document, logs, outlets, replicas, result, stages, trust, user_code
from compression_jobs.checkpoints import Checkpoints
from compression_jobs.context import StageContext
from compression_jobs.errors import StageError, TransferFailed
from compression_jobs.exchange import Exchange
from compression_jobs.failures import as_stage_error
from compression_jobs.interruption import Terminated, terminate
from compression_jobs.keeper import Keeper
from compression_jobs.outlets import Outlet, ToExchange, ToStore
from compression_jobs.redaction import Redactor, mounted_secrets
from compression_jobs.replicas import NotFirst, Replica
from compression_jobs.settings import Settings
from compression_jobs.storage import Credentials, Storage

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Process:
    """What is known of this process so far; it fills as the input is read."""

    settings: Settings
    stage: str
    redactor: Redactor
    input_hash: str = document.UNKNOWN_HASH
    scratch: Path | None = None
    bundle: Path | None = None
    """PEM file of all trusted certificates."""
    storage: Storage | None = None
    outlet: Outlet | None = None
    replica: Replica = replicas.ALONE
    log_file: Path | None = None
    """None until it is known that no earlier attempt has finished: its log is the one to be kept."""


def main(stage: str, settings: Settings) -> int:
    """Run a stage and return the exit code; the result is in the termination log then."""
    return supervise(Process(settings, stage, Redactor(mounted_secrets(settings.secret_folders))), _run)


def help_out(name: str, settings: Settings, work: Callable[[Process], tuple[bytes, int]]) -> int:
    """Run what stands before or beside a stage, in the same good order."""
    return supervise(Process(settings, name, Redactor(mounted_secrets(settings.secret_folders))), work)


def supervise(process: Process, work: Callable[[Process], tuple[bytes, int]]) -> int:
    """Do a process's work, and end with a result and an exit code whatever happens."""
    signal.signal(signal.SIGTERM, terminate)
    logs.start(process.redactor, None, stage=process.stage)
    try:
        data, code = work(process)
    except NotFirst:
        data, code = _helped(process), int(ExitCode.SUCCESS)
    except Terminated:
        ended = TransferFailed("Terminated", "The pod was asked to end before its stage was done.")
        data, code = _failed(process, ended, SIGTERM_CODE), SIGTERM_CODE
    except (Exception, SystemExit) as caught:
        error = as_stage_error(caught, process.settings.scratch)
        log.exception(error.message, extra={"fields": {"reason": error.reason}})
        data, code = _failed(process, error, error.exit_code), int(error.exit_code)
    _write_result(data, process.settings.termination_log)
    log.info("done", extra={"fields": {"exitCode": code, "result": json.loads(data)}})
    if code != SIGTERM_CODE and process.outlet is not None and process.log_file is not None:
        rank = process.replica.index
        name = outlets.LOG_NAME if rank == 0 else f"log-{rank}.jsonl"
        process.outlet.keep_log(process.log_file, name)
    return code


def prepare(process: Process, given: StageInput) -> Path:
    """Scratch space, log file, certificates and, where the input names a store, its client."""
    scratch = process.scratch = _fresh_folder(process.settings.scratch)
    logs.start(
        process.redactor,
        scratch / outlets.LOG_NAME,
        stage=process.stage,
        namespace=given.run.namespace,
        run=given.run.name,
    )
    if given.ca_bundle:
        process.bundle = trust.write_bundle(given.ca_bundle, scratch / "ca.pem")
    return scratch


def connect(process: Process, given: StageInput) -> Storage | None:
    """The object store, by the mounted credentials; None where the input names none."""
    if given.store is not None:
        credentials = Credentials.mounted(process.settings.storage_secret)
        process.storage = Storage.connect(given.store, credentials, process.bundle)
    return process.storage


def _run(process: Process) -> tuple[bytes, int]:
    """The stage's result, from this attempt or from an earlier one."""
    settings = process.settings
    process.input_hash = document.claimed_hash(settings.input)
    given = document.read(settings.input, process.stage)
    scratch = prepare(process, given)
    count = getattr(given.parameters, "replicas", 1)
    process.replica = replicas.from_environment(os.environ, count)
    if settings.exchange is not None:
        process.outlet = ToExchange(Exchange(settings.exchange), given)
    else:
        process.outlet = ToStore(connect(process, given), given)
    recorded = process.outlet.recorded()
    if recorded is not None:
        log.info("an earlier attempt finished this", extra={"fields": {"output": given.output}})
        return recorded, int(ExitCode.SUCCESS)
    process.log_file = scratch / outlets.LOG_NAME
    return _work(process, given, process.outlet, scratch), int(ExitCode.SUCCESS)


def _work(process: Process, given: StageInput, outlet: Outlet, scratch: Path) -> bytes:
    """Run the stage and hand over what it made."""
    settings = process.settings
    context: StageContext[Any] = StageContext(
        parameters=given.parameters,
        run=given.run,
        input_hash=given.input_hash,
        scratch=scratch,
        registry_secret=settings.registry_secret,
        ca_bundle=process.bundle,
        storage=process.storage,
        inputs=None if settings.exchange is None else Exchange(settings.exchange),
        keeper=_keeper(process, given, outlet, scratch),
    )
    user_code.load(context)
    outcome = stages.load(process.stage)(context)
    data = outlet.deliver(outcome, context)
    if context.keeper.checkpoints is not None:
        context.keeper.checkpoints.clear()
    return data


def _keeper(process: Process, given: StageInput, outlet: Outlet, scratch: Path) -> Keeper:
    """What a training needs to survive an interruption, where the input asks for it."""
    place = outlet.checkpoints(scratch) if given.checkpoint_seconds is not None else None
    if place is None or given.checkpoint_seconds is None:
        return Keeper(replica=process.replica)
    folder = scratch / "checkpoint"
    kept = Checkpoints(place, given.input_hash, given.checkpoint_seconds, folder)
    return Keeper(kept, process.replica)


def _helped(process: Process) -> bytes:
    """The result of a replica that is not the first one."""
    return result.encode(StageResult(input_hash=process.input_hash, rank=process.replica.index))


def _failed(process: Process, error: StageError, code: int) -> bytes:
    failure = result.failure(error, process.redactor)
    rank = process.replica.index
    data = result.encode(StageResult(input_hash=process.input_hash, rank=rank, failure=failure))
    if process.outlet is not None:
        process.outlet.failed(data, int(code))
    return data


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
