"""An author's code in a pod of three containers: fetched before, run without credentials, stored beside."""

from __future__ import annotations

import json
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from compression_contract.artifacts import ArtifactKind, ArtifactManifest, ArtifactRef
from compression_contract.exitcodes import SIGTERM_CODE, ExitCode
from compression_contract.inputs import PTQInput, StageInput
from compression_contract.methods import Calibration, DatasetInput, StudentInput
from compression_jobs.user_code import pack
from support import gratings, stages, trainings
from support.seaweed import SeaweedFS

pytestmark = pytest.mark.paddle

TEMPLATE = Path(__file__).resolve().parents[3] / "crds/examples/user-code"
STUDENT = StudentInput(arch="code", num_classes=gratings.CLASSES, input_shape=gratings.SHAPE)


@dataclass
class World:
    """A bucket with a dataset and the template's code."""

    server: SeaweedFS
    bucket: str
    folder: Path
    data: DatasetInput
    code: ArtifactRef

    def upload(self, name: str, folder: Path) -> ArtifactRef:
        digest = pack.pack(folder, self.folder / f"packed-{name}")
        uri = f"{self.bucket}/{name}"
        for file in sorted((self.folder / f"packed-{name}").iterdir(), reverse=True):
            self.server.put(f"{uri}/{file.name}", file.read_bytes())
        return ArtifactRef(uri=uri, digest=digest)


@pytest.fixture(scope="module")
def world(object_store: SeaweedFS, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("user-code")
    bucket = object_store.bucket("user-code")
    data = trainings.dataset(object_store, f"{bucket}/data", folder / "data")
    authored = data.model_copy(update={"reader": "code"})
    world = World(object_store, bucket, folder, authored, ArtifactRef(uri=data.uri, digest=data.digest))
    world.code = world.upload("code", TEMPLATE)
    return world


@dataclass
class Pod:
    """Three containers of one pod: what they share, and how they ended."""

    folder: Path
    world: World
    document: StageInput

    @property
    def exchange(self) -> dict[str, str]:
        return {"COMPRESSION_EXCHANGE": str(self.folder / "exchange")}

    def fetch(self) -> stages.Ended:
        with trainings.running(
            "fetch", self.folder / "fetch", self.document, self.world.server.writer, **self.exchange
        ) as fetch:
            return fetch.ended()

    def stage(self) -> trainings.running:
        name = self.document.parameters.stage
        return trainings.running(name, self.folder / "stage", self.document, None, **self.exchange)

    def store(self) -> trainings.running:
        return trainings.running(
            "store", self.folder / "store", self.document, self.world.server.writer, **self.exchange
        )

    def run(self) -> tuple[stages.Ended, stages.Ended]:
        """All three, as the kubelet does: the sidecar is told to end once the stage has."""
        fetched = self.fetch()
        assert fetched.code == 0, fetched.log[-2000:]
        with self.store() as sidecar:
            sidecar.wait_for('"waiting for the stage"')
            with self.stage() as main:
                ended = main.ended()
            sidecar.process.send_signal(signal.SIGTERM)
            return ended, sidecar.ended()


def pod(world: World, name: str, parameters: object, **other: object) -> Pod:
    document = stages.stage_input(parameters, world.server.endpoint, f"{world.bucket}/{name}", **other)
    return Pod(world.folder / name, world, document)


@pytest.fixture(scope="module")
def student(world: World) -> ArtifactRef:
    given = trainings.distill(world.data, student=STUDENT, code=world.code)
    stage, stored = pod(world, "student", given).run()
    assert (stage.code, stored.code) == (0, 0), stage.log[-3000:] + stored.log[-2000:]
    assert stored.result.facts.stage == "distill"
    return stored.result.artifact


def test_an_authors_network_is_trained_and_stored(world: World, student: ArtifactRef):
    manifest = ArtifactManifest.model_validate_json(world.server.get(f"{student.uri}/manifest.json"))
    assert (manifest.kind, manifest.digest) == (ArtifactKind.FLOAT_STUDENT, student.digest)
    assert manifest.facts["arch"] == "code"
    assert {"weights.npz", "float.onnx", "history.json"} <= {entry.path for entry in manifest.files}
    assert b'"stage": "distill"' in world.server.get(f"{student.uri}/log.jsonl")


def test_what_is_finished_is_not_done_again(world: World, student: ArtifactRef):
    given = trainings.distill(world.data, student=STUDENT, code=world.code)
    again = pod(world, "student", given)
    shutil.rmtree(again.folder)
    stage, stored = again.run()
    assert (stage.code, stored.code) == (0, 0)
    assert stored.result.artifact == student
    assert not list((again.folder / "exchange/inputs").glob("*/code.tar.gz"))


def test_an_authors_network_is_quantised(world: World, student: ArtifactRef):
    given = PTQInput(
        dataset=world.data,
        source=student,
        code=world.code,
        calibration=Calibration(batches=1, batch_size=4),
    )
    stage, stored = pod(world, "quantised", given).run()
    assert (stage.code, stored.code) == (0, 0), stage.log[-3000:] + stored.log[-2000:]
    assert stored.result.facts.layers == 4


def broken(folder: Path, module: str, text: str) -> Path:
    shutil.copytree(TEMPLATE, folder)
    points = {"reader": "augmented_reader:AugmentedReader"}
    (folder / "code.json").write_text(json.dumps({"entryPoints": points}))
    (folder / module).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("text", "code", "reason", "says"),
    [
        ("import sys\nsys.exit(0)", ExitCode.DATA, "UserCodeFailed", ":2"),
        ("import os\nos._exit(0)", ExitCode.DATA, "StageVanished", "without a word"),
    ],
    ids=["exits", "vanishes"],
)
def test_an_error_of_the_author_is_told_as_theirs(world: World, text: str, code, reason: str, says: str):
    # A reader, which is imported without Paddle: it is the quicker one.
    name = f"broken-{reason.lower()}"
    reference = world.upload(name, broken(world.folder / name, "augmented_reader.py", text))
    given = trainings.distill(world.data, student=STUDENT, code=reference)
    stage, stored = pod(world, f"{name}-out", given).run()
    assert (stage.code or stored.code, stored.reason) == (code, reason), stage.log[-2000:]
    assert says in stored.result.failure.message
    assert world.server.keys(f"{world.bucket}/{name}-out") in ([], ["log.jsonl"])


