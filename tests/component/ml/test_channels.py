"""Changes of channels that must not change a network: outliers moved into weights, filters cut.

Both are compared with the network before: exactly the same function, but for the last bits of a float.
"""

from __future__ import annotations

import numpy as np
import pytest

from compression_contract.methods import Pruning
from compression_jobs import framework
from compression_jobs.channels.dependencies import groups_of
from compression_jobs.channels.reading import trace
from compression_jobs.errors import InvalidData, InvalidInput
from compression_jobs.framework import nn, paddle
from compression_jobs.models import Architecture, build
from compression_jobs.networks.transformer import Encoder, Patches
from compression_jobs.pruning.criteria import CRITERIA, kept
from compression_jobs.pruning.filters import prune, spread
from compression_jobs.quantizers.outliers import smoothing, suppress, treatment
from compression_jobs.quantizers.ranges import observe

pytestmark = [pytest.mark.paddle, pytest.mark.filterwarnings("ignore")]

SHAPE = (1, 32, 32)
TINY = ["resnet8", "mobilenet_v1_tiny", "mobilenet_v2_tiny", "mobilenet_v3_tiny"]


def stand_out(scale, value):
    """Make the first channel an outlier."""
    changed = scale.numpy()
    changed[0] = value
    scale.set_value(changed)


def unsettled(network):
    """Batch normalisations that are no identity, and a channel that is an outlier."""
    for layer in network.sublayers():
        if isinstance(layer, nn.BatchNorm2D):
            for tensor in (layer.weight, layer.bias, layer._mean):
                tensor.set_value(tensor + 0.3 * paddle.randn(tensor.shape))
            layer._variance.set_value(layer._variance + paddle.rand(layer._variance.shape))
            stand_out(layer.weight, 20.0)
    network.eval()
    return network


def described(arch):
    framework.start(0)
    architecture = Architecture(arch=arch, input_shape=SHAPE, num_classes=10)
    return unsettled(build(architecture)), architecture


def inputs(shape=SHAPE):
    return paddle.to_tensor(np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32))


def reach(network, architecture):
    """How far outliers stand above the rest, over all layers: residual sums cannot be treated."""
    ranges = observe(network, [inputs(architecture.input_shape).numpy()])
    largest = [np.maximum(-found.low, found.high) for found in ranges.values()]
    return float(np.mean([np.log(one.max() / max(np.median(one), 1e-3)) for one in largest if len(one) > 1]))


@pytest.mark.parametrize(
    ("arch", "mode"),
    [
        ("resnet8", "Smooth"),
        ("mobilenet_v1_tiny", "Smooth"),
        *(("mobilenet_v3_tiny", m) for m in ("Shift", "Smooth", "ShiftSmooth")),
    ],
)
def test_outliers_move_into_weights_and_the_network_computes_the_same(arch, mode):
    network, architecture = described(arch)
    before, weights = network(inputs()).numpy(), {k: v.numpy() for k, v in network.state_dict().items()}
    outstanding = reach(network, architecture)
    ranges = observe(network, [inputs().numpy()])
    assert suppress(network, architecture, ranges, treatment(mode, 0.7)) > 0
    assert np.abs(network(inputs()).numpy() - before).max() <= 1e-5 * np.abs(before).max()
    assert any(np.abs(v.numpy() - weights[k]).max() > 1e-3 for k, v in network.state_dict().items())
    if mode != "Shift":
        assert reach(network, architecture) < outstanding


def test_behind_a_layer_normalisation_outliers_move_into_all_layers_that_read_it():
    framework.start(0)
    layers = [nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 5), nn.Tanh(), nn.Linear(5, 3)]
    network = nn.Sequential(*layers)
    stand_out(layers[1].weight, 30.0)
    architecture = Architecture(arch="-", input_shape=(6,), num_classes=3)
    network.eval()
    before = network(inputs((6,))).numpy()
    ranges = observe(network, [inputs((6,)).numpy()])
    assert suppress(network, architecture, ranges, treatment("ShiftSmooth", None)) == 1
    assert np.abs(network(inputs((6,))).numpy() - before).max() <= 1e-5
    after = observe(network, [inputs((6,)).numpy()])["2"]
    assert np.allclose(after.low, -after.high, rtol=1e-3, atol=1e-5)  # each channel is centred


