"""`python -m compression_jobs evaluate` on a real S3 with real ONNX files: the numbers, and each refusal.

The test split holds 60 images, 20 a class, of which 3 of class 0 are labelled 1: the candidate is right about
all the others. The baseline says 0 where class 2 is meant: it is wrong about 20 more.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from compression_contract.artifacts import ArtifactKind, ArtifactManifest, ArtifactRef
from compression_contract.base import digest_of
from compression_contract.exitcodes import ExitCode
from compression_contract.inputs import EvaluateInput
from compression_contract.methods import DatasetInput, EvaluationTarget, LatencyPlan, Metric
from compression_contract.results import Agreement, EvaluateFacts, PairedCounts, Proportion
from compression_jobs import arrays
from compression_jobs.context import StageContext
from compression_jobs.errors import StageError
from compression_jobs.readers import npz
from compression_jobs.stages import evaluate
from support import stages, tiny
from support.seaweed import SeaweedFS

SAMPLES, MISLABELLED = 60, 3
TRUE = np.arange(SAMPLES) % tiny.CLASSES
LABELS = np.where((TRUE == 0) & (np.arange(SAMPLES) < MISLABELLED * tiny.CLASSES), 1, TRUE)
PIXELS = tiny.images(TRUE)
RECORDED = np.array([5, 10, 11, 20, 59])

PLACES = {
    "candidate": ("candidate", ArtifactKind.CANDIDATE),
    "baseline": ("student", ArtifactKind.FLOAT_STUDENT),
}


@dataclass
class World:
    """Artifacts of one evaluation; a test changes a folder before it is uploaded."""

    server: SeaweedFS
    bucket: str
    folder: Path

    def store(self, name: str, kind: ArtifactKind, facts: dict[str, Any] | None = None) -> ArtifactRef:
        return stages.store_artifact(self.server, f"{self.bucket}/{name}", kind, self.folder / name, facts)

    def given(self, **changes: Any) -> EvaluateInput:
        splits = {"train": SAMPLES, "test": SAMPLES}
        dataset = self.store("data", ArtifactKind.DATASET, {**tiny.FACTS, "splits": splits})
        return EvaluateInput(
            **{
                "dataset": DatasetInput(uri=dataset.uri, digest=dataset.digest),
                **{name: self.store(*place) for name, place in PLACES.items() if name not in changes},
                "target": EvaluationTarget(name="ort", runtime="onnxruntime", format="ONNXQDQ"),
                "metrics": (Metric(name="top1"), Metric(name="macroF1")),
                "latency": LatencyPlan(warmup=2, iterations=20, repeats=2),
                "golden_samples": 4,
                **changes,
            }
        )

    def evaluate(self, wrapper: Sequence[str] = (), **changes: Any) -> stages.Ended:
        """As its pod does."""
        document = stages.stage_input(self.given(**changes), self.server.endpoint, f"{self.bucket}/out")
        return stages.run("evaluate", self.folder / "pod", document, self.server.writer, wrapper)

    def refusal(self, **changes: Any) -> StageError:
        """What the stage itself ends with, in this process: how it leaves a process is the runner's test."""
        scratch = self.folder / "pod"
        storage = stages.connect(self.server)
        context = StageContext(
            self.given(**changes), stages.RUN, "sha256:0", scratch, scratch / "none", storage=storage
        )
        with pytest.raises(StageError) as caught:
            evaluate.run(context)
        return caught.value

    def kept(self, path: str) -> bytes:
        return self.server.get(f"{self.bucket}/out/{path}")


@pytest.fixture
def world(object_store: SeaweedFS, bucket: str, tmp_path: Path) -> World:
    for name in ("data", "candidate", "student"):
        (tmp_path / name).mkdir()
    for split in ("train", "test"):
        npz.write(tmp_path / "data" / f"{split}.npz", PIXELS, LABELS)
    source = tiny.float_model(tmp_path / "source.onnx")
    candidate = tiny.int8_model(tmp_path / "candidate" / "model.onnx", source)
    recorded = tiny.logits(candidate, PIXELS[RECORDED])
    # One of the five recorded answers is another class than the shipped file gives.
    recorded[0] = recorded[0][[1, 2, 0]]
    arrays.save(tmp_path / "candidate" / "fake_quant.npz", {"indices": RECORDED, "logits": recorded})
    tiny.float_model(tmp_path / "student" / "float.onnx", answers=(0, 1, 0))
    return World(object_store, bucket, tmp_path)


