"""What stands against a job: each refusal says what is wrong, where, and what to do."""

from __future__ import annotations

import pytest

from compression_operator.core.compression.admission import refusal
from compression_operator.core.compression.effective import Effective, fill, snapshot
from compression_operator.core.compression.grants import Applicant
from support.manifests import REMOVE, changed, full_job, minimal_job, runtime
from unit.core.compression.scripts import FLOOR, PTQ, distilled, stored
from unit.core.compression.world import World

VULNERABILITY = {"name": "v", "type": "Vulnerability", "vulnerability": {}}


BOTH = {"formats": ["ONNXQDQ", "PaddleInference"]}


def refused(manifest, offer=None, labels=None):
    """The refusal of a manifest, or None."""
    world = World(manifest, runtime=offer or runtime())
    observed = world.observe()
    resolved = fill(observed.spec, observed.runtime, observed.identity.namespace)
    plan = Effective(observed.spec, resolved, snapshot(observed.runtime, resolved))
    applicant = Applicant(plan, "team-a", labels or {}, observed.identity.created)
    return refusal(applicant, observed.runtime)


def mimicking(teacher):
    """A distillation that compares a layer with a teacher's."""
    feature = {"student": "s3", "teacher": teacher}
    steps = [
        {"name": "kd", "type": "Distill", "distill": {"features": [feature]}},
        changed(PTQ, {"from": "kd"}),
    ]
    return changed(distilled(), {"spec.pipeline.steps": steps})


def gates(count, *more):
    return [changed(FLOOR, {"name": f"g{n}"}) for n in range(count)] + list(more)


@pytest.mark.parametrize("manifest", [distilled(), stored()])
def test_good_jobs_are_admitted(manifest):
    assert refused(manifest) is None


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (minimal_job(), "put a Distill step before it"),
        (stored(spec__signing={"hook": "cosign"}), "spec.signing"),
        (
            stored(
                spec__scan={
                    "vex": [{"configMapRef": {"name": "v", "key": "k"}, "digest": "sha256:" + "0" * 64}]
                }
            ),
            "spec.scan.vex",
        ),
        (stored(spec__runPolicy={"deletionPolicy": "DeleteWork"}), "DeleteWork"),
        (stored(spec__evaluation={"baseline": {"source": "Live"}}), "Live"),
        (stored(spec__evaluation={"baseline": {"source": "Teacher"}}), "is Teacher"),
        (
            stored(spec__pipeline={"steps": [PTQ, changed(PTQ, {"name": "again", "from": "ptq"})]}),
            "from ptq is of type PTQ",
        ),
        (stored(spec__gates=[changed(FLOOR, {"metric.name": "top5"})]), "only top1 are measured"),
        (stored(spec__gates=[changed(FLOOR, {"target": "gpu"})]), "names target gpu"),
        (mimicking("large"), "names none of its teachers large"),
        (mimicking("small/l3"), "names none of its teachers large"),
        (
            changed(
                distilled(),
                {
                    "spec.pipeline.steps": [
                        {"name": "kd", "type": "Distill", "distill": {}},
                        {"name": "b", "type": "Distill", "from": "kd", "studentArch": "x", "distill": {}},
                        changed(PTQ, {"from": "b"}),
                    ]
                },
            ),
            "studentArch x cannot start from the weights of kd",
        ),
        (
            stored(spec__pipeline={"steps": [changed(PTQ, {"ptq": {"bits": {"weight": 4}}})]}),
            "no runtime of this version runs weights of 4 bits",
        ),
        (
            stored(
                spec__pipeline={
                    "steps": [changed(PTQ, {"ptq": {"engine": "OnnxRuntime", "activationObserver": "MSE"}})]
                }
            ),
            "engine OnnxRuntime has no observer MSE",
        ),
        (
            stored(
                spec__export=BOTH,
                spec__pipeline={"steps": [changed(PTQ, {"ptq": {"engine": "OnnxRuntime"}})]},
            ),
            "step ptq cannot write PaddleInference",
        ),
        (
            stored(
                spec__export=BOTH,
                spec__pipeline={
                    "steps": [{"name": "qat", "type": "QAT", "qat": {"quanters": {"activation": "PACT"}}}]
                },
            ),
            "step qat cannot write PaddleInference",
        ),
        (stored(spec__pipeline={"steps": [{"name": "f", "type": "Export"}]}), "type Export is not offered"),
        (
            changed(
                distilled(),
                {
                    "spec.pipeline.steps": [
                        {"name": "kd", "type": "Distill", "candidate": True, "distill": {}},
                        changed(PTQ, {"from": "kd"}),
                    ]
                },
            ),
            "step kd would make a float candidate",
        ),
        (stored(spec__evaluation={"metrics": [{"name": "mAP"}]}), "ImageClassification has no metric mAP"),
        (
            stored(spec__evaluation={"metrics": [{"name": "top1", "direction": "LowerIsBetter"}]}),
            "top1 is HigherIsBetter",
        ),
        (
            stored(
                spec__pipeline={
                    "selection": "Best",
                    "objective": {"metric": "recall", "goal": "Maximize"},
                    "steps": [PTQ],
                }
            ),
            "recall is not measured: use one of bytes, latencyP95, top1",
        ),
        (
            stored(
                spec__pipeline={
                    "selection": "Best",
                    "objective": {"metric": "bytes", "goal": "Maximize"},
                    "steps": [PTQ],
                }
            ),
            "bytes is best with goal: Minimize",
        ),
        (distilled(spec__student={"arch": "code"}), "student.arch is code, but there is no spec.code"),
        (changed(stored(), {"spec.dataset.reader": "code"}), "dataset.reader is code"),
        (stored(spec__export={"formats": ["ONNXQDQ", "PaddleLite"]}), "PaddleLite is not offered"),
        (
            stored(
                spec__evaluation={"targets": [{"name": "ov", "runtime": "openvino", "format": "ONNXQDQ"}]}
            ),
            "measured on openvino, which has no serving base",
        ),
        (stored(spec__packaging={"target": "gpu"}), "packaging.target gpu"),
        (stored(spec__export={"formats": ["ONNX"]}), "add it to export.formats"),
        (stored(spec__gates=gates(16)), "leave no room"),
        (
            stored(spec__podTemplates={"train": {"labels": {"compression.modelops.dev/role": "scan"}}}),
            "podTemplates.train.labels",
        ),
        (
            stored(spec__podTemplates={"default": {"annotations": {"compression.modelops.dev/x": "y"}}}),
            "podTemplates.default.annotations",
        ),
    ],
)
def test_what_only_another_job_can_change_is_a_lasting_refusal(manifest, words):
    found = refused(manifest)
    assert found is not None
    assert found.permanent
    assert words in found.message


