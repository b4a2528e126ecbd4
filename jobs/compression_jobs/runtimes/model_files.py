"""The files of one model, as a runtime opens them and a gate weighs them.

Owns which files of an artifact belong to a format, their size and their digest. Must not open a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from compression_contract.base import digest_of_json
from compression_contract.formats import BASELINE_FORMATS, CANDIDATE_FILES, FLOAT_FILES
from compression_jobs.artifacts import LocalArtifact, digest_of_file
from compression_jobs.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model on disk."""

    format: str
    paths: tuple[Path, ...]
    """At least one; the first is the graph, where graph and weights are apart."""

    @property
    def name(self) -> str:
        """For sentences."""
        return self.paths[0].name

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(path.stat().st_size for path in self.paths)

    @property
    def digest(self) -> str:
        """sha256 of a single file; of several, that of the canonical JSON of their digests by name."""
        digests = {path.name: digest_of_file(path) for path in self.paths}
        return digests[self.name] if len(digests) == 1 else digest_of_json(digests)


def candidate_names(model_format: str) -> tuple[str, ...]:
    """The files of a Candidate that are its model in a format; raises Misconfigured(FormatUnsupported)."""
    return _names(CANDIDATE_FILES, model_format)


def baseline_names(model_format: str) -> tuple[str, ...]:
    """The files of a FloatStudent beside which a candidate of a format is measured."""
    return _names(FLOAT_FILES, baseline_format(model_format))


def baseline_format(model_format: str) -> str:
    """The format of the float model that stands beside a candidate of a format."""
    return BASELINE_FORMATS.get(model_format, model_format)


def of_candidate(artifact: LocalArtifact, model_format: str) -> ModelFiles:
    """The model in a fetched Candidate; raises InvalidData(FileMissing)."""
    return ModelFiles(model_format, tuple(artifact.file(name) for name in candidate_names(model_format)))


def of_baseline(artifact: LocalArtifact, model_format: str) -> ModelFiles:
    """The float model in a fetched FloatStudent; raises InvalidData(FileMissing)."""
    names = baseline_names(model_format)
    return ModelFiles(baseline_format(model_format), tuple(artifact.file(name) for name in names))


def _names(table: Mapping[str, tuple[str, ...]], model_format: str) -> tuple[str, ...]:
    if model_format not in table:
        raise Misconfigured(
            "FormatUnsupported",
            f"No artifact has a model of format {model_format!r}; choose one of {', '.join(table)}.",
        )
    return table[model_format]
