"""What each stage is told: everything by digest, with every default filled in."""

from __future__ import annotations

import pytest

from compression_contract.base import digest_of
from compression_contract.inputs import (
    DistillInput,
    EvaluateInput,
    PackageInput,
    PreflightInput,
    PTQInput,
    QATInput,
    ResolveInput,
    ScanInput,
)
from compression_operator.api import CompressionJobStatus
from compression_operator.core.compression.inputs import parameters
from compression_operator.core.compression.passage import Passage
from compression_operator.core.compression.plan import Part, Task
from compression_operator.core.compression.sources import baseline_artifact, source_of
from support.manifests import changed, full_job
from unit.core.compression.scripts import PTQ, distilled, measures, stored
from unit.core.compression.world import World

MISS = {"correct": 8_000, "discordant": 700}


def told(world, kind):
    """The parameters of the first stage of a type."""
    return next(given.parameters for given in world.inputs.values() if isinstance(given.parameters, kind))


@pytest.fixture(scope="module")
def whole():
    """A run that went through every stage."""
    manifest = distilled(
        spec__model={"name": "fmnist", "version": "1.4.0"},
        spec__scan={
            "exceptions": [
                {
                    "id": "CVE-2026-0001",
                    "purl": "pkg:deb/debian/zlib1g",
                    "reason": "not reachable",
                    "expires": "2026-12-31T00:00:00Z",
                }
            ]
        },
    )
    return World(manifest, script=measures(ptq=MISS)).run()


def artifact(world, step):
    return world.work(step)["artifact"]["manifestDigest"]


def test_resolve_is_told_what_the_author_wrote(whole):
    asked = told(whole, ResolveInput)
    assert asked.dataset.digest is None
    assert [teacher.name for teacher in asked.teachers] == ["large"]
    assert asked.student is None
    pinned = told(World(stored()).run(), ResolveInput)
    assert pinned.student.digest == "sha256:" + "cd" * 32


def test_everything_later_is_told_what_was_resolved(whole):
    for kind in (PreflightInput, DistillInput, PTQInput, QATInput, EvaluateInput):
        assert told(whole, kind).dataset.digest == digest_of(b"dataset")
    assert told(whole, PreflightInput).teachers[0].digest == digest_of(b"large")
    assert told(whole, DistillInput).student.num_classes == 10
    assert told(whole, DistillInput).student.input_shape == (1, 28, 28)


def test_distillation_follows_the_plan():
    manifest = changed(
        distilled(),
        {
            "spec.pipeline.steps": [
                {
                    "name": "kd",
                    "type": "Distill",
                    "studentArch": "stronger",
                    "distill": {
                        "temperature": 6,
                        "alpha": [{"at": 0, "value": 0.8}, {"at": 1, "value": 0.2}],
                        "epochs": 7,
                        "optimizer": {"name": "AdamW", "learningRate": 0.01, "batchSize": 64},
                        "cacheTeacherOutputs": False,
                    },
                },
                {"name": "longer", "type": "Distill", "from": "kd", "distill": {}},
                changed(PTQ, {"from": "longer", "ptq": {"skipLayers": ["conv1"], "sensitivity": True}}),
            ]
        },
    )
    world = World(manifest).run()
    asked = told(world, DistillInput)
    assert asked.student.arch == "stronger"
    assert asked.epochs == 7
    assert asked.distillation.temperature == 6
    assert [point.value for point in asked.distillation.alpha] == [0.8, 0.2]
    assert (asked.optimizer.name, asked.optimizer.batch_size) == ("AdamW", 64)
    assert not asked.cache_teacher_outputs
    second = [i.parameters for i in world.inputs.values() if isinstance(i.parameters, DistillInput)][1]
    assert second.student.artifact.digest == artifact(world, "kd")
    quantised = told(world, PTQInput)
    assert quantised.source.digest == artifact(world, "longer")
    assert (quantised.sensitivity, quantised.skip_layers) == (True, ("conv1",))


def test_qat_takes_its_length_its_batches_and_its_teachers_from_the_distillation(whole):
    asked = told(whole, QATInput)
    assert asked.epochs == pytest.approx(1.5)
    assert asked.batch_size == 32
    assert [teacher.name for teacher in asked.distillation.teachers] == ["large"]
    assert asked.source.digest == artifact(whole, "distill")


