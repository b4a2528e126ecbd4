"""The models of an evaluation: fetched, opened on the target's runtime, and held against the dataset.

Owns which files of which artifact are measured. Must not measure anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from compression_contract.artifacts import ArtifactKind
from compression_contract.inputs import EvaluateInput
from compression_contract.methods import EvaluationTarget
from compression_jobs.artifacts import LocalArtifact
from compression_jobs.context import StageContext
from compression_jobs.runtimes import ModelFiles, Runtime, Session, model_files, runtime

FAKE_QUANT: Final = "fake_quant.npz"


@dataclass(frozen=True, slots=True)
class Subject:
    """A model under measurement."""

    name: str
    """For sentences: candidate or baseline."""
    model: ModelFiles
    session: Session


@dataclass(frozen=True, slots=True)
class Opened:
    """What an evaluation measures."""

    runtime: Runtime
    artifact: LocalArtifact
    """The candidate's."""
    subjects: tuple[Subject, ...]
    """The candidate, and behind it the baseline, if there is one."""


Check = Callable[[Session, str], None]
"""Refuses a session, by its subject's name, that is made for other data."""


def open_all(context: StageContext[EvaluateInput], fits: Check) -> Opened:
    """Fetch and open.

    Raises:
        Misconfigured: RuntimeUnknown, HardwareMissing, LibraryMissing, WrongImage, FormatUnsupported.
        InvalidData: WrongArtifactKind, DigestMismatch, FileMissing; what a runtime refuses; what `fits` does.
        NotFound, Denied, Unavailable: the store's answer.
    """
    given = context.parameters
    target = given.target
    # Before anything is fetched: a runtime that is not here will not come.
    found = runtime(target.runtime)
    names = {*model_files.candidate_names(target.format), FAKE_QUANT}
    artifact = context.fetch(given.candidate, ArtifactKind.CANDIDATE, only=names)
    subjects = [_open(found, "candidate", model_files.of_candidate(artifact, target.format), target, fits)]
    if given.baseline is not None:
        names = set(model_files.baseline_names(target.format))
        baseline = context.fetch(given.baseline, ArtifactKind.FLOAT_STUDENT, only=names)
        subjects.append(
            _open(found, "baseline", model_files.of_baseline(baseline, target.format), target, fits)
        )
    return Opened(found, artifact, tuple(subjects))


def _open(found: Runtime, name: str, model: ModelFiles, target: EvaluationTarget, fits: Check) -> Subject:
    session = found.open(model, target.threads)
    fits(session, name)
    return Subject(name, model, session)
