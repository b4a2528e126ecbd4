"""Which axes of which parameters go together, on programs of a few operators."""

import pytest

from compression_jobs.channels.dependencies import groups_of
from compression_jobs.channels.trace import Operator, Trace


class Program:
    """A program that is written down operator by operator."""

    def __init__(self, channels=3, size=8):
        self.shapes = {"x": (-1, channels, size, size)}
        self.parameters = set()
        self.operators = []

    def _parameter(self, name, shape):
        self.shapes[name] = shape
        self.parameters.add(name)
        return name

    def add(self, kind, output, shape, inputs, **attributes):
        slot = "Output" if kind.endswith("conv2d") else "Out"
        slots = {key: tuple(value) if isinstance(value, list) else (value,) for key, value in inputs.items()}
        self.operators.append(Operator(kind, slots, {slot: (output,)}, attributes))
        self.shapes[output] = shape
        return output

    def conv(self, name, source, filters, *, groups=1, kernel=3):
        inputs, height, width = self.shapes[source][1:]
        weight = self._parameter(f"{name}.w", (filters, inputs // groups, kernel, kernel))
        return self.add(
            "conv2d", name, (-1, filters, height, width), {"Input": source, "Filter": weight}, groups=groups
        )

    def norm(self, name, source):
        slots = {
            slot: self._parameter(f"{name}.{slot}", (self.shapes[source][1],))
            for slot in ("Scale", "Bias", "Mean", "Variance")
        }
        return self.add("batch_norm", name, self.shapes[source], {"X": source, **slots})

    def unary(self, kind, name, source, **attributes):
        return self.add(kind, name, self.shapes[source], {"X": source}, **attributes)

    def binary(self, kind, name, one, other):
        return self.add(kind, name, self.shapes[one], {"X": one, "Y": other}, axis=-1)

    def flatten(self, name, source):
        _, channels, height, width = self.shapes[source]
        shape = (-1, channels * height * width)
        return self.add("flatten_contiguous_range", name, shape, {"X": source}, start_axis=1, stop_axis=3)

    def linear(self, name, source, outputs):
        weight = self._parameter(f"{name}.w", (self.shapes[source][-1], outputs))
        return self.add("matmul_v2", name, (*self.shapes[source][:-1], outputs), {"X": source, "Y": weight})

    def groups(self, *outputs):
        trace = Trace(
            tuple(self.operators), self.shapes, frozenset(self.parameters), ("x",), outputs or ("out",)
        )
        return {made: group for group in groups_of(trace) for made in group.made_by()}


def members(group):
    return {(member.parameter, member.axis, member.repeat) for member in group.members}


def test_a_filter_takes_its_normalisation_and_the_next_layers_inputs_with_it():
    program = Program()
    program.norm("b", program.conv("a", "x", 8))
    program.conv("out", program.unary("relu", "r", "b"), 4)
    groups = program.groups()
    assert members(groups["a.w"]) == {
        ("a.w", 0, 1),
        ("out.w", 1, 1),
        *((f"b.{slot}", 0, 1) for slot in ("Scale", "Bias", "Mean", "Variance")),
    }
    assert groups["a.w"].frozen == ""
    assert "outputs" in groups["out.w"].frozen


def test_layers_on_both_ways_of_a_residual_sum_go_together():
    program = Program()
    program.conv("a", "x", 8)
    program.conv("b", "a", 8)
    program.linear("out", program.flatten("f", program.binary("elementwise_add", "s", "a", "b")), 2)
    groups = program.groups()
    assert groups["a.w"] is groups["b.w"]
    assert ("out.w", 0, 64) in members(groups["a.w"])  # 8x8 places of each channel


def test_a_depthwise_filter_goes_with_the_channel_that_it_reads():
    program = Program()
    program.conv("d", program.conv("a", "x", 8), 8, groups=8)
    program.conv("out", "d", 2)
    groups = program.groups()
    assert members(groups["a.w"]) == {("a.w", 0, 1), ("d.w", 0, 1), ("out.w", 1, 1)}
    assert "d.w" not in groups


def test_a_squeeze_and_excitation_gate_goes_with_what_it_scales():
    program = Program()
    program.conv("a", "x", 8)
    program.add("pool2d", "p", (-1, 8, 1, 1), {"X": "a"})
    program.conv("up", program.unary("relu", "r", program.conv("down", "p", 2)), 8)
    program.conv("out", program.binary("elementwise_mul", "m", "a", program.unary("sigmoid", "g", "up")), 3)
    groups = program.groups()
    assert groups["a.w"] is groups["up.w"]
    assert {("down.w", 1, 1), ("out.w", 1, 1)} <= members(groups["a.w"])
    assert members(groups["down.w"]) == {("down.w", 0, 1), ("up.w", 1, 1)}


@pytest.mark.parametrize("kind", ["layer_norm", "softmax", "somebodys_own_operator", "split"])
def test_what_is_not_understood_is_left_whole(kind):
    program = Program()
    program.unary(kind, "odd", program.conv("a", "x", 8))
    program.conv("out", program.conv("later", "odd", 4), 2)
    groups = program.groups()
    assert kind in groups["a.w"].frozen
    assert groups["later.w"].frozen == ""


def test_channels_that_are_put_behind_each_other_are_left_whole_and_rows_are_not():
    for axis, frozen in ((1, True), (2, False)):
        program = Program()
        program.conv("a", "x", 8)
        program.conv("b", "x", 8)
        program.add("concat", "c", (-1, 16 if frozen else 8, 8, 8), {"X": ["a", "b"]}, axis=axis)
        program.conv("out", "c", 2)
        groups = program.groups()
        assert bool(groups["a.w"].frozen) == frozen
        assert (groups["a.w"] is groups["b.w"]) != frozen


def test_a_weight_that_two_layers_share_is_left_whole():
    program = Program(channels=8)
    program.conv("a", "x", 8)
    weight = {"Input": "a", "Filter": "a.w"}
    program.add("conv2d", "again", (-1, 8, 8, 8), weight, groups=1)
    program.conv("out", "again", 2)
    assert program.groups()["a.w"].frozen


def test_grouped_convolutions_are_left_whole():
    program = Program()
    program.conv("g", program.conv("a", "x", 8), 8, groups=2)
    program.conv("out", "g", 2)
    assert "conv2d" in program.groups()["a.w"].frozen


def test_a_token_rows_channels_are_on_the_last_axis():
    program = Program()
    program.conv("a", "x", 8)
    program.add("flatten_contiguous_range", "f", (-1, 8, 64), {"X": "a"}, start_axis=2, stop_axis=3)
    program.add("transpose2", "t", (-1, 64, 8), {"X": "f"}, axis=[0, 2, 1])
    program.linear("out", program.linear("hidden", "t", 5), 2)
    groups = program.groups()
    assert members(groups["a.w"]) == {("a.w", 0, 1), ("hidden.w", 0, 1)}
    assert members(groups["hidden.w"]) == {("hidden.w", 1, 1), ("out.w", 0, 1)}
