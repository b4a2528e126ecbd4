"""What the API server refuses, with a sentence that names the fix."""

from __future__ import annotations

import pytest

from support.manifests import (
    DIGEST,
    REMOVE,
    changed,
    minimal_job,
    model_version,
    promotion,
    runtime,
    serving_target,
)

STORED_STUDENT = {"uri": "s3://team-a/students/m", "digest": DIGEST, "format": "PaddleParams"}


def step(**fields):
    """The change that makes one step the whole plan."""
    return {"spec.pipeline": {"steps": [{"name": "p", "type": "PTQ", "ptq": {}} | fields]}}


def gate(**fields):
    """The change that adds a gate."""
    return {"spec.gates.1": {"name": "g"} | fields}


WRONG_JOBS = {
    "a percentage where a fraction is meant": (
        {"spec.gates.0.metric.min": 85},
        "gate floor: a metric of unit Fraction is given as 0 to 1: write 0.85, not 85",
    ),
    "a drop in points": (
        gate(type="MetricDrop", metricDrop={"name": "top1", "max": 1.5}),
        "write 0.01, not 1",
    ),
    "checkpoints all the time": (
        {"spec.runPolicy": {"checkpoint": {"interval": "0s"}}},
        "interval must be above 0",
    ),
    "more pods than may train together": (
        step(type="QAT", ptq=None, qat={"replicas": 9}),
        "should be less than or equal to 8",
    ),
    "an unknown step": (
        step(type="Sparsify"),
        'supported values: "Distill", "Prune", "PTQ", "QAT", "Export"',
    ),
    "a step from a later one": (
        {
            "spec.pipeline": {
                "steps": [
                    {"name": "p", "type": "PTQ", "from": "q", "ptq": {}},
                    {"name": "q", "type": "PTQ", "ptq": {}},
                ]
            }
        },
        "from must be empty or name an EARLIER step; step p has from: q",
    ),
    "a fallback for what cannot pass": (
        {
            "spec.teachers": [{"name": "t", "uri": "s3://team-a/t"}],
            "spec.pipeline": {
                "steps": [
                    {"name": "kd", "type": "Distill", "distill": {}},
                    {"name": "p", "type": "PTQ", "when": {"unmet": ["kd"]}, "ptq": {}},
                ]
            },
        },
        "when.unmet may name only EARLIER steps that are candidates",
    ),
    "two members of one union": (step(qat={}), "it must have exactly the member ptq and no other"),
    "no member of the union": (step(ptq=REMOVE), "it must have exactly the member ptq"),
    "two members of a gate": (
        gate(type="Size", size={"max": "1Mi"}, latency={"max": "1ms"}),
        "it must have exactly the member of that type",
    ),
    "a plan without candidate": (
        step(candidate=False),
        "at least one step must be a candidate (PTQ, QAT, Export, or candidate: true)",
    ),
    "distillation without teacher": (
        {
            "spec.pipeline": {
                "steps": [
                    {"name": "kd", "type": "Distill", "distill": {}},
                    {"name": "p", "type": "PTQ", "ptq": {}},
                ]
            }
        },
        "a Distill step needs at least one entry in spec.teachers",
    ),
    "epochs and their fraction": (
        step(type="QAT", ptq=REMOVE, qat={"epochs": 2, "epochsFraction": 0.1}),
        "give epochs or epochsFraction, not both",
    ),
    "negative epochs": (
        step(type="QAT", ptq=REMOVE, qat={"epochs": -1}),
        "epochs in body should be greater than or equal to 1",
    ),
    "alpha that does not rise": (
        {
            "spec.teachers": [{"name": "t", "uri": "s3://team-a/t"}],
            **step(
                type="Distill",
                ptq=REMOVE,
                candidate=True,
                distill={"alpha": [{"at": 0.5, "value": 1}, {"at": 0.5, "value": 0}]},
            ),
        },
        "alpha[].at must rise strictly from point to point",
    ),
    "a tag where only the repository is meant": (
        {"spec.packaging.repository": "registry.example.com/team-a/fmnist:latest"},
        "without tag and without digest",
    ),
    "a word where a digest is meant": (
        {"spec.dataset.digest": "latest"},
        "spec.dataset.digest in body should match '^sha256:[a-f0-9]{64}$'",
    ),
    "a name too long": (
        {"metadata.name": "a" * 41},
        "metadata.name must be a DNS label of at most 40 characters",
    ),
    "a name with a dot": ({"metadata.name": "a.b"}, "metadata.name must be a DNS label"),
    "a test split that was trained on": (
        {"spec.dataset.splits": {"test": "train"}},
        "train, calibration and test must be three different splits (no leak)",
    ),
    "a calibration split that was trained on": (
        {"spec.dataset.splits": {"calibration": "train"}},
        "three different splits",
    ),
    "architecture and stored model": (
        {"spec.student": STORED_STUDENT | {"arch": "mobilenet"}},
        "give exactly one of arch (a named architecture) and uri (a stored model)",
    ),
    "a stored student without digest": (
        {"spec.student": {"uri": "s3://team-a/students/m"}},
        "uri needs digest and format",
    ),
    "no gate on quality": (
        {"spec.gates": [{"name": "s", "type": "Size", "size": {"max": "1Mi"}}]},
        "at least one gate of type Metric without dryRun is required",
    ),
    "no gates": ({"spec.gates": []}, "should have at least 1 items"),
    "a gate without bound": ({"spec.gates.0.metric": {"name": "top1"}}, "give min, max or both"),
    "bounds the wrong way round": (
        {"spec.gates.0.metric": {"name": "top1", "min": 0.9, "max": 0.8}},
        "min must not be above max",
    ),
    "a size of nothing": (
        gate(type="Size", size={"max": "0"}),
        "max must be a positive quantity such as 12Mi",
    ),
    "a gate on an unknown metric": (
        {"spec.evaluation.metrics": [{"name": "top5"}]},
        "gate floor: names a metric that spec.evaluation.metrics does not have",
    ),
    "somebody else's secret": (
        {"spec.storage.secretRef": {"name": "database-password"}},
        "a Secret is usable only if its owner named it compression-s3-*",
    ),
    "somebody else's registry secret": (
        {"spec.packaging.pushSecretRef": {"name": "compression-s3-team-a"}},
        "a Secret is usable only if its owner named it compression-registry-*",
    ),
    "a path that climbs": ({"spec.dataset.uri": "s3://team-a/../team-b"}, "must not contain '..'"),
    "an address that is no S3 URI": ({"spec.dataset.uri": "https://example.com/x"}, "should match '^s3://"),
    "a duration without unit": (
        {"spec.scan.maxDatabaseAge": "24"},
        "spec.scan.maxDatabaseAge in body should match",
    ),
    "a promotion to nowhere": ({"spec.promotion.mode": "Request"}, "mode: Request needs at least one target"),
    "a best of nothing": (
        {"spec.pipeline.selection": "Best"},
        "objective is required with selection: Best",
    ),
    "a signature without hook": ({"spec.signing.required": True}, "required: true needs a hook"),
    "a reserved image label": (
        {"spec.packaging.labels": {"org.opencontainers.image.title": "x"}},
        "org.opencontainers.* labels are reserved",
    ),
    "no model": ({"spec.model": REMOVE}, "spec.model: Required value"),
    "an unknown field": (
        {"spec.gates.0.metric.minimum": 0.85},
        'unknown field "spec.gates[0].metric.minimum"',
    ),
    "a misspelt section": ({"spec.pipline": {}}, 'unknown field "spec.pipline"'),
}


