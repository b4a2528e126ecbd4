"""What stages read: the stored things that receipts and the author name, as the contract names them.

Owns finding a model, a teacher or the dataset by digest, and the chain of models that each was made of. Must
not know what a stage does with it.
"""

from __future__ import annotations

from compression_contract.artifacts import ArtifactRef
from compression_contract.methods import DatasetInput, Splits, TeacherInput
from compression_operator.api.base import ApiModel
from compression_operator.api.compressionjob.pipeline import Step
from compression_operator.api.compressionjob.status import Artifact, CompressionJobStatus
from compression_operator.core.compression.effective import Effective
from compression_operator.core.compression.plan import Part, Task, work_of


def plain(model: ApiModel) -> dict[str, object]:
    """A value of the API by the names of its fields, absent ones left out."""
    return model.model_dump(mode="json", exclude_none=True)


def reference(artifact: Artifact) -> ArtifactRef:
    """An artifact of the status, as the contract names it."""
    return ArtifactRef(uri=artifact.uri, digest=artifact.manifest_digest)


def made_by(step: str, status: CompressionJobStatus) -> ArtifactRef | None:
    """What a step has made; None: nothing yet."""
    artifact = work_of(status, Task(Part.STEP, step)).artifact
    return None if artifact is None else reference(artifact)


def stored_student(plan: Effective) -> ArtifactRef | None:
    """The author's float model; None where an architecture is to be trained."""
    student, digest = plan.spec.student, plan.resolved.student_digest
    if student.uri is None or digest is None:
        return None
    return ArtifactRef(uri=student.uri, digest=digest)


def source_of(step: Step, plan: Effective, status: CompressionJobStatus) -> ArtifactRef:
    """The float model that a step starts from.

    Raises:
        LookupError: there is none yet.
    """
    found = made_by(step.from_, status) if step.from_ else stored_student(plan)
    if found is None:
        raise LookupError(f"step {step.name} has no model to start from")
    return found


def baseline_artifact(plan: Effective, status: CompressionJobStatus) -> ArtifactRef | None:
    """The float model that the first candidate was made of, before any filter was cut: one for the whole run.

    A pruned model would be a baseline that has lost already what the gates are to bound.
    """
    for step in plan.steps:
        if step.is_candidate and work_of(status, Task(Part.STEP, step.name)).state == "Succeeded":
            trained = plan.uncut(step)
            return stored_student(plan) if trained is None else made_by(trained.name, status)
    return None


def code_of(plan: Effective) -> ArtifactRef | None:
    """The author's code, for stages that train; None where the runner's own does."""
    code = plan.spec.code
    return None if code is None else ArtifactRef(uri=code.uri, digest=code.digest)


def dataset_of(plan: Effective) -> DatasetInput:
    """The dataset as it was resolved, read by the image's own reader."""
    dataset = plan.spec.dataset
    return DatasetInput(
        uri=dataset.uri,
        digest=plan.resolved.dataset_digest or "",
        reader=plan.resolved.reader or "",
        seed=dataset.seed,
        splits=Splits.model_validate(plain(dataset.splits)),
        max_bad_records=dataset.max_bad_records,
    )


def training_data_of(plan: Effective) -> DatasetInput:
    """The same for stages that train, which may read it by the author's code."""
    found = dataset_of(plan)
    return found.model_copy(update={"reader": plan.spec.dataset.reader or found.reader})


def teachers_of(plan: Effective, names: tuple[str, ...]) -> tuple[TeacherInput, ...]:
    """Teachers by name, in the author's order, as they were resolved."""
    digests = {item.name: item.digest for item in plan.resolved.teacher_digests}
    return tuple(
        TeacherInput(
            name=teacher.name,
            uri=teacher.uri,
            digest=digests[teacher.name],
            format=teacher.format,
            weight=teacher.weight,
            min_metric=teacher.min_metric,
        )
        for teacher in plan.spec.teachers
        if teacher.name in names
    )