def test_a_network_without_a_place_is_told_so():
    network, architecture = described("mobilenet_v2_tiny")  # ReLU6 does not commute with a factor
    with pytest.raises(InvalidInput, match=r"ptq\.outlier") as caught:
        suppress(network, architecture, observe(network, [inputs().numpy()]), treatment("Smooth", None))
    assert caught.value.reason == "OutlierNotApplicable"


def test_smoothing_is_the_papers_formula_and_leaves_dead_channels_alone():
    activations, weights = np.array([8.0, 2.0, 0.0, 1.0]), np.array([0.5, 2.0, 1.0, 0.0])
    assert smoothing(activations, weights, 0.5) == pytest.approx([4.0, 1.0, 1.0, 1.0])
    assert smoothing(activations, weights, 1.0) == pytest.approx([8.0, 2.0, 1.0, 1.0])


def masked(network, architecture, given):
    """The network with what the cut channels gave to their readers set to zero."""
    found = trace(network, architecture.input_shape)
    state = {tensor.name: name for name, tensor in network.state_dict().items()}
    whole = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    cut = dict(whole)
    for group in groups_of(found):
        if group.frozen:
            continue
        makers = [member for member in group.members if member.role == "made"]
        filters = [np.moveaxis(cut[state[member.parameter]], member.axis, 0) for member in makers]
        staying = kept(filters, CRITERIA[given.criterion], given.ratio)
        for member in group.members:
            name, places = state[member.parameter], spread(staying, member.repeat)
            cut[name] = np.take(cut[name], places, member.axis)
            if member.role == "read":
                gone = np.setdiff1d(np.arange(whole[name].shape[member.axis]), places)
                rows = np.moveaxis(whole[name].copy(), member.axis, 0)
                rows[gone] = 0
                whole[name] = np.moveaxis(rows, 0, member.axis)
    other = build(architecture)
    other.set_state_dict(whole)
    other.eval()
    return other


@pytest.mark.parametrize("arch", TINY)
@pytest.mark.parametrize("criterion", ["L1Norm", "FPGM"])
def test_a_pruned_network_answers_as_the_masked_one_and_can_be_built_again(arch, criterion):
    network, architecture = described(arch)
    given = Pruning(criterion=criterion, ratio=0.4)
    expected = masked(network, architecture, given)(inputs()).numpy()
    done = prune(network, architecture, given)
    assert done.after.parameters < 0.6 * done.before.parameters
    assert np.abs(network(inputs()).numpy() - expected).max() <= 1e-5 * max(1.0, np.abs(expected).max())

    again = build(architecture.model_copy(update={"widths": dict(done.shapes)}))
    again.set_state_dict(network.state_dict())
    again.eval()
    assert np.array_equal(again(inputs()).numpy(), network(inputs()).numpy())


def test_attention_is_left_whole_and_what_can_be_followed_is_cut():
    framework.start(0)
    network = Encoder(Patches(1, 16, 16), length=4, width=16, depth=1, heads=2)
    groups = groups_of(trace(network, SHAPE))
    state = {tensor.name: name for name, tensor in network.state_dict().items()}
    free = {state[weight] for group in groups if not group.frozen for weight in group.made_by()}
    assert free == {"blocks.0.feed_forward.0.weight"}


@pytest.mark.parametrize("widths", [{"body.0.0.weight": (99, 1, 3, 3)}, {"nothing": (1,)}])
def test_widths_that_cannot_be_cut_from_an_architecture_are_refused(widths):
    with pytest.raises(InvalidData) as caught:
        build(Architecture(arch="resnet8", input_shape=SHAPE, num_classes=10, widths=widths))
    assert caught.value.reason == "NetworkInvalid"