def without_removed(value):
    """The value without fields marked for removal, at any depth."""
    if isinstance(value, dict):
        return {key: without_removed(child) for key, child in value.items() if child is not REMOVE}
    return [without_removed(child) for child in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", WRONG_JOBS)
def test_a_wrong_job_is_refused_with_a_sentence_that_names_the_fix(server, name):
    changes, sentence = WRONG_JOBS[name]
    assert sentence in server.refusal(without_removed(changed(minimal_job(), changes)))


WRONG_OTHERS = {
    "runner by tag": (
        runtime(),
        {"spec.runner.image": "registry.example.com/platform/runner:1.0"},
        "give the image by digest",
    ),
    "evaluator by tag": (
        runtime(),
        {"spec.evaluators.0.image": "registry.example.com/platform/evaluator:1.0"},
        "give the image by digest",
    ),
    "serving base as root": (runtime(), {"spec.servingBases.0.runAsUser": 0}, "greater than or equal to 1"),
    "scanner as a URL": (
        runtime(),
        {"spec.tools.scannerService": "http://trivy:4954"},
        "spec.tools.scannerService in body should match",
    ),
    "endpoint with a password": (
        runtime(),
        {"spec.allow.storageEndpoints.0.url": "https://user:pw@s3.example.com"},
        "url in body should match",
    ),
    "unknown default serving base": (
        runtime(),
        {"spec.defaults.servingBase": "other"},
        "defaults.servingBase is not in spec.servingBases",
    ),
    "default target without evaluator": (
        runtime(),
        {"spec.evaluators.0.name": "openvino"},
        "defaults.evaluation.targets[].runtime must name an entry of spec.evaluators",
    ),
    "a CA bundle that is none": (
        runtime(),
        {"spec.trust.caBundle": "hello"},
        "caBundle holds certificates in PEM",
    ),
    "a strategy that is not there": (
        serving_target(),
        {"spec.strategy.type": "Recreate"},
        'supported values: "Rolling"',
    ),
    "a URL where a path is meant": (
        serving_target(),
        {"spec.verification.paths.golden": "http://elsewhere/"},
        "spec.verification.paths.golden in body should match",
    ),
    "a promotion by tag": (promotion(), {"spec.imageDigest": "latest"}, "should match '^sha256:"),
    "a release without scan": (model_version(), {"spec.scan": REMOVE}, "spec.scan: Required value"),
}


@pytest.mark.parametrize("name", WRONG_OTHERS)
def test_a_wrong_object_of_another_kind_is_refused_as_well(server, name):
    manifest, changes, sentence = WRONG_OTHERS[name]
    assert sentence in server.refusal(changed(manifest, changes))
