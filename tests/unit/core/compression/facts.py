"""Results that pods might have said, built around the input they were given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from compression_contract.artifacts import ArtifactRef
from compression_contract.base import digest_of
from compression_contract.inputs import (
    DistillInput,
    EvaluateInput,
    PackageInput,
    PreflightInput,
    PruneInput,
    PTQInput,
    QATInput,
    ReportInput,
    ResolveInput,
    ScanInput,
    StageInput,
)
from compression_contract.results import (
    Agreement,
    EvaluateFacts,
    Failure,
    Latency,
    Measurement,
    Node,
    PackageFacts,
    PairedCounts,
    PreflightFacts,
    Proportion,
    ReportFacts,
    ResolveFacts,
    ScanFacts,
    SeverityCounts,
    StageFacts,
    StageResult,
    TeacherMeasurement,
    TrainFacts,
)

STORING = frozenset({"distill", "prune", "ptq", "qat", "evaluate", "scan", "report"})
SAMPLES = 10_000
BASELINE = 8_661
MODEL_DIGEST = digest_of(b"model")
GOLDEN_DIGEST = digest_of(b"golden")
IMAGE_DIGEST = digest_of(b"image")
SCANNED_AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def evaluation(
    correct: int = 8_625,
    *,
    baseline: int = BASELINE,
    samples: int = SAMPLES,
    discordant: int = 100,
    agreement: float | None = 0.99,
    bytes_: int = 1_000_000,
    baseline_bytes: int = 3_600_000,
    cv: float = 0.02,
    p95: float = 6.0,
    baseline_p95: float = 9.0,
    missing: tuple[str, ...] = (),
    target: str = "ort",
) -> EvaluateFacts:
    """A candidate that is right on `correct` samples; it and its baseline differ on about `discordant`."""
    only_candidate = max(0, (discordant + correct - baseline) // 2)
    only_baseline = only_candidate + baseline - correct
    if only_baseline < 0:
        only_candidate, only_baseline = correct - baseline, 0

    def latency(value: float) -> Latency:
        return Latency(p50=value * 0.9, p90=value * 0.95, p95=value, p99=value * 1.2, cv=cv)

    return EvaluateFacts(
        target=target,
        samples=samples,
        candidate=Measurement(
            proportions=(Proportion(name="top1", successes=correct, samples=samples),),
            latency=latency(p95),
            bytes=bytes_,
        ),
        baseline=Measurement(
            proportions=(Proportion(name="top1", successes=baseline, samples=samples),),
            latency=latency(baseline_p95),
            bytes=baseline_bytes,
        ),
        paired=(
            PairedCounts(
                name="top1",
                samples=samples,
                both=correct - only_candidate,
                only_candidate=only_candidate,
                only_baseline=only_baseline,
            ),
        ),
        agreement=None if agreement is None else Agreement(value=agreement, samples=2000),
        golden_digest=GOLDEN_DIGEST,
        predictions_digest=digest_of(b"predictions"),
        model_digest=MODEL_DIGEST,
        node=Node(cpu_model="test processor", features=("avx2",), missing=missing),
    )


def scan(
    image_digest: str = IMAGE_DIGEST,
    *,
    critical: int = 0,
    high: int = 0,
    age: timedelta | None = timedelta(hours=2),
    os_family: str = "debian",
    end_of_life: bool | None = False,
    expired: tuple[str, ...] = (),
) -> ScanFacts:
    """A scan of a base system that the scanner knows."""
    return ScanFacts(
        image_digest=image_digest,
        scanner="trivy 0.76.0",
        scanned_at=SCANNED_AT,
        database_updated_at=None if age is None else SCANNED_AT - age,
        os_family=os_family,
        os_name="12.8" if os_family else "",
        end_of_life=end_of_life,
        counts=SeverityCounts(critical=critical, high=high, medium=3, low=9),
        expired_exceptions=expired,
        report_digest=digest_of(b"report"),
        sbom_digest=digest_of(b"sbom"),
    )


def facts_for(given: StageInput) -> StageFacts:
    """What a stage says when all goes well."""
    match given.parameters:
        case ResolveInput() as asked:
            return ResolveFacts(
                dataset_digest=asked.dataset.digest or digest_of(b"dataset"),
                teacher_digests={t.name: t.digest or digest_of(t.name.encode()) for t in asked.teachers},
                student_digest=asked.student.digest if asked.student else None,
                code_digest=asked.code.digest if asked.code else None,
                input_shape=(1, 28, 28),
                num_classes=10,
                samples={"train": 60_000, "test": SAMPLES},
                reader=asked.reader or "npz",
            )
        case PreflightInput() as asked:
            measured = (TeacherMeasurement(name=t.name, value=0.93, samples=2000) for t in asked.teachers)
            return PreflightFacts(metric=asked.metric.name, teachers=tuple(measured))
        case DistillInput() | PruneInput() | PTQInput() | QATInput() as asked:
            return TrainFacts(stage=asked.stage, seconds=12.5, steps=100, loss=0.4)
        case EvaluateInput() as asked:
            return evaluation(target=asked.target.name)
        case PackageInput() as asked:
            return PackageFacts(
                repository=asked.repository,
                tag=asked.tag,
                manifest_digest=IMAGE_DIGEST,
                layer_digest=digest_of(b"layer"),
                layer_bytes=1_000_000,
                image_bytes=40_000_000,
                model_digest=MODEL_DIGEST,
                golden_digest=GOLDEN_DIGEST,
            )
        case ScanInput() as asked:
            return scan(asked.image.split("@")[1])
        case ReportInput():
            return ReportFacts(page="report.html", bytes=90_000)
        case other:
            raise AssertionError(f"no facts for {other}")


def result_for(given: StageInput, facts: StageFacts | None = None) -> StageResult:
    """A valid result; the artifact is named by its input, as a real one is by its content."""
    artifact = None
    if (
        given.parameters.stage in ("distill", "prune", "ptq", "qat", "evaluate", "scan", "report")
        and given.output
    ):
        artifact = ArtifactRef(uri=given.output, digest=digest_of(given.input_hash.encode()))
    return StageResult(
        input_hash=given.input_hash,
        artifact=artifact,
        artifact_bytes=1234,
        facts=facts or facts_for(given),
    )


def failure(given: StageInput, reason: str, message: str = "it went wrong") -> StageResult:
    """A result that reports a failure."""
    return StageResult(input_hash=given.input_hash, failure=Failure(reason=reason, message=message))