def test_code_never_runs_beside_credentials(world: World):
    given = trainings.distill(world.data, student=STUDENT, code=world.code)
    document = stages.stage_input(given, world.server.endpoint, f"{world.bucket}/unsplit")
    ended = stages.run("distill", world.folder / "unsplit", document, world.server.writer)
    assert (ended.code, ended.reason) == (ExitCode.CONFIG, "CodeNotIsolated")


def test_a_drained_pod_goes_on_where_it_was(world: World):
    given = trainings.distill(world.data, student=STUDENT, code=world.code, epochs=400)
    first = pod(world, "drained", given, checkpoint_seconds=0.2)
    assert first.fetch().code == 0
    with first.store() as sidecar:
        sidecar.wait_for('"waiting for the stage"')
        with first.stage() as main:
            sidecar.wait_for('"checkpoint stored"')
            main.process.send_signal(signal.SIGTERM)
            ended = main.ended()
        sidecar.process.send_signal(signal.SIGTERM)
        stored = sidecar.ended()
    assert (ended.code, stored.code, stored.reason) == (SIGTERM_CODE, SIGTERM_CODE, "Terminated")

    second = Pod(world.folder / "drained-again", world, first.document)
    assert second.fetch().code == 0
    with second.stage() as main:
        main.wait_for('"going on from a checkpoint"')
    line = next(line for line in main.log.splitlines() if "going on from a checkpoint" in line)
    assert json.loads(line)["step"] > 0
