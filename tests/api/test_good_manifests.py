"""What the API server takes, with the same defaults as the models give."""

from __future__ import annotations

import pytest

from compression_operator.api import (
    CompressionJob,
    CompressionRuntime,
    ModelVersion,
    Promotion,
    ServingTarget,
)
from support.manifests import (
    DIGEST,
    changed,
    full_job,
    minimal_job,
    model_version,
    promotion,
    runtime,
    serving_target,
)

STORED_STUDENT = {"uri": "s3://team-a/students/m", "digest": DIGEST, "format": "PaddleParams"}
RAW = [{"name": "top1"}, {"name": "PSNR", "unit": "Raw"}]
WIDE_PLAN = [
    {
        "name": f"p{index}",
        "type": "PTQ",
        "ptq": {},
        "when": {"unmet": [f"p{earlier}" for earlier in range(index)]},
    }
    for index in range(12)
]
MANY_GATES = [
    {"name": f"g{index}", "type": "Metric", "metric": {"name": "top1", "min": 0.5}} for index in range(16)
]

GOOD = {
    "minimal": minimal_job(),
    "everything": full_job(),
    "student by uri": changed(minimal_job(), {"spec.student": STORED_STUDENT}),
    "metric in a unit of its own": changed(
        minimal_job(),
        {"spec.evaluation.metrics": RAW, "spec.gates.0.metric": {"name": "PSNR", "min": 30}},
    ),
    "largest plan and most gates": changed(
        minimal_job(), {"spec.pipeline": {"steps": WIDE_PLAN}, "spec.gates": MANY_GATES}
    ),
    "fixed baseline": changed(minimal_job(), {"spec.evaluation.baseline": {"source": "Fixed", "value": 0.9}}),
    "distillation alone as a candidate": changed(
        minimal_job(),
        {
            "spec.teachers": [{"name": "t", "uri": "s3://team-a/t"}],
            "spec.pipeline": {"steps": [{"name": "kd", "type": "Distill", "candidate": True, "distill": {}}]},
        },
    ),
    "size in plain bytes": changed(
        minimal_job(), {"spec.gates.1": {"name": "s", "type": "Size", "size": {"max": "1000000"}}}
    ),
    "name of 40 characters": changed(minimal_job(), {"metadata.name": "a" * 40}),
    "runtime": changed(runtime(), {"metadata.name": "another"}),
    "serving target": serving_target(),
    "promotion": promotion(),
    "model version": model_version(),
}
KINDS = {
    kind.info.kind: kind
    for kind in (CompressionJob, CompressionRuntime, ModelVersion, Promotion, ServingTarget)
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_manifest_is_taken_and_reads_back_as_the_models_read_it(server, name):
    stored = server.would_create(GOOD[name])
    kind = KINDS[stored["kind"]]
    # The server's defaults and the models' are two writings of one thing: neither knows one more.
    assert kind.parse({**stored, "spec": GOOD[name]["spec"]}).spec.to_dict() == stored["spec"]
