"""Whole runs of a CompressionJob, from its creation to its terminal condition."""

from __future__ import annotations

from support.manifests import changed, minimal_job
from unit.core.compression.world import World

TEACHER = {"name": "large", "uri": "s3://team-a/teachers/rn50"}


def job(**changes):
    manifest = changed(minimal_job(), {"spec.teachers": [TEACHER]})
    return changed(manifest, {path.replace("__", "."): value for path, value in changes.items()})


def test_a_job_goes_from_resolve_to_a_promotion_and_is_complete():
    world = World(job(spec__promotion={"mode": "Request", "targets": [{"name": "fmnist"}]})).run()
    assert world.holds("Complete"), world.condition("Failed")
    assert world.stages() == [
        "resolve",
        "preflight",
        "distill:distill",
        "ptq:ptq",
        "evaluate:ptq",
        "package",
        "scan",
        "ModelVersion",
        "Promotion",
    ]
