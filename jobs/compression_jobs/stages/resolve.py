"""Resolve: find every input of a run, check access to it, and fix it by digest, before anything costs time.

Owns the sentences about missing, unfinished and mistaken inputs. Must not read any data beyond manifests.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from compression_contract.artifacts import MANIFEST_NAME, ArtifactKind, ArtifactManifest
from compression_contract.base import canonical_json
from compression_contract.inputs import ResolveInput, Unresolved
from compression_contract.methods import Splits, TaskName
from compression_contract.results import ResolveFacts
from compression_jobs import artifacts
from compression_jobs.artifacts import LocalArtifact
from compression_jobs.context import Output, StageContext, StageOutcome
from compression_jobs.errors import Denied, InvalidData, InvalidInput, NotFound
from compression_jobs.readers import DatasetFacts, files_of, open_reader
from compression_jobs.readers.facts import TARGETS_OF
from compression_jobs.storage import Storage

RESOLUTION_FILE: Final = "resolution.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Role:
    """What an input is to the run: the word its reasons begin with, and the kind it must be of."""

    word: str
    kind: ArtifactKind


DATASET: Final = Role("Dataset", ArtifactKind.DATASET)
TEACHER: Final = Role("Teacher", ArtifactKind.TEACHER)
STUDENT: Final = Role("Student", ArtifactKind.FLOAT_STUDENT)
CODE: Final = Role("Code", ArtifactKind.CODE)


def run(context: StageContext[ResolveInput]) -> StageOutcome:
    """Resolve all inputs of the run.

    Raises:
        NotFound: DatasetNotFound, TeacherNotFound, StudentNotFound, CodeNotFound.
        InvalidData: DatasetIncomplete, TeacherIncomplete, StudentIncomplete, CodeIncomplete,
            DigestMismatch, WrongArtifactKind, ManifestInvalid, DatasetFactsInvalid, SplitNotFound,
            ClassesDiffer.
        InvalidInput: ReaderUnknown, ReaderDiffers, TaskMismatch.
        Denied, Unavailable, Misconfigured: the store's answer.
    """
    wanted, storage = context.parameters, context.require_storage()
    manifest, dataset_digest = find(storage, wanted.dataset, DATASET)
    facts = open_reader(wanted.reader, LocalArtifact(manifest, dataset_digest, context.scratch)).facts
    check_task(facts, wanted.task)
    check_splits(facts, manifest, wanted.splits)
    teachers = {}
    for teacher in wanted.teachers:
        found, teachers[teacher.name] = find(storage, teacher, TEACHER)
        check_classes(found, facts, teacher)
    student = None
    if wanted.student is not None:
        found, student = find(storage, wanted.student, STUDENT)
        check_classes(found, facts, wanted.student)
    code = find(storage, wanted.code, CODE)[1] if wanted.code is not None else None
    resolved = ResolveFacts(
        dataset_digest=dataset_digest,
        teacher_digests=teachers,
        student_digest=student,
        code_digest=code,
        reader=facts.reader,
        input_shape=facts.input_shape,
        num_classes=facts.num_classes,
        samples=facts.splits,
    )
    folder = context.folder("resolution")
    (folder / RESOLUTION_FILE).write_bytes(canonical_json(resolved.wire()))
    return StageOutcome(resolved, Output(folder, ArtifactKind.RESOLUTION))


def find(storage: Storage, wanted: Unresolved, role: Role) -> tuple[ArtifactManifest, str]:
    """An input's manifest and digest, after every check that needs no data.

    Raises:
        NotFound, InvalidData, Denied, Unavailable, Misconfigured: as `run` says.
    """
    name = f"{role.word} {wanted.name}" if wanted.name else role.word
    try:
        success = artifacts.recorded_success(storage, wanted.uri)
        manifest, digest = artifacts.read_manifest(storage, wanted.uri, wanted.digest)
    except NotFound as error:
        if error.reason != "ObjectNotFound":
            raise NotFound(f"{role.word}NotFound", f"{name} cannot be read. {error.message}") from error
        raise _absent(storage, wanted, role, name) from error
    except Denied as error:
        raise Denied(error.reason, f"{name} cannot be read. {error.message}") from error
    if success is None:
        raise InvalidData(
            f"{role.word}Incomplete",
            f"{name}: {wanted.uri} has no _SUCCESS, its upload has not finished; finish it.",
        )
    if success != digest:
        raise InvalidData(
            "DigestMismatch",
            f"{name}: _SUCCESS at {wanted.uri} says {success}, its manifest is {digest}; upload it again.",
        )
    artifacts.require_kind(manifest, role.kind, wanted.uri)
    _check_files(storage, manifest, wanted, role)
    return manifest, digest


def check_task(facts: DatasetFacts, task: TaskName) -> None:
    """A dataset must tell what the task is to find, in samples of the task's kind.

    Raises:
        InvalidInput: TaskMismatch.
    """
    needed = TARGETS_OF[task]
    if facts.targets not in needed:
        raise InvalidInput(
            "TaskMismatch",
            f"{task} needs a dataset with {' or '.join(needed)}, this one has {facts.targets}; "
            "correct spec.task or spec.dataset.",
        )
    if (facts.input_type == "int64") != (task == "TextClassification"):
        raise InvalidInput(
            "TaskMismatch",
            f"{task} cannot be learnt from samples of type {facts.input_type}; "
            "correct spec.task or spec.dataset.",
        )


def check_splits(facts: DatasetFacts, manifest: ArtifactManifest, splits: Splits) -> None:
    """Train and test must be there; calibration is carved out of train where the dataset has none.

    Raises:
        InvalidData: SplitNotFound.
    """
    paths = [entry.path for entry in manifest.files]
    needed = [
        splits.train,
        splits.test,
        *([splits.calibration] if splits.calibration in facts.splits else []),
    ]
    for split in sorted(needed):
        if not facts.splits.get(split) or not files_of(facts.reader, split).complete(paths):
            raise InvalidData(
                "SplitNotFound",
                f"The dataset has no samples in a split {split!r}, it has {', '.join(sorted(facts.splits))}; "
                "correct spec.dataset.splits.",
            )


def check_classes(manifest: ArtifactManifest, facts: DatasetFacts, wanted: Unresolved) -> None:
    """A model that says how many classes it knows must know as many as the dataset has.

    Raises:
        InvalidData: ClassesDiffer.
    """
    known = manifest.facts.get("numClasses")
    if known is not None and known != facts.num_classes:
        raise InvalidData(
            "ClassesDiffer",
            f"{wanted.uri} knows {known} classes, the dataset has {facts.num_classes}; use another.",
        )


def _absent(storage: Storage, wanted: Unresolved, role: Role, name: str) -> NotFound | InvalidData:
    """Nothing there at all, or an upload that has not come to its manifest?"""
    if storage.sizes(wanted.uri):
        return InvalidData(
            f"{role.word}Incomplete",
            f"{name}: {wanted.uri} has files but no {MANIFEST_NAME}; upload it as an artifact, to the end.",
        )
    return NotFound(
        f"{role.word}NotFound", f"{name}: there is nothing at {wanted.uri}; upload it or correct the address."
    )


def _check_files(storage: Storage, manifest: ArtifactManifest, wanted: Unresolved, role: Role) -> None:
    """Every file of the manifest lies there in its size; the stages that read it check its digest."""
    sizes = storage.sizes(wanted.uri)
    for entry in manifest.files:
        if sizes.get(entry.path) != entry.bytes:
            found = f"{sizes[entry.path]} bytes" if entry.path in sizes else "absent"
            raise InvalidData(
                f"{role.word}Incomplete",
                f"{wanted.uri}/{entry.path} is {found}, should be {entry.bytes} bytes; upload it again.",
            )
