"""What each stage of a run is asked to do: the contract's parameters, built from the plan and the receipts.

Owns the translation from the API's words to the contract's. Everything a pod reads is named by digest. Must
not know how the document reaches the pod.
"""

from __future__ import annotations

from typing import assert_never

from compression_contract.artifacts import ArtifactRef
from compression_contract.inputs import (
    DistillInput,
    EvaluateInput,
    PackageInput,
    PreflightInput,
    PTQInput,
    QATInput,
    ResolveInput,
    ScanException,
    ScanInput,
    StageParameters,
    Unresolved,
)
from compression_contract.methods import (
    DatasetInput,
    Distillation,
    EvaluationTarget,
    LatencyPlan,
    Metric,
    Optimizer,
    Splits,
    StudentInput,
    TeacherInput,
)
from compression_operator.api.base import ApiModel
from compression_operator.api.compressionjob.methods import PTQ, QAT, Distill
from compression_operator.api.compressionjob.pipeline import Step
from compression_operator.api.compressionjob.status import Artifact, CompressionJobStatus
from compression_operator.core.compression.effective import DEFAULT_READER, Effective
from compression_operator.core.compression.plan import Part, Task, candidate_of, work_of
from compression_operator.core.names import image_tag


def parameters(task: Task, plan: Effective, status: CompressionJobStatus) -> StageParameters:
    """The parameters of a task whose predecessors have all left their receipts in `status`."""
    match task.part:
        case Part.RESOLVE:
            return _resolve(plan)
        case Part.PREFLIGHT:
            return _preflight(plan)
        case Part.EVALUATE:
            return _evaluate(task, plan, status)
        case Part.PACKAGE:
            return _package(plan, status)
        case Part.SCAN:
            return _scan(plan, status)
        case Part.STEP:
            return _step(plan.step(task.step), plan, status)
        case _:
            assert_never(task.part)


def baseline_artifact(plan: Effective, status: CompressionJobStatus) -> ArtifactRef | None:
    """The float ancestor of the first candidate that was made: one baseline for the whole run."""
    for step in plan.steps:
        if step.is_candidate and work_of(status, Task(Part.STEP, step.name)).state == "Succeeded":
            ancestor = plan.ancestor(step)
            return _stored_student(plan) if ancestor is None else _made_by(ancestor.name, status)
    return None


def reference(artifact: Artifact) -> ArtifactRef:
    """An artifact of the status, as the contract names it."""
    return ArtifactRef(uri=artifact.uri, digest=artifact.manifest_digest)


def _plain(model: ApiModel) -> dict[str, object]:
    return model.model_dump(mode="json", exclude_none=True)


def _resolve(plan: Effective) -> ResolveInput:
    spec = plan.spec
    student = None
    if spec.student.uri is not None:
        student = Unresolved(name="student", uri=spec.student.uri, digest=spec.student.digest)
    return ResolveInput(
        dataset=Unresolved(name="dataset", uri=spec.dataset.uri, digest=spec.dataset.digest),
        reader=plan.resolved.reader or DEFAULT_READER,
        splits=Splits.model_validate(_plain(spec.dataset.splits)),
        teachers=tuple(
            Unresolved(name=teacher.name, uri=teacher.uri, digest=teacher.digest)
            for teacher in spec.teachers
            if teacher.name in plan.teachers_used
        ),
        student=student,
    )


def _dataset(plan: Effective) -> DatasetInput:
    dataset = plan.spec.dataset
    return DatasetInput(
        uri=dataset.uri,
        digest=plan.resolved.dataset_digest or "",
        reader=plan.resolved.reader or DEFAULT_READER,
        seed=dataset.seed,
        splits=Splits.model_validate(_plain(dataset.splits)),
    )


def _teachers(plan: Effective, names: tuple[str, ...]) -> tuple[TeacherInput, ...]:
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


def _preflight(plan: Effective) -> PreflightInput:
    return PreflightInput(
        dataset=_dataset(plan),
        teachers=_teachers(plan, plan.teachers_used),
        num_classes=plan.resolved.num_classes or 1,
        input_shape=plan.resolved.input_shape or (),
        metric=Metric.model_validate(_plain(plan.metrics[0])),
    )


def _step(step: Step, plan: Effective, status: CompressionJobStatus) -> StageParameters:
    if step.ptq is not None:
        return _ptq(step, step.ptq, plan, status)
    if step.qat is not None:
        return _qat(step, step.qat, plan, status)
    return _distill(step, step.distill or Distill(), plan, status)


def _distill(step: Step, distill: Distill, plan: Effective, status: CompressionJobStatus) -> DistillInput:
    source = _made_by(step.from_, status) if step.from_ else _stored_student(plan)
    student = StudentInput(
        arch=step.student_arch or plan.spec.student.arch or "",
        num_classes=plan.resolved.num_classes or 1,
        input_shape=plan.resolved.input_shape or (),
        artifact=source,
    )
    return DistillInput(
        dataset=_dataset(plan),
        student=student,
        distillation=_distillation(distill, plan),
        epochs=distill.epochs or plan.spec.student.schedule_epochs,
        optimizer=Optimizer.model_validate(_plain(distill.optimizer)),
        cache_teacher_outputs=distill.cache_teacher_outputs,
        onnx_opset=plan.onnx_opset,
    )


