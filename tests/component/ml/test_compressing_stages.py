"""Every way to quantise and to prune, once through its stage: what is shipped answers as what was measured.

The network has what goes wrong in different places, once each: a depthwise layer, a residual sum, a gate,
hard-swish, a linear bottleneck.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from compression_contract.artifacts import ArtifactRef
from compression_contract.inputs import DistillInput, PruneInput, PTQInput, QATInput
from compression_contract.methods import (
    Calibration,
    Distillation,
    Optimizer,
    Pruning,
    Quanters,
    StudentInput,
)
from compression_jobs import networks
from compression_jobs.networks.mobilenet_v1 import MobileNetV1, Stem
from compression_jobs.networks.mobilenet_v3 import Block, MobileNetV3
from compression_jobs.tasks.classification import Classification
from support import gratings, local

pytestmark = [pytest.mark.paddle, pytest.mark.filterwarnings("ignore")]

NETWORK = MobileNetV3(
    blocks=(
        Block(3, 16, 16, squeeze=False, hard_swish=False),
        Block(3, 32, 24, squeeze=True, hard_swish=True, stride=2),
    ),
    last=48,
    hidden=32,
)
SHORT = MobileNetV1((Stem(16),), ())
"""KL tries a thousand ranges for each tensor, bin by bin: seconds each."""
TASK = Classification("ImageClassification")
LABELS = gratings.images(400, 2)[1]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> local.World:
    networks.register("small", NETWORK)
    networks.register("short", SHORT)
    world = local.World.with_gratings(tmp_path_factory.mktemp("compressing"))
    world.train("small")
    return world


@pytest.fixture(scope="module")
def short(world: local.World) -> ArtifactRef:
    usual = world.student
    made = world.train("short", epochs=3)
    world.student = usual
    return made.reference


def inputs(world, indices):
    pixels = gratings.images(400, 2)[0][indices, np.newaxis]
    return ((pixels / 255 - 0.47) / 0.2).astype(np.float32)


def accuracy(outputs, indices):
    return float((outputs.argmax(1) == LABELS[indices]).mean())


def float_accuracy(world, student=None):
    student = student or world.student
    made = local.Made(None, world.known[student.digest], student)
    every = np.arange(400)
    return accuracy(made.outputs(inputs(world, every), "float.onnx"), every)


def judge(world, made, least_agreement=0.9, most_lost=0.05, student=None):
    """The shipped file against the recorded answers, and against the float student."""
    indices, recorded = made.recorded()
    shipped = made.outputs(inputs(world, indices))
    assert TASK.same(recorded, shipped).mean() >= least_agreement
    assert accuracy(shipped, indices) >= float_accuracy(world, student) - most_lost
    assert made.facts.layers > 0


def ptq(world, **changes):
    given = {
        "dataset": world.dataset,
        "source": world.student,
        "calibration": Calibration(batches=2, batch_size=30),
        **changes,
    }
    return PTQInput(**given)


@pytest.mark.parametrize(
    ("engine", "observer", "outlier", "per_channel"),
    [
        ("PaddleSlim", "AVG", "None", True),
        ("PaddleSlim", "AbsMax", "Smooth", True),
        ("PaddleSlim", "EMD", "Shift", True),
        ("PaddleSlim", "Hist", "ShiftSmooth", False),
        ("PaddleSlim", "MSE", "None", True),
        ("OnnxRuntime", "AVG", "ShiftSmooth", True),
        ("OnnxRuntime", "Hist", "Smooth", True),
    ],
)
def test_ptq_ships_what_it_measured(world, engine, observer, outlier, per_channel):
    made = world.run(
        ptq(world, engine=engine, activation_observer=observer, outlier=outlier, per_channel=per_channel)
    )
    judge(world, made)
    assert made.files == ["fake_quant.npz", "model.onnx", "scales.json"]
    facts = made.artifact.manifest.facts
    assert facts["calibrationSamples"] == 60
    assert ("outliers" in facts) == (outlier != "None")


@pytest.mark.parametrize("engine", ["PaddleSlim", "OnnxRuntime"])
def test_ptq_by_kl_ships_what_it_measured(world, engine, short):
    made = world.run(ptq(world, source=short, engine=engine, activation_observer="KL"))
    judge(world, made, student=short)


def test_ptq_tells_what_each_layer_costs_and_which_formats_were_asked_for(world):
    skipped = ("body.0.0", "head.2")
    formats = ("ONNX", "ONNXQDQ", "PaddleInference")
    made = world.run(ptq(world, skip_layers=skipped, sensitivity=True, formats=formats))
    judge(world, made)
    assert {"float.onnx", "model.pdmodel", "model.pdiparams", "sensitivity.json"} < set(made.files)
    found = json.loads((made.artifact.folder / "sensitivity.json").read_text())
    scales = json.loads((made.artifact.folder / "scales.json").read_text())
    assert {entry["layer"] for entry in found["layers"]} == {layer["layer"] for layer in scales}
    assert not set(skipped) & {entry["layer"] for entry in found["layers"]}
    costs = [(-entry["drop"], entry["sqnr"]) for entry in found["layers"]]
    assert costs == sorted(costs)
    assert (found["metric"], found["samples"]) == ("top1", 60)  # a tenth of 600 is for calibration


@pytest.mark.parametrize(
    ("weight", "activation"),
    [(w, a) for w in ("ChannelWiseAbsMax", "LSQplus") for a in ("MovingAvgAbsMax", "LSQplus", "PACT")],
)
def test_qat_ships_what_it_trained(world, weight, activation):
    given = QATInput(
        dataset=world.dataset,
        source=world.student,
        epochs=0.25,
        learning_rate=5e-4,
        quanters=Quanters(weight=weight, activation=activation),
    )
    made = world.run(given)
    judge(world, made, least_agreement=0.95)
    scales = json.loads((made.artifact.folder / "scales.json").read_text())
    symmetric = [layer["inputZeroPoint"] is None for layer in scales]
    assert set(symmetric) == {activation == "MovingAvgAbsMax"}


@pytest.fixture(scope="module", params=["L1Norm", "FPGM"])
def pruned(request, world):
    given = PruneInput(
        dataset=world.dataset,
        source=world.student,
        pruning=Pruning(criterion=request.param, ratio=0.25, exclude=("body.0.0",)),
        finetune_epochs=2,
        optimizer=Optimizer(learning_rate=3e-3),
    )
    return world.run(given)


def test_a_pruned_student_is_smaller_and_as_good(world, pruned):
    before, after = pruned.facts.before, pruned.facts.after
    assert after.parameters < 0.75 * before.parameters
    assert after.operations < 0.85 * before.operations  # the first layer, left whole, is a third of them
    assert pruned.files == ["float.onnx", "history.json", "weights.npz"]
    every = np.arange(400)
    found = accuracy(pruned.outputs(inputs(world, every), "float.onnx"), every)
    assert found >= float_accuracy(world) - 0.05
    widths = pruned.artifact.manifest.facts["widths"]
    assert "body.0.0.weight" not in widths
    assert widths


@pytest.mark.parametrize("pruned", ["L1Norm"], indirect=True)
def test_every_step_goes_on_from_a_pruned_student(world, pruned):
    judge(world, world.run(ptq(world, source=pruned.reference)))
    qat = QATInput(dataset=world.dataset, source=pruned.reference, epochs=0.25, learning_rate=5e-4)
    judge(world, world.run(qat))
    student = StudentInput(
        num_classes=gratings.CLASSES, input_shape=gratings.SHAPE, artifact=pruned.reference
    )
    again = world.run(
        DistillInput(dataset=world.dataset, student=student, distillation=Distillation(teachers=()), epochs=1)
    )
    assert again.artifact.manifest.facts["widths"] == pruned.artifact.manifest.facts["widths"]
