"""Gates on size and latency."""

from __future__ import annotations

from datetime import timedelta

import pytest

from compression_contract.results import Measurement
from compression_operator.api.compressionjob.gates import LatencyGate, SizeGate
from compression_operator.core.compression.gates.resources import (
    Sizes,
    bytes_text,
    joined,
    judge_latency,
    judge_size,
    percentile,
)
from unit.core.compression.facts import evaluation

MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize(
    ("gate", "sizes", "verdict", "reason", "observed"),
    [
        (SizeGate(max="12Mi"), Sizes(12 * MEBIBYTE, None), "Pass", "", "12 MiB"),
        (SizeGate(max="12Mi"), Sizes(12 * MEBIBYTE + 1, None), "Fail", "TooLarge", "12 MiB"),
        (SizeGate(min_ratio=3.0), Sizes(100, 360), "Pass", "", "3.6"),
        (SizeGate(min_ratio=3.0), Sizes(100, 250), "Fail", "TooLarge", "2.5"),
        (SizeGate(min_ratio=3.0), Sizes(100, None), "Error", "Missing", ""),
        (SizeGate(min_ratio=3.0), Sizes(100, 0), "Error", "Missing", ""),
        (SizeGate(max="1Ki", min_ratio=3.0), Sizes(500, 1000), "Fail", "TooLarge", "500 B, 2"),
        (SizeGate(max="1Ki", min_ratio=3.0), Sizes(500, 2000), "Pass", "", "500 B, 4"),
        (SizeGate(max="1Ki"), Sizes(0, 1000), "Error", "Missing", ""),
    ],
)
def test_size_is_held_against_bytes_and_ratio(gate, sizes, verdict, reason, observed):
    ruling = judge_size(gate, sizes)
    assert (ruling.verdict, ruling.reason, ruling.observed) == (verdict, reason, observed)


@pytest.mark.parametrize(
    ("count", "text"),
    [(1, "1 B"), (2048, "2 KiB"), (1_500_000, "1.4 MiB"), (3 * 1024**3, "3 GiB")],
)
def test_bytes_are_written_in_binary_units(count, text):
    assert bytes_text(count) == text


def latency(**fields):
    milliseconds = fields.pop("max_ms", None)
    limit = None if milliseconds is None else timedelta(milliseconds=milliseconds)
    return LatencyGate(max=limit, **fields)


@pytest.mark.parametrize(
    ("gate", "facts", "verdict", "reason"),
    [
        (latency(max_ms=8), evaluation(p95=6.0), "Pass", ""),
        (latency(max_ms=8), evaluation(p95=8.0), "Pass", ""),
        (latency(max_ms=8), evaluation(p95=8.1), "Fail", "TooSlow"),
        (latency(max_ms=8, percentile="P99"), evaluation(p95=7.0), "Fail", "TooSlow"),
        (latency(max_ms=8), evaluation(p95=6.0, cv=0.3), "Inconclusive", "Noisy"),
        (latency(max_ms=8), evaluation(p95=0.0), "Error", "Missing"),
        (latency(max_ms=8), evaluation(missing=("avx512_vnni",)), "Inconclusive", "HardwareMismatch"),
        (latency(min_speedup=1.2), evaluation(p95=6.0, baseline_p95=9.0), "Pass", ""),
        (latency(min_speedup=1.2), evaluation(p95=8.0, baseline_p95=9.0), "Fail", "TooSlow"),
        (latency(min_speedup=1.2), evaluation(cv=0.3), "Inconclusive", "Noisy"),
        (latency(max_ms=8, min_speedup=2.0), evaluation(p95=6.0, baseline_p95=9.0), "Fail", "TooSlow"),
        (
            latency(min_speedup=1.2),
            evaluation().model_copy(update={"baseline": None}),
            "Error",
            "Missing",
        ),
        (
            latency(max_ms=8),
            evaluation().model_copy(update={"candidate": Measurement(bytes=1)}),
            "Error",
            "Missing",
        ),
    ],
)
def test_latency_is_held_against_a_limit_and_the_baseline_of_the_same_run(gate, facts, verdict, reason):
    ruling = judge_latency(gate, facts, max_cv=0.25)
    assert (ruling.verdict, ruling.reason) == (verdict, reason)


def test_a_noisy_measurement_is_worth_repeating_and_a_missing_processor_is_not():
    noisy = judge_latency(latency(max_ms=8), evaluation(cv=0.3), max_cv=0.25)
    mismatched = judge_latency(latency(max_ms=8), evaluation(missing=("avx512",)), max_cv=0.25)
    assert noisy.repeatable
    assert not mismatched.repeatable
    assert "avx512" in mismatched.message


def test_percentiles_go_by_their_names():
    measured = evaluation(p95=10.0).candidate.latency
    shown = [percentile(measured, name) for name in ("P50", "P90", "P95", "P99")]
    assert shown == pytest.approx([9.0, 9.5, 10.0, 12.0])


def test_a_gate_without_any_bound_does_not_pass():
    assert joined([]).verdict == "Error"
