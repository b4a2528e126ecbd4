"""What the steps of a plan are asked to do, and what each inherits from the steps before it."""

from __future__ import annotations

import pytest

from compression_contract.inputs import DistillInput, EvaluateInput, PruneInput, PTQInput, QATInput
from support.manifests import changed, runtime
from unit.core.compression.scripts import PTQ, QAT, STORED, distilled, measures, stored
from unit.core.compression.world import World

KD = {"name": "kd", "type": "Distill", "distill": {"optimizer": {"name": "AdamW", "batchSize": 64}}}
CUT = {"name": "cut", "type": "Prune", "from": "kd", "prune": {"ratio": 0.3}}
AGAIN = {"name": "again", "type": "Distill", "from": "cut", "distill": {"epochs": 3, "temperature": 2}}
CODE = {"uri": "s3://team-a/code/mine", "digest": "sha256:" + "0c" * 32}


def planned(*steps, **changes):
    """A finished run of these steps over a teacher."""
    return World(changed(distilled(**changes), {"spec.pipeline.steps": list(steps)})).run()


def told(world, step):
    """The parameters of a step's first attempt."""
    return next(
        given.parameters
        for name, given in world.inputs.items()
        if world.key(name).step == step and given.parameters.stage != "evaluate"
    )


def artifact(world, step):
    return world.work(step)["artifact"]["manifestDigest"]


def test_pruning_starts_from_a_step_and_keeps_its_teachers_and_its_optimizer():
    world = planned(
        KD,
        changed(CUT, {"prune": {"criterion": "FPGM", "ratio": 0.4, "exclude": ["fc"], "learningRate": 0.01}}),
        changed(PTQ, {"from": "cut"}),
    )
    assert world.holds("Complete"), world.condition("Failed")
    asked = told(world, "cut")
    assert isinstance(asked, PruneInput)
    assert asked.source.digest == artifact(world, "kd")
    assert (asked.pruning.criterion, asked.pruning.ratio, asked.pruning.exclude) == ("FPGM", 0.4, ("fc",))
    assert (asked.optimizer.name, asked.optimizer.batch_size) == ("AdamW", 64)
    assert asked.optimizer.learning_rate == pytest.approx(0.01)
    assert asked.finetune_epochs == 5
    assert [teacher.name for teacher in asked.distillation.teachers] == ["large"]
    assert told(world, "ptq").source.digest == artifact(world, "cut")


def test_a_stored_model_may_be_pruned_without_teachers():
    cut = changed(CUT, {"from": ""})
    world = World(stored(spec__pipeline={"steps": [cut, changed(PTQ, {"from": "cut"})]})).run()
    asked = told(world, "cut")
    assert asked.source.digest == STORED["digest"]
    assert asked.distillation is None


def test_distillation_and_fine_tuning_go_on_from_a_pruned_model_under_its_teachers():
    world = planned(KD, CUT, AGAIN, changed(QAT, {"from": "again", "when": {"unmet": []}}))
    again = told(world, "again")
    assert isinstance(again, DistillInput)
    assert again.student.artifact.digest == artifact(world, "cut")
    asked = told(world, "qat")
    assert isinstance(asked, QATInput)
    assert asked.distillation.temperature == 2, "the last distillation is the one that is kept on"
    direct = planned(KD, CUT, changed(QAT, {"from": "cut", "when": {"unmet": []}}))
    assert told(direct, "qat").distillation.temperature == 4


def test_a_distillation_goes_on_with_the_network_it_starts_from():
    named = changed(KD, {"studentArch": "other"})
    world = planned(named, CUT, AGAIN, changed(PTQ, {"from": "again"}))
    assert told(world, "kd").student.arch == told(world, "again").student.arch == "other"


@pytest.mark.parametrize(
    ("steps", "baseline"),
    [
        ([KD, CUT, changed(PTQ, {"from": "cut"})], "kd"),
        ([KD, CUT, AGAIN, changed(PTQ, {"from": "again"})], "kd"),
        ([KD, changed(AGAIN, {"from": "kd"}), changed(PTQ, {"from": "again"})], "again"),
    ],
)
def test_the_baseline_is_the_float_model_before_any_filter_was_cut(steps, baseline):
    world = planned(*steps)
    measured = [i.parameters for i in world.inputs.values() if isinstance(i.parameters, EvaluateInput)]
    assert {item.baseline.digest for item in measured} == {artifact(world, baseline)}


def test_a_stored_model_is_the_baseline_of_what_was_pruned_from_it():
    cut = changed(CUT, {"from": ""})
    world = World(stored(spec__pipeline={"steps": [cut, changed(PTQ, {"from": "cut"})]})).run()
    (asked,) = (i.parameters for i in world.inputs.values() if isinstance(i.parameters, EvaluateInput))
    assert asked.baseline.digest == STORED["digest"]