@pytest.fixture
def facts(world: World) -> EvaluateFacts:
    ended = world.evaluate()
    assert ended.code == ExitCode.SUCCESS, ended.log
    assert isinstance(ended.result.facts, EvaluateFacts)
    return ended.result.facts


def test_measures_candidate_and_baseline_and_keeps_the_evidence(world: World, facts: EvaluateFacts):
    right = SAMPLES - MISLABELLED
    assert facts.samples == SAMPLES
    assert facts.candidate.proportions == (Proportion(name="top1", successes=right, samples=SAMPLES),)
    assert facts.baseline.proportions == (Proportion(name="top1", successes=right - 20, samples=SAMPLES),)
    assert facts.paired == (
        PairedCounts(name="top1", samples=SAMPLES, both=right - 20, only_candidate=20, only_baseline=0),
    )
    assert facts.agreement == Agreement(value=0.8, samples=5)
    (f1,) = facts.candidate.estimates
    assert f1.low < f1.value < f1.high
    for measurement, path in (
        (facts.candidate, "candidate/model.onnx"),
        (facts.baseline, "student/float.onnx"),
    ):
        assert measurement.bytes == (world.folder / path).stat().st_size
        assert 0 < measurement.latency.p50 <= measurement.latency.p95 <= measurement.latency.p99
        assert measurement.peak_resident_bytes > measurement.bytes
    assert facts.model_digest == digest_of((world.folder / "candidate/model.onnx").read_bytes())

    golden_file = world.kept("golden.npz")
    assert digest_of(golden_file) == facts.golden_digest
    golden = np.load(io.BytesIO(golden_file))
    assert np.array_equal(golden["inputs"], tiny.normalised(PIXELS[:4]))
    assert np.array_equal(golden["outputs"], tiny.logits(world.folder / "candidate/model.onnx", PIXELS[:4]))

    predictions_file = world.kept("predictions.npz")
    assert digest_of(predictions_file) == facts.predictions_digest
    predictions = np.load(io.BytesIO(predictions_file))
    assert np.array_equal(predictions["candidate_predicted"], TRUE)
    assert int((predictions["baseline_rank"] == 0).sum()) == right - 20

    manifest = ArtifactManifest.model_validate_json(world.kept("manifest.json"))
    assert manifest.facts["modelDigest"] == facts.model_digest
    assert manifest.facts["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 1, 4, 4]}]
    assert manifest.facts["outputs"] == [{"name": "logits", "datatype": "FP32", "shape": [-1, 3]}]

    _tells_the_environment_and_how_much_faster_the_candidate_is(facts)
    assert manifest.facts["software"].startswith(facts.runtime)


def _tells_the_environment_and_how_much_faster_the_candidate_is(facts: EvaluateFacts):
    name, version = facts.runtime.split(" ")
    assert (name, version[0].isdigit()) == ("onnxruntime", True)
    assert facts.node.cpus >= 1
    for ratio, percentile in ((facts.speedup.p50, "p50"), (facts.speedup.p95, "p95")):
        candidate, baseline = (getattr(m.latency, percentile) for m in (facts.candidate, facts.baseline))
        # Both latencies are rounded to a tenth of a microsecond.
        assert ratio.value == pytest.approx(baseline / candidate, rel=0.05)
        assert ratio.low <= ratio.value <= ratio.high
    assert facts.slower_than_baseline == (facts.speedup.p50.high < 1)


def test_another_runtime_measures_the_same_answers(world: World):
    target = EvaluationTarget(name="ov", runtime="openvino", format="ONNXQDQ")

    ended = world.evaluate(target=target)

    assert ended.code == ExitCode.SUCCESS, ended.log
    facts = ended.result.facts
    assert facts.runtime.startswith("openvino ")
    assert facts.candidate.proportions[0].successes == SAMPLES - MISLABELLED
    assert facts.candidate.bytes == (world.folder / "candidate/model.onnx").stat().st_size
    assert facts.agreement == Agreement(value=0.8, samples=5)


@pytest.mark.paddle
@pytest.mark.filterwarnings("ignore")
def test_paddle_s_own_runtime_measures_a_quantised_program_on_integers(world: World):
    from support import tiny_programs  # noqa: PLC0415 - loads Paddle

    source = world.folder / "student/float"
    plain = tiny_programs.float_program(source)
    program = tiny_programs.int8_program(world.folder / "candidate/model", source)
    (world.folder / "candidate/fake_quant.npz").unlink()
    target = EvaluationTarget(name="paddle", runtime="paddle-inference", format="PaddleInference")

    ended = world.evaluate(target=target)

    assert ended.code == ExitCode.SUCCESS, ended.log
    facts = ended.result.facts
    assert facts.runtime == "paddle-inference 2.6.2"
    assert facts.candidate.bytes == sum(path.stat().st_size for path in program)
    assert facts.baseline.bytes == sum(path.stat().st_size for path in plain)
    assert facts.candidate.peak_resident_bytes > 100 << 20
    (paired,) = facts.paired
    # Random weights, and the same ones: the two answer alike, whatever they say.
    assert paired.only_candidate + paired.only_baseline <= 0.1 * SAMPLES
    assert np.load(io.BytesIO(world.kept("golden.npz")))["outputs"].shape == (4, tiny.CLASSES)


def test_measures_a_candidate_alone_where_there_is_nothing_beside_it(world: World):
    (world.folder / "candidate/fake_quant.npz").unlink()

    ended = world.evaluate(baseline=None, max_samples=30)

    facts = ended.result.facts
    assert facts.samples == 30
    assert (facts.agreement, facts.baseline, facts.paired) == (None, None, ())


def test_a_model_with_a_fixed_batch_gets_its_last_call_filled_up(world: World):
    source = tiny.float_model(world.folder / "fixed.onnx", batch=7)
    tiny.float_model(world.folder / "student/float.onnx", batch=7)
    model = onnx.load(tiny.int8_model(world.folder / "candidate/model.onnx", tiny.float_model(source)))
    for tensor in (model.graph.input[0], model.graph.output[0]):
        tensor.type.tensor_type.shape.dim[0].dim_value = 7
    onnx.save(model, world.folder / "candidate/model.onnx")

    ended = world.evaluate()

    assert ended.code == ExitCode.SUCCESS, ended.log
    assert ended.result.facts.candidate.proportions[0].successes == SAMPLES - MISLABELLED


def test_names_the_processor_features_that_are_missing(world: World):
    target = EvaluationTarget(
        name="ort", runtime="onnxruntime", format="ONNXQDQ", cpu_features=("no_such_feature",)
    )
    ended = world.evaluate(target=target)

    assert ended.code == ExitCode.SUCCESS, ended.log
    assert ended.result.facts.node.missing == ("no_such_feature",)


def _nan_weights(world: World) -> dict[str, Any]:
    path = world.folder / "student/float.onnx"
    model = onnx.load(path)
    weights = numpy_helper.to_array(model.graph.initializer[0]).copy()
    weights[0, 0] = np.nan
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, model.graph.initializer[0].name))
    onnx.save(model, path)
    return {}


