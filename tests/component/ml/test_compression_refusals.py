"""What quantising and pruning refuse: with a reason, a way out, and an exit code that is not tried again."""

from __future__ import annotations

import pytest

from compression_contract.exitcodes import ExitCode
from compression_contract.inputs import PruneInput, PTQInput, QATInput
from compression_contract.methods import Calibration, Pruning, Quanters
from compression_jobs import networks
from compression_jobs.errors import InvalidInput
from compression_jobs.networks.mobilenet_v1 import MobileNetV1, Stem
from support import local

pytestmark = [pytest.mark.paddle, pytest.mark.filterwarnings("ignore")]

LAYERS = ("body.0.0", "head.0")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> local.World:
    networks.register("two-layers", MobileNetV1((Stem(8),), ()))
    world = local.World.with_gratings(tmp_path_factory.mktemp("refusals"), train=40, test=8)
    world.train("two-layers", epochs=1)
    return world


@pytest.mark.parametrize(
    ("stage", "changes", "reason", "word"),
    [
        (PTQInput, {"weight_bits": 4}, "BitsUnsupported", "bits.weight"),
        (
            PTQInput,
            {"engine": "OnnxRuntime", "activation_observer": "MSE"},
            "ObserverUnsupported",
            "PaddleSlim",
        ),
        (
            PTQInput,
            {"engine": "OnnxRuntime", "activation_observer": "EMD"},
            "ObserverUnsupported",
            "PaddleSlim",
        ),
        (PTQInput, {"engine": "OnnxRuntime", "formats": ("PaddleInference",)}, "FormatUnsupported", "export"),
        (PTQInput, {"formats": ("PaddleLite",)}, "FormatUnsupported", "export"),
        (PTQInput, {"outlier": "Smooth", "smooth_alpha": 1.5}, "SmoothAlphaInvalid", "between 0 and 1"),
        (PTQInput, {"outlier": "Shift"}, "OutlierNotApplicable", "Smooth or None"),
        (PTQInput, {"outlier": "ShiftSmooth"}, "OutlierNotApplicable", "Smooth or None"),
        (PTQInput, {"skip_layers": ("body.7",)}, "LayerUnknown", "body.0.0"),
        (PTQInput, {"skip_layers": LAYERS}, "NothingToQuantise", "skipLayers"),
        (QATInput, {"epochs": 1, "formats": ("PaddleLite",)}, "FormatUnsupported", "export"),
        (
            QATInput,
            {"epochs": 1, "formats": ("PaddleInference",), "quanters": Quanters(activation="PACT")},
            "FormatUnsupported",
            "export",
        ),
        (PruneInput, {"pruning": Pruning(ratio=0)}, "PruningImpossible", "prune.ratio"),
        (PruneInput, {"pruning": Pruning(ratio=0.5, exclude=LAYERS)}, "PruningImpossible", "prune.exclude"),
        (PruneInput, {"pruning": Pruning(ratio=0.5, exclude=("body.7",))}, "LayerUnknown", "body.0.0"),
    ],
)
def test_a_wrong_configuration_is_refused_by_name(world, stage, changes, reason, word):
    calibration = {"calibration": Calibration(batches=1, batch_size=4)} if stage is PTQInput else {}
    given = stage(dataset=world.dataset, source=world.student, **calibration, **changes)
    with pytest.raises(InvalidInput, match=word) as caught:
        world.run(given)
    assert caught.value.reason == reason
    assert caught.value.exit_code == ExitCode.USAGE
