"""What people see of the kinds: columns, short names, categories, explanations; and what status may hold."""

from __future__ import annotations

import json

import pytest
import yaml

from cluster.errors import ClusterError
from compression_operator.api import KINDS, CompressionJobStatus
from compression_operator.api.generate import CRDS, ROOT
from support.manifests import DIGEST, changed, minimal_job

STATUS = {
    "stage": "Complete",
    "summary": {"metric": "top1 0.8625"},
    "selected": {"step": "int8-ptq", "target": "ort", "manifestDigest": DIGEST},
    "modelVersionRef": {"name": "fmnist-abababababab"},
    "scan": {"counts": {"critical": 0, "high": 2}},
    "steps": [{"name": "int8-ptq", "state": "Succeeded", "child": {"jobName": "a", "inputHash": DIGEST}}],
    "resolved": {
        "pipeline": {"selection": "FirstPassing", "steps": [{"name": "p", "type": "PTQ", "ptq": {}}]}
    },
    "conditions": [
        {
            "type": "Complete",
            "status": "True",
            "reason": "Published",
            "message": "released",
            "lastTransitionTime": "2026-11-21T10:00:00Z",
        }
    ],
}


@pytest.fixture
def job(server):
    """A job with a status."""
    manifest = changed(minimal_job(), {"metadata.name": "reading"})
    server.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
    patch(server, STATUS)
    yield manifest
    server.kubectl("delete", "cmj", "reading")


def patch(server, status):
    """Write the status as the operator does."""
    arguments = ("patch", "cmj", "reading", "--subresource=status", "--type=merge", "-p")
    server.operator(*arguments, json.dumps({"status": status}))


def test_the_columns_tell_how_a_job_went(server, job):
    header, row = server.kubectl("get", "cmj", "reading", "-o", "wide").splitlines()
    assert header.split() == [
        "NAME", "STAGE", "MODEL", "SELECTED", "METRIC", "COMPLETE", "FAILED", "VERSION", "AGE", "IMAGE",
        "CRITICAL", "HIGH", "REPORT", "QUEUE",
    ]  # fmt: skip
    for word in ("reading", "Complete", "fmnist", "int8-ptq", "top1 0.8625", "True", "fmnist-abababababab"):
        assert word in row


def test_a_status_reads_back_as_it_was_written(server, job):
    stored = json.loads(server.kubectl("get", "cmj", "reading", "-o", "json"))["status"]
    status = CompressionJobStatus.model_validate(stored)
    assert status.resolved is not None
    assert status.resolved.pipeline is not None
    assert status.resolved.pipeline.steps[0].is_candidate
    assert status.steps[0].child.job_name == "a"
    patch(server, status.to_dict())
    again = json.loads(server.kubectl("get", "cmj", "reading", "-o", "json"))["status"]
    assert CompressionJobStatus.model_validate(again) == status


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ({"progressPercent": 101}, "less than or equal to 100"),
        ({"conditions": STATUS["conditions"] * 2}, "Duplicate value"),
        ({"gates": [{"name": "floor", "verdict": "Maybe"}]}, "supported values"),
    ],
)
def test_a_status_is_checked_too(server, job, status, sentence):
    with pytest.raises(ClusterError, match=sentence):
        patch(server, status)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.info.kind)
def test_every_kind_answers_to_its_short_name_and_its_category(server, kind):
    resources = server.kubectl("api-resources", "--api-group=compression.modelops.dev", "-o", "wide")
    line = next(line for line in resources.splitlines() if line.split()[0] == kind.info.plural)
    assert kind.info.short_name in line.split()
    assert "modelops" in line.split()[-1].split(",")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.info.kind)
def test_kubectl_explain_teaches_every_field(server, kind):
    text = server.kubectl("explain", f"{kind.info.plural}.spec", "--recursive")
    assert kind.info.kind in text
    crd = yaml.safe_load((ROOT / CRDS / f"{kind.info.plural}.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    silent = list(_silent({"spec": schema["spec"], "status": schema["status"]}, ""))
    assert silent == []


def _silent(properties, path):
    """Paths of fields without a description."""
    for name, field in properties.items():
        if not field.get("description"):
            yield f"{path}.{name}"
        yield from _silent(field.get("properties", {}), f"{path}.{name}")
        yield from _silent(field.get("items", {}).get("properties", {}), f"{path}.{name}[]")