def test_every_stage_that_meets_samples_is_told_the_task():
    offer = changed(runtime(), {"spec.evaluators.0.metrics": ["top1", "macroF1"]})
    manifest = distilled(spec__task="TextClassification")
    world = World(manifest, runtime=offer, script=measures(ptq={"correct": 8_000, "discordant": 700})).run()
    tasks = {
        given.parameters.stage: getattr(given.parameters, "task", None) for given in world.inputs.values()
    }
    assert tasks == {
        "resolve": "TextClassification",
        "preflight": "TextClassification",
        "distill": "TextClassification",
        "ptq": "TextClassification",
        "evaluate": "TextClassification",
        "qat": "TextClassification",
        "package": None,
        "scan": None,
        "report": "TextClassification",
    }


def test_a_metrics_better_direction_needs_no_word():
    offer = changed(runtime(), {"spec.evaluators.0.metrics": ["CER", "exactMatch"]})
    floor = {"name": "ceiling", "type": "Metric", "metric": {"name": "CER", "max": 0.1}}
    manifest = stored(spec__task="OCRRecognition", spec__gates=[floor])
    world = World(manifest, runtime=offer)
    world.settle()
    assert world.status["resolved"]["evaluation"]["metrics"] == [
        {"name": "CER", "direction": "LowerIsBetter", "unit": "Fraction"}
    ]


def test_teachers_outputs_are_kept_where_other_steps_and_jobs_find_them():
    world = planned(KD, changed(QAT, {"from": "kd", "when": {"unmet": []}}))
    place = "s3://team-a/compression/teacher-outputs"
    assert told(world, "kd").distillation.cache == told(world, "qat").distillation.cache == place
    world = planned(changed(KD, {"distill.cacheTeacherOutputs": False}), changed(PTQ, {"from": "kd"}))
    assert told(world, "kd").distillation.cache is None


def test_layers_are_mimicked_as_the_author_wrote():
    feature = {"student": "stage3", "teacher": "large/layer3", "loss": "Attention", "adapter": "Conv1x1"}
    world = planned(changed(KD, {"distill.features": [feature]}), changed(PTQ, {"from": "kd"}))
    (mimic,) = told(world, "kd").distillation.features
    assert (mimic.student, mimic.teacher, mimic.loss) == ("stage3", "large/layer3", "Attention")


def test_quantisation_is_told_every_setting():
    settings = {
        "activationObserver": "KL",
        "outlier": "ShiftSmooth",
        "smoothAlpha": 0.6,
        "sensitivity": True,
        "calibration": {"batches": 7, "batchSize": 16},
    }
    quanters = {"weight": "LSQplus", "activation": "PACT"}
    world = planned(
        KD,
        changed(PTQ, {"from": "kd", "ptq": settings}),
        changed(QAT, {"from": "kd", "when": {"unmet": []}, "qat": {"quanters": quanters}}),
    )
    assert world.holds("Complete"), world.condition("Accepted")
    asked = told(world, "ptq")
    assert isinstance(asked, PTQInput)
    assert (asked.outlier, asked.smooth_alpha, asked.sensitivity) == ("ShiftSmooth", 0.6, True)
    assert (asked.activation_observer, asked.calibration.batches) == ("KL", 7)
    assert told(world, "qat").quanters.activation == "PACT"


def test_the_files_to_make_are_those_the_author_wants_exported():
    world = planned(
        KD, changed(PTQ, {"from": "kd"}), spec__export={"formats": ["ONNXQDQ", "PaddleInference"]}
    )
    assert told(world, "kd").formats == told(world, "ptq").formats == ("ONNXQDQ", "PaddleInference")


def test_the_manifests_reader_is_used_where_the_author_names_none():
    world = planned(KD, changed(PTQ, {"from": "kd"}))
    readers = {
        given.parameters.stage: given.parameters.dataset.reader
        for given in world.inputs.values()
        if given.parameters.stage in ("preflight", "distill", "evaluate")
    }
    assert set(readers.values()) == {"npz"}
    resolve = next(iter(world.inputs.values())).parameters
    assert resolve.reader == "", "what the manifest names"


def test_an_authors_reader_trains_and_never_measures():
    dataset = {"uri": "s3://team-a/data/mine", "reader": "code", "maxBadRecords": 0.2}
    world = planned(KD, changed(PTQ, {"from": "kd"}), spec__dataset=dataset, spec__code=CODE)
    given = {item.parameters.stage: item.parameters for item in world.inputs.values()}
    assert given["distill"].dataset.reader == given["ptq"].dataset.reader == "code"
    assert given["preflight"].dataset.reader == given["evaluate"].dataset.reader == "npz"
    assert given["distill"].dataset.max_bad_records == pytest.approx(0.2)


def test_an_authors_code_reaches_the_stages_that_train_and_no_other():
    world = planned(KD, CUT, changed(PTQ, {"from": "cut"}), spec__code=CODE)
    assert world.holds("Complete"), world.condition("Failed")
    for step in ("kd", "cut", "ptq"):
        assert told(world, step).code.digest == CODE["digest"]
    with_code = {i.parameters.stage for i in world.inputs.values() if getattr(i.parameters, "code", None)}
    assert with_code == {"resolve", "distill", "prune", "ptq"}
    assert world.status["resolved"]["codeDigest"] == CODE["digest"]
