"""One network for each difficulty: its INT8 file answers as its fake-quantised network, on integers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.agreement import exporting
from bench.agreement.exporting import Budget, export, fitted
from bench.agreement.subjects import SMALL
from compression_jobs import arrays, framework
from compression_jobs.errors import InvalidInput
from compression_jobs.exporters import worker
from compression_jobs.exporters.convert import to_float_onnx, to_int8_onnx
from compression_jobs.exporters.graph import Graph
from compression_jobs.exporters.program import save_program
from compression_jobs.exporters.request import Quantised, Request
from compression_jobs.exporters.scales import LayerScales, write_scales
from compression_jobs.framework import nn, paddle

# Paddle and PaddleSlim warn of their own code.
pytestmark = [pytest.mark.paddle, pytest.mark.filterwarnings("ignore")]

BUDGET = Budget(steps=40, tuning=12)
IN_FLOATS = {"transposed convolution": ("up.0", "up.3", "head")}
"""Quantised layers that ONNX Runtime has no integer kernel for: only their weights are bytes."""
FLOAT_LAYERS = {
    "attention": 4,  # two products of two activations in each block
    "attention, tokens": 4,
    "convolution, LSTM": 1,
    "convolution, GRU": 1,
    "transposed convolution": 3,
}
"""Layers of the deployed file that compute in floating point; in all other networks there is none."""


@pytest.fixture(scope="module")
def learned():
    """Networks that have learned a little, each trained once."""
    known = {}

    def of(subject):
        if subject.name not in known:
            data = subject.data()
            known[subject.name] = (data, fitted(subject, data, BUDGET).state_dict())
        return known[subject.name]

    return of


def here(program: Path, output: Path, layers, calibration, opset: int, scratch: Path):
    """The conversion without a process of its own, which costs seconds."""
    write_scales(scratch / "scales.json", layers)
    arrays.save(scratch / "calibration.npz", {"inputs": calibration})
    wanted = Quantised(scales=scratch / "scales.json", calibration=scratch / "calibration.npz", output=output)
    request = Request(program=program, opset=opset, float_output=scratch / "float.onnx", quantised=wanted)
    return worker.convert(request)


@pytest.mark.parametrize("method", ["PTQ", "QAT"])
@pytest.mark.parametrize("subject", SMALL, ids=lambda subject: subject.name)
def test_the_int8_file_answers_as_the_fake_quantised_network(subject, method, learned, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "to_int8_onnx", here)
    data, weights = learned(subject)
    done = export(subject, data, weights, method, tmp_path / method, BUDGET)
    assert done.agreement >= 0.97
    assert np.abs(done.reference - done.answers).mean() < 0.03 * done.reference.std()
    assert done.report.in_floats == IN_FLOATS.get(subject.name, ())
    assert done.report.float_layers == FLOAT_LAYERS.get(subject.name, 0)


@pytest.mark.parametrize("method", ["QAT LSQ+", "QAT PACT"])
def test_grids_that_cut_off_on_purpose_are_deployed_as_they_were_learned(method, learned, tmp_path):
    """Through a process of its own, as stages do it."""
    subject = next(each for each in SMALL if each.name == "depthwise")
    data, weights = learned(subject)
    done = export(subject, data, weights, method, tmp_path / "it", BUDGET)
    assert done.agreement >= 0.98
    assert done.difference < 0.15
    assert done.report.in_floats == ()


def test_words_are_looked_up_in_bytes(learned, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "to_int8_onnx", here)
    subject = next(each for each in SMALL if each.name == "attention, tokens")
    data, weights = learned(subject)
    done = export(subject, data, weights, "QAT", tmp_path / "it", BUDGET)
    graph = Graph.load(done.file)
    (lookup,) = (node for node in graph.of_type("Gather") if node.input[0] in graph.constants)
    assert graph.constants[lookup.input[0]].dtype == np.uint8
    assert done.file.stat().st_size < done.float_file.stat().st_size / 2


class Unknown(nn.Layer):
    """Ends in what no converter knows."""

    def __init__(self, last):
        super().__init__()
        self.layer, self.last = nn.Linear(4, 4), last

    def forward(self, values):
        return self.last(self.layer(values))


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (paddle.linalg.inv, "paddle2onnx does not know the operators inverse"),
        (lambda values: (values, values * 2), "a network needs one output, this one has 2"),
    ],
)
def test_what_cannot_be_exported_is_said(last, said, tmp_path):
    framework.start(0)
    save_program(Unknown(last), (4, 4), tmp_path / "it")
    with pytest.raises(InvalidInput, match=said) as caught:
        to_float_onnx(tmp_path / "it", tmp_path / "it.onnx", 13, tmp_path)
    assert caught.value.reason == "ExportFailed"


def test_operators_too_old_for_int8_are_refused(tmp_path):
    framework.start(0)
    network = nn.Linear(4, 3)
    save_program(network, (4,), tmp_path / "it")
    layers = (
        LayerScales(
            layer="", weight=network.weight.name, input_step=0.1, weight_steps=(0.1,), measured="Deployed"
        ),
    )
    with pytest.raises(InvalidInput, match="version 13 or later"):
        to_int8_onnx(
            tmp_path / "it", tmp_path / "int8.onnx", layers, np.zeros((8, 4), np.float32), 11, tmp_path
        )