@pytest.mark.parametrize(("qat", "epochs"), [({"epochs": 3}, 3.0), ({"epochsFraction": 0.5}, 5.0), ({}, 1.5)])
def test_qat_without_teachers_learns_from_labels_alone(qat, epochs):
    steps = [{"name": "qat", "type": "QAT", "qat": qat}]
    asked = told(World(stored(spec__pipeline={"steps": steps})).run(), QATInput)
    assert asked.epochs == pytest.approx(epochs)
    assert asked.distillation is None
    assert asked.source.digest == "sha256:" + "cd" * 32


def test_qat_may_let_go_of_its_teachers():
    steps = [
        {"name": "kd", "type": "Distill", "distill": {}},
        {"name": "qat", "type": "QAT", "from": "kd", "qat": {"keepDistillation": False}},
    ]
    asked = told(World(changed(distilled(), {"spec.pipeline.steps": steps})).run(), QATInput)
    assert asked.distillation is None


def test_every_candidate_is_measured_against_the_float_ancestor_of_the_first(whole):
    measured = [i.parameters for i in whole.inputs.values() if isinstance(i.parameters, EvaluateInput)]
    assert [item.candidate.digest for item in measured] == [artifact(whole, "ptq"), artifact(whole, "qat")]
    assert {item.baseline.digest for item in measured} == {artifact(whole, "distill")}


def test_a_stored_student_is_its_own_baseline():
    asked = told(World(stored()).run(), EvaluateInput)
    assert asked.baseline.digest == "sha256:" + "cd" * 32


def test_packaging_ships_the_measured_candidate_under_a_tag_of_its_content(whole):
    asked = told(whole, PackageInput)
    assert asked.candidate.digest == artifact(whole, "qat")
    assert (
        asked.evaluation.digest == whole.status["candidates"][1]["results"][0]["evaluation"]["manifestDigest"]
    )
    assert asked.tag == f"fmnist-1.4.0-{asked.candidate.digest[7:19]}"
    assert asked.repository == "registry.example.com/team-a/fmnist"
    assert asked.format == "ONNXQDQ"


def test_the_scan_is_of_the_pushed_digest(whole):
    asked = told(whole, ScanInput)
    assert asked.image.endswith(whole.status["image"]["manifestDigest"])
    assert asked.server == "http://trivy.modelops-system:4954"
    (exception,) = asked.exceptions
    assert (exception.purl, exception.expires) == ("pkg:deb/debian/zlib1g", "2026-12-31T00:00:00Z")


def test_inputs_that_need_a_receipt_refuse_to_be_made_without_it(whole):
    world = World(distilled())
    world.write(world.decide())
    passage = Passage(world.observe(), world.now)
    plan = passage.plan
    assert baseline_artifact(plan, passage.status) is None
    for task in (Task(Part.PACKAGE), Task(Part.SCAN), Task(Part.EVALUATE, "ptq", "ort")):
        with pytest.raises(LookupError):
            parameters(task, plan, passage.status, world.observe().identity)
    with pytest.raises(LookupError, match="step ptq has no model"):
        source_of(plan.step("ptq"), plan, passage.status)
    done = CompressionJobStatus.model_validate(whole.status)
    bare = done.candidates[1].results[0].model_copy(update={"evaluation": None})
    candidate = done.candidates[1].model_copy(update={"results": (bare,)})
    without = done.model_copy(update={"candidates": (candidate,)})
    with pytest.raises(LookupError, match="not stored"):
        parameters(Task(Part.PACKAGE), plan, without, world.observe().identity)


def test_a_run_of_the_full_plan_tells_its_stages_everything():
    manifest = changed(full_job(), {"spec.pipeline.steps.1.ptq.smoothAlpha": 0.4})
    del manifest["spec"]["packaging"]["repository"]
    manifest["spec"]["export"]["formats"] = ["ONNXQDQ"]
    manifest["spec"]["dataset"].pop("digest")
    world = World(manifest).run()
    asked = told(world, PTQInput)
    assert (asked.outlier, asked.smooth_alpha) == ("Smooth", 0.4)
