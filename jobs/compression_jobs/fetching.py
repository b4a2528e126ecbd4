"""Fetch: all inputs of a stage that runs an author's code, before it starts.

Owns filling the exchange's folder of inputs, with the credentials that the stage does not get. Runs nobody's
code and opens no file but manifests.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from compression_contract.artifacts import MANIFEST_NAME, SUCCESS_NAME, ArtifactRef
from compression_contract.exitcodes import ExitCode
from compression_contract.results import StageResult
from compression_jobs import artifacts, checkpoint_places, delivery, document, result, runner
from compression_jobs.artifacts import LocalArtifact
from compression_jobs.checkpoints import SLOTS
from compression_jobs.errors import InvalidData, Misconfigured, NotFound
from compression_jobs.exchange import Exchange, references
from compression_jobs.storage import Storage

log = logging.getLogger(__name__)


def work(process: runner.Process) -> tuple[bytes, int]:
    """Fetch; the result says only that it went well.

    Raises:
        Misconfigured: ExchangeMissing, StorageMissing.
        InvalidData: DigestMismatch, ManifestInvalid.
        NotFound, Denied, Unavailable, TransferFailed: the store's answer.
    """
    given = document.read(process.settings.input)
    process.input_hash = given.input_hash
    scratch = runner.prepare(process, given)
    exchange, storage = sides(process), runner.connect(process, given)
    if storage is None:
        raise Misconfigured("StorageMissing", "This pod runs an author's code, and its input names no store.")
    exchange.inputs.mkdir(parents=True, exist_ok=True)
    done = result.encode(StageResult(input_hash=given.input_hash))
    recorded = delivery.recorded(storage, given)
    if recorded is not None:
        exchange.recorded.write_bytes(recorded)
        return done, int(ExitCode.SUCCESS)
    for reference in references(given.parameters):
        _fetch(storage, reference, exchange.input(reference.digest))
    if given.output is not None and given.checkpoint_seconds is not None:
        place = checkpoint_places.Stored(storage, checkpoint_places.address(given.output), scratch / "slots")
        _fetch_checkpoints(place, exchange.checkpoints.fetched)
    return done, int(ExitCode.SUCCESS)


def sides(process: runner.Process) -> Exchange:
    """The exchange's folders.

    Raises:
        Misconfigured: ExchangeMissing.
    """
    if process.settings.exchange is None:
        raise Misconfigured("ExchangeMissing", "COMPRESSION_EXCHANGE does not name the exchange's folder.")
    return Exchange(process.settings.exchange)


def _fetch(storage: Storage, reference: ArtifactRef, folder: Path) -> None:
    manifest, _ = artifacts.read_manifest(storage, reference.uri, reference.digest)
    found = artifacts.fetch(storage, reference, manifest.kind, folder)
    _finish(found, folder)
    told = {"uri": reference.uri, "kind": manifest.kind, "bytes": manifest.total_bytes}
    log.info("input fetched", extra={"fields": told})


def _fetch_checkpoints(place: checkpoint_places.Stored, folder: Path) -> None:
    for slot in SLOTS:
        try:
            found = place.read(slot)
        except (InvalidData, NotFound) as error:
            log.warning("a checkpoint is passed over", extra={"fields": {"slot": slot, "why": error.message}})
            continue
        if found is not None:
            shutil.copytree(found.folder, folder / slot, dirs_exist_ok=True)
            _finish(found, folder / slot)


def _finish(found: LocalArtifact, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST_NAME).write_bytes(found.manifest.to_bytes())
    (folder / SUCCESS_NAME).write_text(found.digest, encoding="ascii")