def _external_data(world: World) -> dict[str, Any]:
    path = world.folder / "student/float.onnx"
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, size_threshold=0, location="weights.bin")
    return {}


def _float_candidate(world: World) -> dict[str, Any]:
    tiny.float_model(world.folder / "candidate/model.onnx")
    return {}


def _no_model(world: World) -> dict[str, Any]:
    (world.folder / "candidate/model.onnx").unlink()
    return {}


def _garbage(world: World) -> dict[str, Any]:
    (world.folder / "candidate/model.onnx").write_bytes(b"\xff" * 100)
    return {}


def _recorded_elsewhere(world: World) -> dict[str, Any]:
    recorded = {"indices": np.array([SAMPLES]), "logits": np.zeros((1, tiny.CLASSES), np.float32)}
    arrays.save(world.folder / "candidate/fake_quant.npz", recorded)
    return {}


def _pickled(world: World) -> dict[str, Any]:
    np.savez(
        world.folder / "candidate/fake_quant.npz", indices=np.array([{}], dtype=object), logits=np.zeros(1)
    )
    return {}


def _swapped(world: World) -> dict[str, Any]:
    return {"candidate": world.store("student", ArtifactKind.FLOAT_STUDENT)}


def _changed_after_upload(world: World) -> dict[str, Any]:
    reference = world.store("candidate", ArtifactKind.CANDIDATE)
    path = world.folder / "candidate/model.onnx"
    world.server.put(f"{reference.uri}/model.onnx", path.read_bytes()[:-1] + b"\x00")
    return {"candidate": reference}


