"""Teachers stay when a network is quantised, pruned, interrupted or trained once more."""

from __future__ import annotations

import numpy as np
import pytest

from compression_contract.artifacts import ArtifactKind
from compression_contract.methods import Pruning, Quanters, StudentInput
from compression_jobs import artifacts, networks
from compression_jobs.checkpoint_places import Folders
from compression_jobs.checkpoints import Checkpoints
from compression_jobs.keeper import Keeper
from compression_jobs.models import WEIGHTS_FILE, Architecture, load_network, save_weights
from compression_jobs.pruning.filters import prune
from compression_jobs.quantizers import aware
from compression_jobs.quantizers.ranges import observe
from compression_jobs.stages import distill
from support import gratings, stages
from support.teaching import HINT, STUDENT, fresh

pytestmark = [pytest.mark.paddle, pytest.mark.filterwarnings("ignore")]


class Cut(Exception):
    """Stands for the end of a pod."""


def keeper(folder, number):
    """Checkpoints after every step, in folders that outlive a pod."""
    place = Folders(folder / "slots", folder / "slots")
    return Keeper(Checkpoints(place, "sha256:" + "0" * 64, 0.0, folder / f"scratch-{number}"))


def weights(prepared):
    (adapter,) = prepared.objective.layers().values()
    tensors = {**prepared.network.state_dict(), "adapter": adapter.weight}
    return {name: tensor.numpy() for name, tensor in tensors.items()}


@pytest.mark.parametrize("cache", [True, False])
def test_an_interrupted_distillation_ends_as_an_undisturbed_one(world, tmp_path, monkeypatch, cache):
    given = world.distillation("wide", "other", features=(HINT,))
    whole = world.prepared(given, cache=cache)
    whole.train(2)

    cut, steps = world.prepared(given, cache=cache), []
    original = type(cut.objective).loss

    def loss(self, output, samples, progress):
        steps.append(progress)
        if len(steps) == 8:
            raise Cut
        return original(self, output, samples, progress)

    kept = keeper(tmp_path, 1)
    monkeypatch.setattr(type(cut.objective), "loss", loss)
    with pytest.raises(Cut):
        cut.train(2, kept)
    monkeypatch.undo()
    kept.checkpoints.settle()

    resumed = world.prepared(given, network=fresh(STUDENT, seed=7), cache=cache)
    history = resumed.train(2, keeper(tmp_path, 2))
    assert 0 < history.resumed_at_step <= 7
    expected, found = weights(whole), weights(resumed)
    assert all(np.array_equal(expected[name], found[name]) for name in expected)


def quantised(world):
    network = fresh(STUDENT)
    data = world.prepared(world.distillation()).data.calibration
    batches = [data.split.inputs(data.samples)]
    return aware.prepare(network, Quanters(), observe(network, batches))


def pruned(_world):
    network = fresh(STUDENT)
    architecture = Architecture(arch="none", input_shape=gratings.SHAPE, num_classes=gratings.CLASSES)
    prune(network, architecture, Pruning(ratio=0.5))
    network.train()
    return network


@pytest.mark.parametrize(("change", "channels"), [(quantised, 16), (pruned, 8)])
def test_layers_are_found_and_imitated_in_a_changed_network(world, change, channels):
    prepared = world.prepared(world.distillation(features=(HINT,)), network=change(world))
    (adapter,) = prepared.objective.layers().values()
    assert adapter.weight.shape == [32, channels, 1, 1]
    before = adapter.weight.numpy().copy()
    history = prepared.train()
    assert np.isfinite(history.loss)
    assert not np.array_equal(before, adapter.weight.numpy())


def test_a_pruned_student_is_distilled_again(world):
    network = networks.build("resnet8_s2", gratings.SHAPE, gratings.CLASSES)
    architecture = Architecture(arch="resnet8_s2", input_shape=gratings.SHAPE, num_classes=gratings.CLASSES)
    done = prune(network, architecture, Pruning(ratio=0.5))
    architecture = architecture.model_copy(update={"widths": done.shapes})
    folder = world.folder / "pruned"
    folder.mkdir()
    save_weights(network, folder / WEIGHTS_FILE)
    stored = stages.store_artifact(
        world.server, f"{world.bucket}/pruned", ArtifactKind.FLOAT_STUDENT, folder, architecture.wire()
    )
    student = StudentInput(num_classes=gratings.CLASSES, input_shape=gratings.SHAPE, artifact=stored)
    outcome = distill.run(world.context(world.distillation(), student=student))
    manifest = artifacts.describe(outcome.output)
    again = load_network(artifacts.LocalArtifact(manifest, manifest.digest, outcome.output.folder))
    assert networks.parameters(again.network) == done.after.parameters < done.before.parameters
    assert not np.array_equal(
        again.network.head.state_dict()["0.weight"].numpy(), network.head.state_dict()["0.weight"].numpy()
    )
