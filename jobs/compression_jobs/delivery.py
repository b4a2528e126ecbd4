"""From a stage's outcome to its result: one artifact and one recorded result for the same input.

Owns what a repeated attempt does: find what an earlier one finished and say the same again. Must not know any
stage.
"""

from __future__ import annotations

import logging
from typing import Any

from compression_contract.artifacts import SUCCESS_NAME, ArtifactRef
from compression_contract.inputs import StageInput
from compression_contract.keys import MAX_RESULT_BYTES
from compression_contract.results import StageResult
from compression_jobs import artifacts, result
from compression_jobs.context import StageContext, StageOutcome
from compression_jobs.errors import InvalidInput
from compression_jobs.storage import Storage

log = logging.getLogger(__name__)


def deliver(outcome: StageOutcome, context: StageContext[Any], document: StageInput) -> bytes:
    """Publish the stage's artifact, if it made one, and give its result."""
    made = outcome.output
    if made is None:
        return result.encode(StageResult(input_hash=document.input_hash, facts=outcome.facts))
    if document.output is None:
        raise InvalidInput("OutputMissing", "This stage makes an artifact, but its input names no output.")
    storage = context.require_storage()
    manifest = artifacts.describe(made)
    data = result.encode(
        StageResult(
            input_hash=document.input_hash,
            artifact=ArtifactRef(uri=document.output, digest=manifest.digest),
            artifact_bytes=manifest.total_bytes,
            facts=outcome.facts,
        )
    )
    # Another attempt may have finished meanwhile: what it wrote is what readers have seen.
    others = recorded(storage, document)
    if others is not None:
        return others
    if not artifacts.publish(storage, made, manifest, document.output, {result.RESULT_NAME: data}):
        return recorded(storage, document) or data
    return data


def recorded(storage: Storage | None, document: StageInput) -> bytes | None:
    """The result that an earlier attempt left beside a finished artifact of the same input.

    A finished artifact that is damaged or belongs to another input is withdrawn, so that it can be made anew.
    """
    if storage is None or document.output is None:
        return None
    digest = artifacts.recorded_success(storage, document.output)
    if digest is None:
        return None
    data = storage.read_if_present(artifacts.join(document.output, result.RESULT_NAME), MAX_RESULT_BYTES)
    found = result.decode(data) if data is not None else None
    if (
        data is not None
        and found is not None
        and found.input_hash == document.input_hash
        and found.artifact == ArtifactRef(uri=document.output, digest=digest)
        and artifacts.is_intact(storage, document.output, digest)
    ):
        return result.encode(found)
    log.warning("a finished artifact is withdrawn: it is not of this input, or damaged")
    storage.delete(artifacts.join(document.output, SUCCESS_NAME))
    return None
