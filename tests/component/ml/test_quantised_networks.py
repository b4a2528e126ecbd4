"""From a trained Paddle network to an INT8 file, through a process of its own, and the networks by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from compression_contract.methods import Optimizer, Quanters
from compression_jobs import framework, networks
from compression_jobs.errors import Misconfigured
from compression_jobs.exporters.convert import to_int8_onnx
from compression_jobs.exporters.graph import Graph
from compression_jobs.exporters.program import run_program, save_program
from compression_jobs.losses.supervision.classification import Classification
from compression_jobs.networks.mobilenet_v1 import MobileNetV1, Stem
from compression_jobs.networks.resnet import ResNet
from compression_jobs.quantizers import aware, slim
from compression_jobs.quantizers.post_training import weights_by_layer
from compression_jobs.quantizers.ranges import observe
from compression_jobs.readers.npz import ImageSplit
from compression_jobs.training.loop import Course, predict, train
from compression_jobs.training.objectives import Truth
from support import gratings

# Paddle and PaddleSlim warn of their own code.
pytestmark = [pytest.mark.paddle, pytest.mark.filterwarnings("ignore")]

SAMPLES = 400
CALIBRATION = 128


def split(count: int, seed: int) -> ImageSplit:
    pixels, labels = gratings.images(count, seed)
    mean, std = np.full((1, 1, 1), 120, np.float32), np.full((1, 1, 1), 50, np.float32)
    return ImageSplit(pixels[:, np.newaxis], labels, mean, std)


TRAIN, TEST = split(600, 1), split(SAMPLES, 2)


def description(name):

    return {
        "depthwise": MobileNetV1((Stem(16),), ((24, 1), (48, 2)), hidden=(64,)),
        "residual": ResNet((1, 1), width=8),
    }[name]


def fitted(name, seed=0):
    """A network after a minute's worth of training on a real task, in a second."""
    framework.start(seed)

    network = description(name).build(gratings.SHAPE, gratings.CLASSES)
    course = Course(4, Optimizer(learning_rate=5e-3), seed)
    train(network, TRAIN, np.arange(len(TRAIN)), Truth(Classification(), TRAIN), course)
    return network


def answers(path: Path) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"input": TEST.inputs(np.arange(SAMPLES))})
    return logits


def agreement(one, other):
    return float((one.argmax(1) == other.argmax(1)).mean())


def accuracy(logits):
    return float((logits.argmax(1) == TEST.labels).mean())


def test_after_a_few_steps_of_qat_the_file_has_the_learned_grids(tmp_path):
    network = fitted("residual")

    before = predict(network, TEST, np.arange(SAMPLES))
    ranges = observe(network, [TRAIN.inputs(np.arange(CALIBRATION))])
    network = aware.prepare(network, Quanters(), ranges)
    course = Course(1.5, Optimizer(learning_rate=5e-4), 0, freeze_batch_norm_after=0.5)
    train(network, TRAIN, np.arange(len(TRAIN)), Truth(Classification(), TRAIN), course)
    expected = predict(network, TEST, np.arange(SAMPLES))

    plain = description("residual").build(gratings.SHAPE, gratings.CLASSES)
    plain.set_state_dict(slim.trained_weights(network))
    save_program(plain, gratings.SHAPE, tmp_path / "float")
    layers = aware.trained_layers(network, weights_by_layer(plain))
    calibration = TRAIN.inputs(np.arange(CALIBRATION))
    file = tmp_path / "model.onnx"
    report = to_int8_onnx(tmp_path / "float", file, layers, calibration, 13, tmp_path)

    found = answers(file)
    assert agreement(found, expected) >= 0.98
    assert accuracy(found) >= accuracy(before) - 0.03
    assert report.layers == len(Graph.load(file).of_type("Conv", "Gemm"))
    assert report.in_floats == ()
    assert agreement(answers(tmp_path / "float.onnx"), expected) >= 0.9
    constants = Graph.load(file).constants
    stored = [float(value) for key, value in constants.items() if key.endswith(".scale") and value.ndim == 0]
    for layer in layers:  # its step, or its end in 255 steps where calibration data go beyond it
        possible = np.array([layer.input_step, layer.input_step * 127 / 255])
        assert np.isclose(possible[:, np.newaxis], stored, rtol=1e-5).any(), f"{layer.layer} lost its grid"


def test_one_grid_for_a_whole_weight_is_deployed_too(tmp_path):
    network = fitted("depthwise")

    save_program(network, gratings.SHAPE, tmp_path / "float")
    calibration = TRAIN.inputs(np.arange(CALIBRATION))
    quantised = tmp_path / "quantised" / "model"
    settings = slim.Settings("Hist", per_channel=False)
    slim.calibrate(tmp_path / "float", quantised, np.split(calibration, 4), settings)
    layers = slim.calibrated_layers(quantised, weights_by_layer(network))
    assert {len(layer.weight_steps) for layer in layers} == {1}
    file = tmp_path / "model.onnx"
    report = to_int8_onnx(tmp_path / "float", file, layers, calibration, 13, tmp_path)

    assert report.layers == len(Graph.load(file).of_type("Conv", "Gemm"))
    assert report.in_floats == ()
    expected = run_program(quantised, [TEST.inputs(np.arange(SAMPLES))])
    assert agreement(answers(file), expected) >= 0.98


def test_layers_that_are_to_be_skipped_stay_in_floating_point(tmp_path):
    network = fitted("depthwise")

    save_program(network, gratings.SHAPE, tmp_path / "float")
    names = weights_by_layer(network)
    calibration = TRAIN.inputs(np.arange(64))
    skipped = [names["body.0.0"], names["head.2"]]
    settings = slim.Settings("AbsMax", True, tuple(skipped))
    slim.calibrate(tmp_path / "float", tmp_path / "q" / "model", np.split(calibration, 2), settings)
    layers = slim.calibrated_layers(tmp_path / "q" / "model", names)
    assert {layer.layer for layer in layers} == set(names) - {"body.0.0", "head.2"}


def test_training_again_gives_the_same_weights():
    first, second = (fitted("depthwise", seed=3).state_dict() for _ in range(2))
    assert all(np.array_equal(tensor.numpy(), second[name].numpy()) for name, tensor in first.items())


def test_an_unknown_architecture_is_told_with_those_that_exist():
    with pytest.raises(Misconfigured, match="mobilenet_v1_tiny") as caught:
        networks.build("alexnet", gratings.SHAPE, gratings.CLASSES)
    assert caught.value.reason == "ArchitectureUnknown"


OTHER_TASKS = ("centernet", "crnn", "ctc", "text")


@pytest.mark.parametrize(
    "name", sorted(name for name in networks.NETWORKS if not name.startswith(OTHER_TASKS))
)
def test_every_architecture_of_a_classifier_answers_with_logits(name):
    framework.start(0)
    network = networks.build(name, (1, 32, 32), 10)
    network.eval()
    images = framework.paddle.zeros([2, 1, 32, 32])
    assert network(images).shape == [2, 10]
    assert networks.parameters(network) > 1000


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("mobilenet_v1_x1_0", 4_231_976),
        ("mobilenet_v2_x1_0", 3_504_872),
        ("mobilenet_v3_small_x1_0", 2_542_856),
        ("resnet18", 11_689_512),
    ],
)
def test_published_networks_have_as_many_weights_as_published(name, count):
    framework.start(0)
    assert networks.parameters(networks.build(name, (3, 224, 224), 1000)) == count
