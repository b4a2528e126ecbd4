"""A run as the report sees it: PTQ missed its gate, QAT passed and was shipped."""

from __future__ import annotations

import numpy as np

from compression_contract.report import (
    CandidateSummary,
    GateVerdict,
    Measured,
    NamedDigest,
    RunSummary,
    ScanSummary,
    StepSummary,
    Value,
)
from compression_contract.results import Latency
from compression_jobs.report.evidence import Evidence


def measured(top1: float, megabytes: float, p95: float, **more) -> Measured:
    """A measurement of 10,000 samples on the target `ort`."""
    return Measured(
        target="ort",
        runtime="onnxruntime",
        samples=10_000,
        metrics=(Value(name="top1", value=top1, low=top1 - 0.007, high=top1 + 0.007),),
        latency=Latency(p50=p95 * 0.8, p90=p95 * 0.95, p95=p95, p99=p95 * 1.2, cv=0.03),
        bytes=int(megabytes * 1e6),
        **more,
    )


def gate(name: str, verdict: str, observed: str, required: str, **more) -> GateVerdict:
    """A verdict on the target `ort`."""
    return GateVerdict(
        name=name,
        type="Metric",
        target="ort",
        verdict=verdict,
        observed=observed,
        required=required,
        **more,
    )


def run(**changes) -> RunSummary:
    """The whole summary, changed as a test says."""
    ptq = CandidateSummary(
        step="int8-ptq",
        type="PTQ",
        state="Rejected",
        message="gate accuracy: 0.7330 is below 0.79",
        results=(measured(0.733, 0.52, 0.31, format="ONNXQDQ", agreement=0.991),),
        gates=(
            gate("accuracy", "Fail", "0.7330", ">=0.79", message="The whole interval is below the floor."),
        ),
    )
    qat = CandidateSummary(
        step="int8-qat",
        type="QAT",
        state="Passed",
        results=(
            measured(0.843, 0.52, 0.3, format="ONNXQDQ", agreement=0.997, peak_resident_bytes=61_000_000),
        ),
        gates=(
            gate("accuracy", "Pass", "0.8430", ">=0.79", interval="0.8357..0.8500"),
            gate("speed", "Inconclusive", "0.30ms", "<=0.25ms", dry_run=True),
        ),
    )
    said = {
        "namespace": "team-a",
        "name": "fashion-mnist",
        "uid": "3fa9c2d1",
        "model": "fashion-mnist",
        "version": "1.4.0",
        "student": "mobilenet_v1_tiny",
        "outcome": "Complete",
        "reason": "Published",
        "message": "int8-qat passed every gate and is ModelVersion fashion-mnist-ab12cd34ef56.",
        "started": "2026-11-22T10:00:00Z",
        "ended": "2026-11-22T10:04:35Z",
        "steps": (
            StepSummary(name="distill", type="Distill", state="Succeeded", seconds=89),
            StepSummary(name="int8-ptq", type="PTQ", source="distill", state="Succeeded", seconds=9),
            StepSummary(
                name="int8-qat", type="QAT", source="distill", state="Succeeded", seconds=41, attempts=2
            ),
        ),
        "teachers": (Value(name="large", value=0.906),),
        "baseline": (measured(0.8404, 1.97, 0.55),),
        "candidates": (ptq, qat),
        "selected": "int8-qat",
        "image": "registry.example.com/team-a/fashion-mnist@sha256:" + "a" * 64,
        "image_bytes": 71_300_000,
        "scan": ScanSummary(
            scanner="trivy 0.76.0", counts={"critical": 0, "high": 2, "low": 9}, system="debian 12"
        ),
        "digests": (NamedDigest(name="Dataset", digest="sha256:" + "d" * 64),),
        "spec_hash": "sha256:" + "5" * 64,
    }
    return RunSummary.model_validate({**said, **changes})


def evidence() -> Evidence:
    """Histories, layers and predictions of that run; a third of class 6 is taken for class 0."""
    chance = np.random.RandomState(7)
    labels = np.repeat(np.arange(10), 100)
    predicted = labels.copy()
    predicted[600:633] = 0
    wrong = chance.choice(1000, 80, replace=False)
    predicted[wrong] = chance.randint(0, 10, 80)
    curve = [{"epoch": n, "steps": 375, "loss": round(1.6 * 0.7**n + 0.31, 4)} for n in range(1, 11)]
    layers = [{"layer": f"body.{n}.depthwise.0", "drop": round(0.03 * 0.6**n - 0.001, 5)} for n in range(9)]
    return Evidence(
        histories={"distill": curve, "int8-qat": curve[6:8]},
        sensitivities={"int8-ptq": layers},
        measured={("int8-qat", "ort"): {"node": {"cpuModel": "AMD EPYC 7763"}}},
        predictions={("int8-qat", "ort"): {"candidate_labels": labels, "candidate_predicted": predicted}},
    )
