"""The small questions that the models answer about themselves."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from compression_operator.api import CompressionJob, CompressionRuntime
from compression_operator.api.compressionjob.methods import QAT
from compression_operator.api.compressionjob.pipeline import Step
from compression_operator.api.compressionruntime import allowed_prefixes
from support.manifests import changed, full_job, minimal_job, runtime


def test_a_job_is_read_from_what_the_server_returns():
    manifest = changed(
        minimal_job(),
        {"metadata.managedFields": [{"manager": "kubectl"}], "metadata.uid": "u", "status": {"stage": "x"}},
    )
    job = CompressionJob.parse(manifest)
    assert (job.metadata.uid, job.status.stage, job.spec.student.schedule_epochs) == ("u", "x", 10)


def test_a_field_of_a_newer_version_is_left_aside():
    job = CompressionJob.parse(changed(minimal_job(), {"spec.somethingNew": {"a": 1}}))
    assert "somethingNew" not in job.spec.to_dict()


def test_values_do_not_change():
    job = CompressionJob.parse(minimal_job())
    with pytest.raises(ValidationError, match="frozen"):
        job.spec.suspend = True


def test_a_job_written_and_read_again_is_the_same():
    job = CompressionJob.parse(full_job())
    assert CompressionJob.parse(job.to_dict()) == job


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ({"type": "PTQ", "ptq": {}}, True),
        ({"type": "Export"}, True),
        ({"type": "Distill", "distill": {}}, False),
        ({"type": "Distill", "distill": {}, "candidate": True}, True),
        ({"type": "QAT", "qat": {}, "candidate": False}, False),
    ],
)
def test_what_is_a_candidate_depends_on_the_type_unless_it_is_said(step, expected):
    assert Step.model_validate({"name": "s"} | step).is_candidate is expected


@pytest.mark.parametrize(
    ("qat", "expected"), [({}, 1.5), ({"epochs": 3}, 3.0), ({"epochsFraction": 0.5}, 5.0)]
)
def test_qat_is_as_long_as_it_says(qat, expected):
    assert QAT.model_validate(qat).length(schedule_epochs=10) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("namespace", "uri", "allowed"),
    [
        ("team-a", "s3://team-a/compression", True),
        ("team-a", "s3://team-a", True),
        ("team-a", "s3://team-a-secret/x", False),
        ("team-a", "s3://shared/team-b/x", False),
        ("team-b", "s3://shared/team-b/x", True),
        ("team-b", "s3://shared/team-b-other/x", False),
        ("team-b", "s3://team-b/x", True),
    ],
)
def test_a_namespace_writes_only_under_its_prefixes(namespace, uri, allowed):
    spec = CompressionRuntime.parse(runtime()).spec
    endpoint = spec.allow.endpoint("main")
    assert endpoint is not None
    assert endpoint.allows(namespace, uri) is allowed


@pytest.mark.parametrize(
    ("repository", "allowed"),
    [
        ("registry.example.com/team-a/fmnist", True),
        ("registry.example.com/team-ab/fmnist", False),
        ("registry.example.com/platform/runner", False),
        ("registry.example.community/team-a/fmnist", False),
    ],
)
def test_a_namespace_pushes_only_to_its_repositories(repository, allowed):
    spec = CompressionRuntime.parse(runtime()).spec
    assert spec.allow.allows_repository("team-a", repository) is allowed


def test_an_empty_allowlist_allows_nothing():
    assert allowed_prefixes({}, "team-a") == ()
    spec = CompressionRuntime.parse(changed(runtime(), {"spec.allow.repositories": {}})).spec
    assert not spec.allow.allows_repository("team-a", "registry.example.com/team-a/fmnist")


def test_defaults_of_a_runtime_are_found_by_name_role_and_task():
    spec = CompressionRuntime.parse(runtime()).spec
    assert spec.defaults.storage_prefix_of("team-a") == "s3://team-a/compression"
    assert spec.defaults.repository_of("team-a", "fmnist") == "registry.example.com/team-a/fmnist"
    assert [metric.name for metric in spec.defaults.evaluation.metrics.of("OCRRecognition")] == ["CER"]
    assert spec.defaults.resources.of("scan") == spec.defaults.resources.default
    base = spec.serving_base(None)
    assert base is not None
    assert base.name == "ort-slim"
    assert spec.serving_base("other") is None
    assert spec.allow.endpoint("other") is None
    assert spec.evaluator("openvino") is None


def test_every_role_has_limits_by_default():
    resources = CompressionRuntime.parse(runtime()).spec.defaults.resources
    for role in ("default", "train", "evaluate", "package", "scan"):
        limits = resources.of(role).limits or {}
        assert {"cpu", "memory"} <= limits.keys()


def test_reading_objects_needs_no_heavy_import():
    code = (
        "import sys, compression_operator.api; "
        "print([m for m in ('yaml', 'kopf', 'numpy', 'aiohttp', 'kubernetes') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
