"""What is left open is filled in once: the author's word, then the runtime's, then ours."""

from __future__ import annotations

import pytest

from compression_operator.core.compression.effective import (
    Effective,
    default_plan,
    fill,
    snapshot,
)
from compression_operator.core.compression.lifecycle import spec_hash
from support.manifests import changed, full_job, minimal_job, runtime
from unit.core.compression.scripts import PTQ, QAT, distilled, stored
from unit.core.compression.world import World


def effective(manifest, offer=None):
    observed = World(manifest, runtime=offer or runtime()).observe()
    resolved = fill(observed.spec, observed.runtime, "team-a")
    return Effective(observed.spec, resolved, snapshot(observed.runtime, resolved))


def test_a_minimal_job_gets_everything_from_the_runtime():
    plan = effective(distilled())
    assert plan.storage_prefix == "s3://team-a/compression"
    assert plan.repository == "registry.example.com/team-a/fmnist"
    assert [target.name for target in plan.targets] == ["ort"]
    assert [metric.name for metric in plan.metrics] == ["top1"]
    assert plan.shipped_target == "ort"
    assert plan.export_formats == ("ONNXQDQ",)
    assert plan.onnx_opset == 13
    assert plan.snapshot.endpoint == "https://s3.example.com"
    assert plan.snapshot.scanner == "http://trivy.modelops-system:4954"
    assert plan.resolved.reader is None, "the dataset's manifest says"


def test_what_the_author_says_wins():
    plan = effective(full_job())
    assert plan.packaging.push_secret_ref.name == "compression-registry-push"
    assert plan.storage.secret_ref.name == "compression-s3-team-a"
    assert [step.name for step in plan.steps] == ["kd", "int8-ptq", "int8-qat", "kd2", "int8-ptq2"]
    assert plan.step("kd2").distill.epochs == 60
    assert plan.teachers_used == ("large",)


def test_a_scanner_with_tls_is_asked_over_tls():
    plan = effective(distilled(), changed(runtime(), {"spec.tools.scannerTLS": True}))
    assert plan.snapshot.scanner.startswith("https://")


@pytest.mark.parametrize(
    ("manifest", "methods", "names"),
    [
        (distilled(), ("Distill", "PTQ", "QAT"), ["distill", "ptq", "qat", "redistill", "ptq-2"]),
        (distilled(), ("Distill", "PTQ"), ["distill", "ptq", "redistill", "ptq-2"]),
        (distilled(), ("PTQ", "QAT"), ["ptq", "qat"]),
        (stored(), ("Distill", "PTQ", "QAT"), ["ptq", "qat"]),
    ],
)
def test_the_default_plan_uses_what_the_runtime_offers(manifest, methods, names):
    spec = World(manifest).observe().spec
    plan = default_plan(spec, methods)
    assert [step.name for step in plan] == names
    unmet = {step.name: step.when.unmet for step in plan}
    for name in names[1:]:
        if name != "ptq":
            assert unmet[name], f"{name} runs only when something missed"


def test_the_last_resort_trains_twice_as_long_and_never_beyond_the_limit():
    spec = World(distilled(spec__student={"arch": "m", "originalEpochs": 40})).observe().spec
    longest = World(distilled(spec__student={"arch": "m", "originalEpochs": 9000})).observe().spec
    methods = ("Distill", "PTQ")
    assert default_plan(spec, methods)[2].distill.epochs == 80
    assert default_plan(longest, methods)[2].distill.epochs == 10_000


def test_a_steps_float_ancestor_is_the_step_that_trained():
    plan = effective(distilled())
    assert plan.ancestor(plan.step("qat")).name == "distill"
    assert plan.ancestor(plan.step("ptq-2")).name == "redistill"
    assert effective(stored()).ancestor(effective(stored()).step("ptq")) is None


def test_sections_that_were_never_resolved_are_empty_and_not_wrong():
    plan = effective(distilled())
    bare = Effective(plan.spec, plan.resolved.model_construct(), plan.snapshot)
    assert bare.steps == ()
    assert bare.repository == bare.storage_prefix == ""
    assert bare.export_formats == ()


def test_the_hash_of_a_spec_ignores_what_may_change_and_the_order_that_says_nothing():
    first = {"name": "a", "type": "Metric", "metric": {"name": "top1", "min": 0.5}}
    second = {"name": "b", "type": "Metric", "metric": {"name": "top1", "min": 0.6}}

    def digest(manifest):
        return spec_hash(World(manifest).observe().spec)

    base = stored(spec__gates=[first, second])
    assert digest(base) == digest(stored(spec__gates=[second, first]))
    assert digest(base) == digest(changed(base, {"spec.suspend": True, "spec.ttlSecondsAfterFinished": 5}))
    assert digest(base) != digest(changed(base, {"spec.gates.0.metric.min": 0.51}))
    assert digest(base) != digest(changed(base, {"spec.pipeline.steps": [QAT, PTQ]}))
    assert digest(minimal_job()) != digest(base)
