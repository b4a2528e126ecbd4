"""The ModelVersion of a run: its evidence, copied from the status into an object that outlives the job.

Owns the manifest and the question whether an existing one is the same release. Must not decide when it is
written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from compression_contract.keys import API_VERSION, LABEL_MODEL
from compression_contract.served_model import Tolerance as ServedTolerance
from compression_operator.api.compressionjob.status import CompressionJobStatus, TargetResult
from compression_operator.api.meta import Counts
from compression_operator.api.modelversion import (
    BaselineEvidence,
    EvaluationEvidence,
    GateEvidence,
    Image,
    ModelArtifact,
    ModelVersionSpec,
    ScanEvidence,
    Source,
    Tolerance,
)
from compression_operator.core import names
from compression_operator.core.compression.effective import Effective
from compression_operator.core.compression.plan import candidate_of
from compression_operator.core.observed import Identity

KIND: Final = "ModelVersion"


def model_version(identity: Identity, plan: Effective, status: CompressionJobStatus) -> dict[str, Any]:
    """The manifest of the release that `status` gives evidence for.

    Raises:
        LookupError: a piece of evidence is missing; a release without it is not made.
    """
    image = status.image
    if image is None:
        raise LookupError("no image was pushed")
    model = plan.spec.model
    spec = ModelVersionSpec(
        model=model.name,
        version=model.version,
        image=Image.model_validate(image.model_dump()),
        artifact=_artifact(plan, status),
        evaluation=_evaluation(plan, status),
        gates=tuple(GateEvidence.model_validate(gate.model_dump()) for gate in status.gates),
        scan=_scan(plan, status),
        source=_source(identity, plan, status),
    )
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "namespace": identity.namespace,
            "name": names.model_version(model.name, image.manifest_digest),
            "labels": {LABEL_MODEL: model.name},
        },
        "spec": spec.to_dict(),
    }


def same_release(existing: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether two ModelVersions are one: model, image and artifact; all else is provenance."""
    return _identity(existing) == _identity(wanted)


def _identity(release: Mapping[str, Any]) -> tuple[Any, ...]:
    spec = release.get("spec", {})
    image, artifact = spec.get("image", {}), spec.get("artifact", {})
    return spec.get("model"), image.get("manifestDigest"), artifact.get("manifestDigest")


def _shipped(status: CompressionJobStatus) -> TargetResult:
    selected = status.selected
    candidate = candidate_of(status, selected.step) if selected is not None else None
    results = candidate.results if candidate is not None else ()
    for result in results:
        if selected is not None and result.target == selected.target:
            return result
    raise LookupError("the shipped candidate was not measured")


def _artifact(plan: Effective, status: CompressionJobStatus) -> ModelArtifact:
    result, selected = _shipped(status), status.selected
    candidate = candidate_of(status, selected.step) if selected is not None else None
    artifact = candidate.artifact if candidate is not None else None
    if artifact is None or result.golden_digest is None:
        raise LookupError("the shipped candidate has no artifact or no golden outputs")
    target = next(item for item in plan.targets if item.name == result.target)
    tolerance = ServedTolerance()
    return ModelArtifact(
        uri=artifact.uri,
        manifest_digest=artifact.manifest_digest,
        format=target.format,
        model_digest=result.model_digest,
        golden_digest=result.golden_digest,
        tolerance=Tolerance(
            max_abs_diff=f"{tolerance.max_absolute_difference:g}",
            top1_agreement=f"{tolerance.top1_agreement:g}",
        ),
    )


def _evaluation(plan: Effective, status: CompressionJobStatus) -> EvaluationEvidence:
    result, baseline = _shipped(status), status.baseline
    target = next(item for item in plan.targets if item.name == result.target)
    beside = None
    if baseline is not None:
        beside = BaselineEvidence(
            source=baseline.source,
            metrics=baseline.metrics,
            latency_p95=baseline.latency.p95 if baseline.latency is not None else None,
            bytes=baseline.bytes,
        )
    return EvaluationEvidence(
        target=result.target,
        runtime=target.runtime,
        cpu_model=result.node.cpu_model if result.node is not None else None,
        cpu_features=result.node.features if result.node is not None else (),
        samples=result.samples,
        metrics=result.metrics,
        latency_p95=result.latency.p95 if result.latency is not None else None,
        bytes=result.bytes,
        baseline=beside,
    )


def _scan(plan: Effective, status: CompressionJobStatus) -> ScanEvidence:
    scan = status.scan
    if scan is None or scan.scanned_at is None:
        raise LookupError("the image was not scanned")
    return ScanEvidence(
        counts=scan.counts or Counts(),
        ignore_unfixed=plan.spec.scan.ignore_unfixed,
        thresholds=plan.spec.scan.thresholds,
        exceptions=plan.spec.scan.exceptions,
        scanned_at=scan.scanned_at,
        scanner=scan.scanner,
        db_updated_at=scan.db_updated_at,
        sbom_digest=scan.sbom_digest,
        report_uri=scan.report_uri,
    )


def _source(identity: Identity, plan: Effective, status: CompressionJobStatus) -> Source:
    images = plan.snapshot
    return Source(
        kind="CompressionJob",
        namespace=identity.namespace,
        name=identity.name,
        uid=identity.uid,
        spec_hash=status.spec_hash,
        dataset_digest=plan.resolved.dataset_digest,
        teacher_digests=plan.resolved.teacher_digests,
        images={
            "runner": images.runner,
            "tools": images.tools,
            "servingBase": images.serving_base,
            **{f"evaluator.{name}": image for name, image in sorted(images.evaluators.items())},
        },
    )