def _unknown_metric(world: World) -> dict[str, Any]:
    return {"metrics": (Metric(name="mAP"),)}


def _top5_of_three(world: World) -> dict[str, Any]:
    return {"metrics": (Metric(name="top5"),)}


def _runtime_without_hardware(world: World) -> dict[str, Any]:
    return {"target": EvaluationTarget(name="x", runtime="tensorrt", format="ONNXQDQ")}


def _format_of_another_runtime(world: World) -> dict[str, Any]:
    for name in ("model.pdmodel", "model.pdiparams"):
        (world.folder / "candidate" / name).write_bytes(b"a program")
    for name in ("float.pdmodel", "float.pdiparams"):
        (world.folder / "student" / name).write_bytes(b"a program")
    return {"target": EvaluationTarget(name="x", runtime="onnxruntime", format="PaddleInference")}


def _format_that_the_candidate_lacks(world: World) -> dict[str, Any]:
    return {"target": EvaluationTarget(name="x", runtime="onnxruntime", format="PaddleLite")}


@pytest.mark.parametrize(
    ("arrange", "code", "reason", "names"),
    [
        (_nan_weights, ExitCode.DATA, "InvalidOutputs", "baseline"),
        (_external_data, ExitCode.DATA, "ExternalData", "float.onnx"),
        (_float_candidate, ExitCode.DATA, "NotQuantised", "model.onnx"),
        (_no_model, ExitCode.DATA, "FileMissing", "model.onnx"),
        (_garbage, ExitCode.DATA, "ModelUnreadable", "model.onnx"),
        (_recorded_elsewhere, ExitCode.DATA, "FakeQuantInvalid", "0..59"),
        (_pickled, ExitCode.DATA, "ArraysInvalid", "Python objects"),
        (_swapped, ExitCode.DATA, "WrongArtifactKind", "a Candidate is needed"),
        (_changed_after_upload, ExitCode.DATA, "DigestMismatch", "model.onnx"),
        (_unknown_metric, ExitCode.USAGE, "MetricUnknown", "mAP"),
        (_top5_of_three, ExitCode.USAGE, "MetricNotApplicable", "top5"),
        (_runtime_without_hardware, ExitCode.CONFIG, "HardwareMissing", "tensorrt"),
        (_format_of_another_runtime, ExitCode.CONFIG, "FormatUnsupported", "PaddleInference"),
        (_format_that_the_candidate_lacks, ExitCode.DATA, "FileMissing", "model.nb"),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_refuses_what_it_cannot_measure_and_says_why(
    world: World, arrange: Callable[[World], dict[str, Any]], code: ExitCode, reason: str, names: str
):
    changes = arrange(world)

    error = world.refusal(**changes)

    assert (error.exit_code, error.reason) == (code, reason), error.message
    assert names in error.message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small volume")
def test_a_full_disk_has_its_own_reason(world: World):
    """A scratch volume of one megabyte, really mounted, and a candidate that does not fit into it."""
    (world.folder / "candidate/model.onnx").write_bytes(bytes(2 << 20))
    (world.folder / "pod" / "scratch").mkdir(parents=True)
    mounted = f'mount -t tmpfs -o size=1m scratch "{world.folder}/pod/scratch" && exec "$@"'

    ended = world.evaluate(wrapper=["unshare", "--mount", "sh", "-c", mounted, "sh"])

    assert (ended.code, ended.reason) == (ExitCode.IO_ERROR, "DiskFull"), ended.log
    assert "scratch size" in ended.result.failure.message