def _distillation(distill: Distill, plan: Effective) -> Distillation:
    settings = distill.model_dump(
        mode="json",
        exclude_none=True,
        include={"combine", "temperature", "scale_by_temperature_squared", "alpha", "features"},
    )
    teachers = [teacher.wire() for teacher in _teachers(plan, distill.teachers or ())]
    return Distillation.model_validate({**settings, "teachers": teachers})


def _ptq(step: Step, ptq: PTQ, plan: Effective, status: CompressionJobStatus) -> PTQInput:
    settings = ptq.model_dump(mode="json", exclude_none=True, exclude={"bits"})
    fields = {
        **settings,
        "dataset": _dataset(plan).wire(),
        "source": source_of(step, plan, status).wire(),
        "weight_bits": ptq.bits.weight,
        "onnx_opset": plan.onnx_opset,
    }
    return PTQInput.model_validate(fields)


def _qat(step: Step, qat: QAT, plan: Effective, status: CompressionJobStatus) -> QATInput:
    ancestor = plan.ancestor(step)
    distill = ancestor.distill if ancestor is not None else None
    fields = {
        "dataset": _dataset(plan).wire(),
        "source": source_of(step, plan, status).wire(),
        "epochs": qat.length(plan.spec.student.schedule_epochs),
        "learning_rate": qat.learning_rate,
        "quanters": _plain(qat.quanters),
        "freeze_batch_norm_after": qat.freeze_batch_norm_after,
        "onnx_opset": plan.onnx_opset,
    }
    if distill is not None:
        fields["batch_size"] = distill.optimizer.batch_size
        if qat.keep_distillation:
            fields["distillation"] = _distillation(distill, plan).wire()
    return QATInput.model_validate(fields)


def source_of(step: Step, plan: Effective, status: CompressionJobStatus) -> ArtifactRef:
    """The float model that a step starts from.

    Raises:
        LookupError: there is none yet.
    """
    found = _made_by(step.from_, status) if step.from_ else _stored_student(plan)
    if found is None:
        raise LookupError(f"step {step.name} has no model to start from")
    return found


def _made_by(step: str, status: CompressionJobStatus) -> ArtifactRef | None:
    artifact = work_of(status, Task(Part.STEP, step)).artifact
    return None if artifact is None else reference(artifact)


def _stored_student(plan: Effective) -> ArtifactRef | None:
    student, digest = plan.spec.student, plan.resolved.student_digest
    if student.uri is None or digest is None:
        return None
    return ArtifactRef(uri=student.uri, digest=digest)


def _evaluate(task: Task, plan: Effective, status: CompressionJobStatus) -> EvaluateInput:
    candidate = _made_by(task.step, status)
    if candidate is None:
        raise LookupError(f"step {task.step} has no candidate to measure")
    target = next(item for item in plan.targets if item.name == task.target)
    latency = plan.evaluation.latency
    return EvaluateInput(
        dataset=_dataset(plan),
        candidate=candidate,
        baseline=baseline_artifact(plan, status),
        target=EvaluationTarget.model_validate(_plain(target)),
        metrics=tuple(Metric.model_validate(_plain(metric)) for metric in plan.metrics),
        latency=LatencyPlan(
            warmup=latency.warmup,
            iterations=latency.iterations,
            repeats=latency.repeats,
            max_cv=latency.max_cv,
        ),
        max_samples=plan.evaluation.max_samples,
        golden_samples=plan.evaluation.golden_samples,
    )


def _package(plan: Effective, status: CompressionJobStatus) -> PackageInput:
    selected = status.selected
    candidate = candidate_of(status, selected.step) if selected is not None else None
    if selected is None or candidate is None or candidate.artifact is None:
        raise LookupError("no candidate is selected")
    evaluation = next(item.evaluation for item in candidate.results if item.target == selected.target)
    if evaluation is None:
        raise LookupError(f"the measurements of {selected.step} on {selected.target} are not stored")
    target = next(item for item in plan.targets if item.name == selected.target)
    model, digest = plan.spec.model, candidate.artifact.manifest_digest
    return PackageInput(
        model=model.name,
        version=model.version or "",
        candidate=reference(candidate.artifact),
        evaluation=reference(evaluation),
        serving_base=plan.snapshot.serving_base,
        repository=plan.repository,
        tag=image_tag(model.name, model.version or "", digest),
        labels=dict(plan.packaging.labels or {}),
        format=target.format,
        threads=target.threads,
    )


def _scan(plan: Effective, status: CompressionJobStatus) -> ScanInput:
    image, scan = status.image, plan.spec.scan
    if image is None:
        raise LookupError("no image has been pushed")
    exceptions = tuple(
        ScanException(
            id=item.id,
            purl=item.purl or "",
            reason=item.reason,
            expires=item.expires.isoformat().replace("+00:00", "Z"),
        )
        for item in scan.exceptions
    )
    return ScanInput(
        image=f"{image.repository}@{image.manifest_digest}",
        server=plan.snapshot.scanner or "",
        exceptions=exceptions,
        ignore_unfixed=scan.ignore_unfixed,
        sbom_format=scan.sbom.format,
        attach_sbom=scan.sbom.attach,
    )
