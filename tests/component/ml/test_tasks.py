"""Each task from data to an INT8 file: its network learns by its loss, and the file answers as it should."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
import pytest

from compression_contract.methods import Metric, Optimizer, TaskName
from compression_jobs import framework, metrics, networks
from compression_jobs.errors import Misconfigured
from compression_jobs.exporters.convert import to_int8_onnx
from compression_jobs.exporters.program import run_program, save_program
from compression_jobs.losses.supervision import SUPERVISIONS
from compression_jobs.networks.centernet import CenterNet
from compression_jobs.networks.keywords import KeywordNetwork
from compression_jobs.networks.recognisers import Recogniser
from compression_jobs.networks.text import TextNetwork
from compression_jobs.quantizers import slim
from compression_jobs.quantizers.post_training import weights_by_layer
from compression_jobs.readers.facts import TargetsKind
from compression_jobs.tasks import TASKS
from compression_jobs.training.loop import Course, predict, train
from compression_jobs.training.objectives import Truth
from support import easy_tasks

pytestmark = [pytest.mark.paddle, pytest.mark.filterwarnings("ignore")]

CALIBRATION = 64
MOST = 0.9
"""Of what is possible, reached in a few seconds; an untrained network has next to nothing of it."""


@dataclass(frozen=True)
class Case:
    """A task with a network and data of its own."""

    task: tuple[TaskName, TargetsKind]
    network: Any
    samples: Any
    metric: str
    epochs: int = 6


SMALL = (8, 16, 16, 24)
CASES = {
    "detector": Case(
        ("ObjectDetection", "Boxes"), CenterNet(8, (16, 24), 1, 24), easy_tasks.squares, "mAP50", 10
    ),
    "recogniser of convolutions": Case(
        ("OCRRecognition", "Symbols"), Recogniser(SMALL, features=24), easy_tasks.lines, "exactMatch", 10
    ),
    "recurrent recogniser": Case(
        ("SpeechRecognition", "Symbols"), Recogniser(SMALL, "GRU", 24), easy_tasks.lines, "exactMatch", 10
    ),
    "keywords": Case(("SpeechRecognition", "Labels"), KeywordNetwork(16, 2), easy_tasks.sounds, "top1"),
    "text": Case(
        ("TextClassification", "Labels"),
        TextNetwork(easy_tasks.WORDS, 8, (16,)),
        easy_tasks.sentences,
        "top1",
    ),
}


def _value(case, outputs, test) -> float:
    task = TASKS[case.task]
    answers = task.judge(outputs, test.targets(np.arange(len(test))))
    return metrics.point(metrics.choose([Metric(name=case.metric)], task.metrics, 9), case.metric, answers)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_network_learns_its_task_and_its_int8_file_answers_as_it_does(case, tmp_path):
    framework.start(0)
    data, test = case.samples(400, 1), case.samples(100, 2)
    shape = data.inputs_.shape[1:]
    network = case.network.build(shape, easy_tasks.CLASSES)
    before = _value(case, predict(network, test, np.arange(len(test))), test)

    objective = Truth(SUPERVISIONS[case.task], data)
    course = Course(case.epochs, Optimizer(learning_rate=5e-3, batch_size=16), 0)
    train(network, data, np.arange(len(data)), objective, course)

    trained = predict(network, test, np.arange(len(test)))
    assert before < 0.6 < MOST <= _value(case, trained, test)

    save_program(network, shape, tmp_path / "float", str(data.inputs_.dtype))
    calibration = data.inputs_[:CALIBRATION]
    settings = slim.Settings("Hist", per_channel=True)
    slim.calibrate(tmp_path / "float", tmp_path / "q" / "model", np.split(calibration, 4), settings)
    layers = slim.calibrated_layers(tmp_path / "q" / "model", weights_by_layer(network))
    file = tmp_path / "model.onnx"
    to_int8_onnx(tmp_path / "float", file, layers, calibration, 13, tmp_path)

    (shipped,) = onnxruntime.InferenceSession(str(file)).run(None, {"input": test.inputs_})
    recorded = run_program(tmp_path / "q" / "model", [test.inputs_])
    assert TASKS[case.task].same(recorded, shipped).mean() >= 0.97
    assert _value(case, shipped, test) >= _value(case, trained, test) - 0.05


@pytest.mark.parametrize(
    ("name", "shape", "output"),
    [
        ("centernet_tiny", (1, 32, 64), (9, 8, 16)),
        ("centernet_small", (3, 32, 32), (9, 8, 8)),
        ("crnn_tiny", (1, 32, 64), (16, 6)),
        ("crnn_small", (1, 32, 64), (16, 6)),
        ("ctc_conv_tiny", (1, 16, 64), (16, 6)),
        ("ctc_conv_small", (1, 32, 64), (16, 6)),
        ("kws_cnn_tiny", (1, 40, 64), (5,)),
        ("kws_cnn_small", (1, 40, 64), (5,)),
    ],
)
def test_networks_answer_in_the_shape_of_their_task(name, shape, output):
    framework.start(0)
    network = networks.build(name, shape, 5)
    network.eval()

    assert network(framework.paddle.zeros([2, *shape])).shape == [2, *output]


@pytest.mark.parametrize("name", ["text_cnn_tiny", "text_cnn_small"])
def test_networks_of_text_take_token_ids(name):
    framework.start(0)
    network = networks.build(name, (12,), 5)
    network.eval()

    assert network(framework.paddle.zeros([2, 12], "int64")).shape == [2, 5]


@pytest.mark.parametrize(
    ("name", "shape"),
    [("centernet_tiny", (1, 36, 32)), ("crnn_tiny", (1, 24, 64)), ("ctc_conv_tiny", (1, 32, 62))],
)
def test_images_of_a_size_that_strides_do_not_divide_are_refused(name, shape):
    with pytest.raises(Misconfigured, match="multiple") as caught:
        networks.build(name, shape, 5)

    assert caught.value.reason == "ShapeUnsupported"
