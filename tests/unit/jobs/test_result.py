"""A stage's result fits into a termination message, whatever the stage has to say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compression_contract.artifacts import ArtifactRef
from compression_contract.keys import MAX_RESULT_BYTES
from compression_contract.results import (
    Agreement,
    Estimate,
    EvaluateFacts,
    Latency,
    Measurement,
    Node,
    PairedCounts,
    PairedDifference,
    Proportion,
    Ratio,
    Speedup,
    StageResult,
)
from compression_jobs import result
from compression_jobs.errors import Defect, InvalidData
from compression_jobs.redaction import Redactor

DIGEST = f"sha256:{'f' * 64}"
SAMPLES = 100_000
METRICS = [f"metric{number}" for number in range(8)]
FEATURES = ("avx512_vnni", "avx512_bf16", "avx512vl", "amx_int8", "amx_tile", "avx_vnni")
RATIO = Ratio(value=12.3456, low=12.3456, high=12.3456)
LATENCY = Latency(p50=1234.5678, p90=1234.5678, p95=1234.5678, p99=1234.5678, cv=0.1234)


def _measurement(proportions, estimates):
    return Measurement(
        proportions=tuple(Proportion(name=n, successes=SAMPLES, samples=SAMPLES) for n in proportions),
        estimates=tuple(
            Estimate(name=n, value=0.123456, low=0.123456, high=0.123456, samples=SAMPLES) for n in estimates
        ),
        latency=LATENCY,
        bytes=10**10,
        peak_resident_bytes=10**10,
    )


def _result(proportions, estimates):
    measurement = _measurement(proportions, estimates)
    facts = EvaluateFacts(
        target="a-target-with-a-rather-long-name",
        samples=SAMPLES,
        candidate=measurement,
        baseline=measurement,
        paired=tuple(
            PairedCounts(name=n, samples=SAMPLES, both=SAMPLES, only_candidate=SAMPLES, only_baseline=SAMPLES)
            for n in proportions
        ),
        differences=tuple(
            PairedDifference(name=n, value=-0.123456, low=-0.123456, high=-0.123456, samples=SAMPLES)
            for n in estimates
        ),
        agreement=Agreement(value=0.123456, samples=SAMPLES),
        golden_digest=DIGEST,
        predictions_digest=DIGEST,
        model_digest=DIGEST,
        node=Node(
            cpu_model="Intel(R) Xeon(R) Platinum 8488C CPU @ 2.40GHz",
            features=FEATURES[:3],
            missing=FEATURES[3:],
            cpus=128,
            governor="performance",
            throttled=SAMPLES,
        ),
        runtime="onnxruntime 1.32.0",
        speedup=Speedup(p50=RATIO, p95=RATIO),
    )
    uri = f"s3://{'b' * 63}/{'p' * 60}/runs/3fa9c2d1-0000-0000-0000-000000000000/evaluate-ab12cd34ef56"
    return StageResult(
        input_hash=DIGEST, artifact=ArtifactRef(uri=uri, digest=DIGEST), artifact_bytes=10**10, facts=facts
    )


@pytest.mark.parametrize("shares", range(9))
def test_an_evaluation_of_eight_metrics_fits(shares):
    assert len(result.encode(_result(METRICS[:shares], METRICS[shares:]))) <= MAX_RESULT_BYTES


def test_a_result_that_does_not_fit_is_refused_and_not_cut():
    with pytest.raises(Defect, match="ResultTooLarge"):
        result.encode(_result([name * 10 for name in METRICS], []))


@given(st.text(max_size=2000))
def test_any_failure_fits(message):
    failure = result.failure(InvalidData("DigestMismatch", message), Redactor())

    assert len(result.encode(StageResult(input_hash=DIGEST, failure=failure))) <= MAX_RESULT_BYTES


def test_a_recorded_result_comes_back_as_it_was():
    recorded = _result(METRICS[:2], METRICS[2:3])

    assert result.decode(result.encode(recorded)) == recorded


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b'{"inputHash": 1}', b"\xff"])
def test_what_is_no_result_is_none(data):
    assert result.decode(data) is None
