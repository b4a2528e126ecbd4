"""What each stage beside the steps is asked to do: parameters, built from the plan and the receipts.

Owns the translation from the API's words to the contract's (see `training` for the steps). Everything a pod
reads is named by digest. Must not know how the document reaches the pod.
"""

from __future__ import annotations

from typing import assert_never

from compression_contract.inputs import (
    EvaluateInput,
    PackageInput,
    PreflightInput,
    ResolveInput,
    ScanException,
    ScanInput,
    StageParameters,
    Unresolved,
)
from compression_contract.methods import EvaluationTarget, LatencyPlan, Metric, Splits
from compression_operator.api.compressionjob.status import CompressionJobStatus
from compression_operator.core.compression.effective import Effective
from compression_operator.core.compression.plan import Part, Task, candidate_of
from compression_operator.core.compression.sources import (
    baseline_artifact,
    dataset_of,
    made_by,
    plain,
    reference,
    teachers_of,
)
from compression_operator.core.compression.summary import report_input
from compression_operator.core.compression.training import step_parameters
from compression_operator.core.names import image_tag
from compression_operator.core.observed import Identity


def parameters(
    task: Task, plan: Effective, status: CompressionJobStatus, identity: Identity
) -> StageParameters:
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
        case Part.REPORT:
            return report_input(plan, status, identity)
        case Part.STEP:
            return step_parameters(plan.step(task.step), plan, status)
        case _:
            assert_never(task.part)


def _resolve(plan: Effective) -> ResolveInput:
    spec = plan.spec
    student, code = None, None
    if spec.student.uri is not None:
        student = Unresolved(name="student", uri=spec.student.uri, digest=spec.student.digest)
    if spec.code is not None:
        code = Unresolved(name="code", uri=spec.code.uri, digest=spec.code.digest)
    return ResolveInput(
        task=spec.task,
        dataset=Unresolved(name="dataset", uri=spec.dataset.uri, digest=spec.dataset.digest),
        reader=plan.resolved.reader or "",
        splits=Splits.model_validate(plain(spec.dataset.splits)),
        teachers=tuple(
            Unresolved(name=teacher.name, uri=teacher.uri, digest=teacher.digest)
            for teacher in spec.teachers
            if teacher.name in plan.teachers_used
        ),
        student=student,
        code=code,
    )


def _preflight(plan: Effective) -> PreflightInput:
    return PreflightInput(
        task=plan.spec.task,
        dataset=dataset_of(plan),
        teachers=teachers_of(plan, plan.teachers_used),
        num_classes=plan.resolved.num_classes or 1,
        input_shape=plan.resolved.input_shape or (),
        metric=Metric.model_validate(plain(plan.metrics[0])),
    )


def _evaluate(task: Task, plan: Effective, status: CompressionJobStatus) -> EvaluateInput:
    candidate = made_by(task.step, status)
    if candidate is None:
        raise LookupError(f"step {task.step} has no candidate to measure")
    target = next(item for item in plan.targets if item.name == task.target)
    latency = plan.evaluation.latency
    return EvaluateInput(
        task=plan.spec.task,
        dataset=dataset_of(plan),
        candidate=candidate,
        baseline=baseline_artifact(plan, status),
        target=EvaluationTarget.model_validate(plain(target)),
        metrics=tuple(Metric.model_validate(plain(metric)) for metric in plan.metrics),
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
