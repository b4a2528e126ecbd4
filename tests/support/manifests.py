"""Good manifests to start from, and a way to change one place of them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

Manifest = dict[str, Any]

API_VERSION = "compression.modelops.dev/v1alpha1"
DIGEST = "sha256:" + "ab" * 32
IMAGE = f"registry.example.com/platform/image@{DIGEST}"
REMOVE = object()
"""As a change: take the field away."""


def changed(manifest: Mapping[str, Any], changes: Mapping[str, Any]) -> Manifest:
    """A copy with some places changed, each by its path, such as `spec.gates.0.metric.min`."""
    result = copy.deepcopy(dict(manifest))
    for path, value in changes.items():
        *parents, last = path.split(".")
        place: Any = result
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
        key = int(last) if isinstance(place, list) else last
        if value is REMOVE:
            del place[key]
        elif isinstance(place, list) and key == len(place):
            place.append(value)
        else:
            place[key] = value
    return result


def _manifest(kind: str, name: str, spec: Manifest) -> Manifest:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def minimal_job() -> Manifest:
    """What a first manifest must say, and no more."""
    spec = {
        "model": {"name": "fmnist"},
        "task": "ImageClassification",
        "student": {"arch": "mobilenet"},
        "dataset": {"uri": "s3://team-a/data/fmnist"},
        "gates": [{"name": "floor", "type": "Metric", "metric": {"name": "top1", "min": 0.85}}],
    }
    return _manifest("CompressionJob", "first", spec)


def full_job() -> Manifest:
    """A job that says everything it can."""
    distill = {
        "teachers": ["large"],
        "temperature": 4,
        "alpha": [{"at": 0, "value": 0.9}, {"at": 0.3, "value": 0.7}, {"at": 1, "value": 0.3}],
        "features": [{"student": "stage3", "teacher": "large/layer3", "adapter": "Conv1x1"}],
        "epochs": 40,
        "optimizer": {"name": "Adam", "learningRate": 0.001, "batchSize": 64},
    }
    longer = {"epochs": 60, "temperature": 6, "alpha": [{"at": 0, "value": 0.8}]}
    ptq = {"calibration": {"batches": 100}, "outlier": "Smooth", "smoothAlpha": 0.5, "skipLayers": ["conv1"]}
    steps = [
        {"name": "kd", "type": "Distill", "distill": distill},
        {"name": "int8-ptq", "type": "PTQ", "from": "kd", "ptq": ptq},
        {
            "name": "int8-qat",
            "type": "QAT",
            "from": "kd",
            "when": {"unmet": ["int8-ptq"]},
            "qat": {"epochsFraction": 0.15},
        },
        {
            "name": "kd2",
            "type": "Distill",
            "when": {"unmet": ["int8-ptq", "int8-qat"]},
            "studentArch": "resnet18",
            "distill": longer,
        },
        {"name": "int8-ptq2", "type": "PTQ", "from": "kd2", "when": {"unmet": ["int8-ptq"]}, "ptq": {}},
    ]
    return changed(
        minimal_job(),
        {
            "metadata.name": "fmnist-1-4-0",
            "spec.ttlSecondsAfterFinished": 604800,
            "spec.model.version": "1.4.0",
            "spec.storage": {
                "prefix": "s3://team-a/compression",
                "endpointName": "main",
                "secretRef": {"name": "compression-s3-team-a"},
            },
            "spec.code": {"uri": "s3://team-a/code/arch.tgz", "digest": DIGEST},
            "spec.teachers": [
                {"name": "large", "uri": "s3://team-a/teachers/rn50", "digest": DIGEST, "minMetric": 0.9}
            ],
            "spec.student": {
                "arch": "mobilenet",
                "numClasses": 10,
                "inputShape": [1, 28, 28],
                "originalEpochs": 40,
            },
            "spec.dataset.digest": DIGEST,
            "spec.dataset.splits": {"train": "train", "calibration": "calib", "test": "test"},
            "spec.pipeline": {"steps": steps},
            "spec.export": {"formats": ["ONNXQDQ", "PaddleInference"]},
            "spec.evaluation.targets": [{"name": "ort", "runtime": "onnxruntime", "format": "ONNXQDQ"}],
            "spec.evaluation.metrics": [{"name": "top1"}],
            "spec.gates.1": {
                "name": "drop",
                "type": "MetricDrop",
                "metricDrop": {"name": "top1", "max": 0.01},
            },
            "spec.gates.2": {"name": "size", "type": "Size", "size": {"max": "12Mi", "minRatio": 3.0}},
            "spec.gates.3": {"name": "lat", "type": "Latency", "target": "ort", "latency": {"max": "8ms"}},
            "spec.gates.4": {"name": "vuln", "type": "Vulnerability", "vulnerability": {}},
            "spec.packaging": {
                "target": "ort",
                "servingBase": "ort-slim",
                "repository": "registry.example.com:5000/team-a/fmnist",
                "pushSecretRef": {"name": "compression-registry-push"},
                "labels": {"team": "a"},
            },
            "spec.scan.exceptions": [
                {"id": "CVE-2026-0001", "reason": "not reachable", "expires": "2027-01-31T00:00:00Z"}
            ],
            "spec.promotion": {"mode": "Request", "targets": [{"name": "fmnist"}]},
            "spec.runPolicy.retryDelay": {"base": "10s", "max": "10m"},
            "spec.podTemplates.train": {
                "resources": {"requests": {"cpu": "4", "memory": "8Gi"}, "limits": {"memory": "8Gi"}},
                "env": [{"name": "OMP_NUM_THREADS", "value": "4"}],
                "shmSize": "1Gi",
            },
        },
    )


def runtime() -> Manifest:
    """A CompressionRuntime with one of each."""
    spec = {
        "runner": {"image": IMAGE, "framework": "paddle 2.6.2"},
        "evaluators": [
            {"name": "onnxruntime", "image": IMAGE, "formats": ["ONNXQDQ", "ONNX"], "metrics": ["top1"]}
        ],
        "servingBases": [{"name": "ort-slim", "image": IMAGE}],
        "tools": {"image": IMAGE, "scannerService": "trivy.modelops-system:4954"},
        "allow": {
            "storageEndpoints": [
                {
                    "name": "main",
                    "url": "https://s3.example.com",
                    "prefixes": {"*": ["s3://{namespace}/"], "team-b": ["s3://shared/team-b"]},
                }
            ],
            "repositories": {"*": ["registry.example.com/{namespace}/"]},
        },
        "defaults": {"repositoryPrefix": "registry.example.com/{namespace}"},
    }
    return _manifest("CompressionRuntime", "default", spec)


def serving_target() -> Manifest:
    """A ServingTarget that says only what it must."""
    spec = {"deploymentRef": {"name": "fmnist"}, "container": "server", "accepts": {"model": "fmnist"}}
    return _manifest("ServingTarget", "fmnist", spec)


def promotion() -> Manifest:
    """A Promotion as a person writes it."""
    spec = {
        "targetRef": {"name": "fmnist"},
        "modelVersionRef": {"namespace": "team-a", "name": "fmnist-abababababab"},
        "imageDigest": DIGEST,
        "requestedBy": {"kind": "User", "user": "alice"},
    }
    return _manifest("Promotion", "fmnist-1", spec)


def model_version() -> Manifest:
    """A ModelVersion as the operator writes it."""
    spec = {
        "model": "fmnist",
        "image": {"repository": "registry.example.com/team-a/fmnist", "manifestDigest": DIGEST},
        "artifact": {"manifestDigest": DIGEST, "format": "ONNXQDQ", "goldenDigest": DIGEST},
        "evaluation": {
            "target": "ort",
            "runtime": "onnxruntime",
            "samples": 10000,
            "metrics": [{"name": "top1", "value": "0.8625"}],
            "latencyP95": "6.1ms",
        },
        "gates": [{"name": "floor", "verdict": "Pass", "observed": "0.8625", "required": ">=0.85"}],
        "scan": {"counts": {"medium": 3}, "scannedAt": "2026-11-21T10:00:00Z"},
        "source": {"kind": "CompressionJob", "namespace": "team-a", "name": "first"},
    }
    return _manifest("ModelVersion", "fmnist-abababababab", spec)