def test_sixteen_gates_are_fine_with_one_on_vulnerabilities_among_them():
    assert refused(stored(spec__gates=gates(15, VULNERABILITY))) is None


@pytest.mark.parametrize(
    ("manifest", "offer", "words"),
    [
        (stored(), {"spec.allowedNamespaces": {"matchLabels": {"ml": "true"}}}, "lacks the label ml=true"),
        (stored(spec__storage={"endpointName": "other"}), {}, "use one of main"),
        (stored(spec__storage={"prefix": "s3://team-b/x"}), {}, "not open to namespace team-a"),
        (stored(spec__packaging={"servingBase": "other"}), {}, "use one of ort-slim"),
        (stored(spec__packaging={"repository": "registry.example.com/team-b/x"}), {}, "allow.repositories"),
        (stored(), {"spec.methods": ["Distill"]}, "type PTQ is not offered"),
        (stored(), {"spec.observers": ["Hist"]}, "AbsMaxChannelWise is not offered"),
        (stored(), {"spec.observers": ["Hist", "AbsMaxChannelWise"]}, "step qat: MovingAvgAbsMax"),
        (
            stored(
                spec__evaluation={
                    "targets": [
                        {"name": "ort", "runtime": "onnxruntime", "format": "ONNXQDQ"},
                        {"name": "gpu", "runtime": "tensorrt", "format": "ONNXQDQ"},
                    ]
                }
            ),
            {},
            "use one of onnxruntime",
        ),
        (stored(), {"spec.evaluators.0.formats": ["ONNX"]}, "does not run ONNXQDQ"),
        (stored(), {"spec.evaluators.0.metrics": ["top5"]}, "does not compute top1"),
        (stored(), {"spec.floor.requireSignature": True}, "a signature is required"),
        (
            stored(
                spec__scan={
                    "exceptions": [
                        {"id": "CVE-2026-0001", "reason": "never", "expires": "2028-01-01T00:00:00Z"}
                    ]
                }
            ),
            {},
            "at most 90 days",
        ),
        (
            stored(spec__podTemplates={"scan": {"priorityClassName": "urgent"}}),
            {},
            "priorityClassName urgent",
        ),
        (
            stored(spec__podTemplates={"train": {"resources": {"limits": {"cpu": "8", "memory": "1Gi"}}}}),
            {"spec.allow.maxResources": {"cpu": "4"}},
            "limits.cpu is 8, allowed is 4",
        ),
    ],
)
def test_what_the_runtime_could_still_grant_is_waited_for(manifest, offer, words):
    found = refused(manifest, changed(runtime(), offer))
    assert found is not None
    assert not found.permanent
    assert words in found.message
    assert "(runtime default)" in found.message


@pytest.mark.parametrize(
    ("manifest", "offer"),
    [
        (stored(), {"spec.allowedNamespaces": {"matchLabels": {"ml": "true"}}}),
        (
            stored(spec__podTemplates={"scan": {"priorityClassName": "low"}}),
            {"spec.allow.priorityClasses": ["low"]},
        ),
        (
            stored(spec__podTemplates={"train": {"resources": {"limits": {"cpu": "4"}}}}),
            {"spec.allow.maxResources": {"cpu": "4", "memory": "1Gi"}},
        ),
        (
            stored(spec__pipeline={"steps": [changed(PTQ, {"ptq": {"engine": "OnnxRuntime"}})]}),
            {"spec.observers": ["Hist"]},
        ),
        (
            stored(
                spec__scan={
                    "exceptions": [
                        {"id": "CVE-2026-0001", "reason": "for now", "expires": "2026-12-31T00:00:00Z"}
                    ]
                }
            ),
            {},
        ),
    ],
)
def test_what_the_runtime_grants_is_admitted(manifest, offer):
    assert refused(manifest, changed(runtime(), offer), labels={"ml": "true"}) is None


CUT = {"name": "cut", "type": "Prune", "prune": {"ratio": 0.3}}


@pytest.mark.parametrize(
    "manifest",
    [
        mimicking("large/l3"),
        stored(spec__code={"uri": "s3://a-b/c", "digest": "sha256:" + "0" * 64}),
        stored(spec__pipeline={"steps": [CUT, changed(PTQ, {"from": "cut"})]}),
        stored(spec__task="TextClassification"),
        stored(spec__export=BOTH),
        changed(full_job(), {"spec.packaging.repository": REMOVE}),
    ],
)
def test_what_this_version_offers_is_admitted(manifest):
    assert refused(manifest) is None


def test_a_job_that_pushes_elsewhere_waits():
    assert not refused(full_job()).permanent
