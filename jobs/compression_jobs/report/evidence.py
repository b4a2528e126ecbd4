"""What the page is drawn from: the artifacts of a run, each read once, with its size bounded.

Owns reading them. A piece that is absent or cannot be read is left out and named: a page with a gap helps
more than none.
"""

from __future__ import annotations

import json
import logging
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from compression_contract.artifacts import ArtifactKind
from compression_contract.inputs import ReportedArtifact, ReportInput
from compression_jobs import arrays
from compression_jobs.artifacts import LocalArtifact
from compression_jobs.context import StageContext
from compression_jobs.errors import InvalidData, NotFound

MAX_JSON_BYTES: Final = 8 << 20
MAX_ARRAY_BYTES: Final = 256 << 20
MAX_ARRAYS: Final = 32
HISTORY, SENSITIVITY, MEASURED, PREDICTIONS = (
    "history.json",
    "sensitivity.json",
    "report.json",
    "predictions.npz",
)
_WANTED: Final[Mapping[str, tuple[ArtifactKind, frozenset[str]]]] = {
    "train": (ArtifactKind.FLOAT_STUDENT, frozenset({HISTORY})),
    "candidate": (ArtifactKind.CANDIDATE, frozenset({HISTORY, SENSITIVITY})),
    "evaluation": (ArtifactKind.EVALUATION, frozenset({MEASURED, PREDICTIONS})),
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that could be read, by step, or by step and target."""

    histories: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    sensitivities: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    measured: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    predictions: dict[tuple[str, str], dict[str, NDArray[Any]]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    """Sentences about what could not be read."""


def collect(context: StageContext[ReportInput]) -> Evidence:
    """Fetch and read the run's artifacts.

    Raises:
        Denied, Unavailable: the store's answer, which would be the same for every artifact.
    """
    found = Evidence()
    for reported in context.parameters.artifacts:
        if reported.role in _WANTED:
            kind, files = _WANTED[reported.role]
            try:
                _read(found, reported, context.fetch(reported.artifact, kind, only=files))
            except (InvalidData, NotFound) as error:
                found.missing.append(f"{reported.role} of {reported.step}: {error.message}")
                log.warning("left out of the page", extra={"fields": {"why": error.message}})
    return found


def _read(found: Evidence, reported: ReportedArtifact, artifact: LocalArtifact) -> None:
    key = (reported.step, reported.target)
    if artifact.has(HISTORY):
        found.histories[reported.step] = _records(artifact.file(HISTORY))
    if artifact.has(SENSITIVITY):
        found.sensitivities[reported.step] = _records(artifact.file(SENSITIVITY))
    if artifact.has(MEASURED):
        found.measured[key] = _json(artifact.file(MEASURED), dict)
    if artifact.has(PREDICTIONS):
        found.predictions[key] = _arrays(artifact.file(PREDICTIONS))


def _records(path: Path) -> list[dict[str, Any]]:
    """A list of objects, or the object's only list of them."""
    content = _json(path, (list, dict))
    if isinstance(content, dict):
        content = next((value for value in content.values() if isinstance(value, list)), [])
    return [entry for entry in content if isinstance(entry, dict)]


def _json(path: Path, kind: type | tuple[type, ...]) -> Any:
    if path.stat().st_size > MAX_JSON_BYTES:
        raise InvalidData("EvidenceTooLarge", f"{path.name} is larger than {MAX_JSON_BYTES} bytes.")
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise InvalidData("EvidenceInvalid", f"{path.name} is no JSON ({error}).") from error
    if not isinstance(content, kind):
        raise InvalidData("EvidenceInvalid", f"{path.name} does not hold what it should.")
    return content


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [member.removesuffix(".npy") for member in archive.namelist()[:MAX_ARRAYS]]
    except zipfile.BadZipFile as error:
        raise InvalidData("EvidenceInvalid", f"{path.name} is no .npz file ({error}).") from error
    return arrays.load(path, names, MAX_ARRAY_BYTES)
