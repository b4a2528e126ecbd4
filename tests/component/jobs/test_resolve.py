"""`python -m compression_jobs resolve` against a real S3: what it finds, and each way it can fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from compression_contract.artifacts import ArtifactKind, ArtifactManifest, ArtifactRef
from compression_contract.base import digest_of
from compression_contract.exitcodes import ExitCode
from compression_contract.inputs import ResolveInput, Unresolved
from compression_contract.methods import Splits
from compression_contract.results import ResolveFacts
from compression_jobs.readers import npz
from support import ports, stages
from support.seaweed import Account, SeaweedFS

OTHER_DIGEST = f"sha256:{'a' * 64}"


@dataclass
class World:
    """A bucket with a dataset and a teacher, and the input that names them."""

    server: SeaweedFS
    bucket: str
    folder: Path
    dataset: ArtifactRef
    teacher: ArtifactRef
    account: Account
    endpoint: str = field(init=False)

    def __post_init__(self) -> None:
        self.endpoint = self.server.endpoint

    @property
    def output(self) -> str:
        return f"{self.bucket}/runs/1/resolve"

    def wants(self, **changes) -> ResolveInput:
        given = {
            "dataset": Unresolved(name="", uri=self.dataset.uri),
            "teachers": (Unresolved(name="large", uri=self.teacher.uri),),
            **changes,
        }
        return ResolveInput(**given)

    def resolve(self, wanted: ResolveInput | None = None) -> stages.Ended:
        document = stages.stage_input(wanted or self.wants(), self.endpoint, self.output)
        return stages.run("resolve", self.folder / "pod", document, self.account)


@pytest.fixture
def world(object_store: SeaweedFS, bucket: str, tmp_path: Path) -> World:
    dataset = tmp_path / "dataset"
    dataset.mkdir()
    for split, samples in {"train": 6, "test": 4}.items():
        labels = np.arange(samples) % 3
        npz.write(dataset / f"{split}.npz", np.zeros((samples, 1, 4, 4), np.uint8), labels)
    facts = {
        "inputShape": [1, 4, 4],
        "numClasses": 3,
        "mean": [0.5],
        "std": [0.25],
        "splits": {"train": 6, "test": 4},
    }
    teacher = tmp_path / "teacher"
    teacher.mkdir()
    (teacher / "model.bin").write_bytes(b"weights")
    return World(
        object_store,
        bucket,
        tmp_path,
        stages.store_artifact(object_store, f"{bucket}/data", ArtifactKind.DATASET, dataset, facts),
        stages.store_artifact(
            object_store, f"{bucket}/large", ArtifactKind.TEACHER, teacher, {"numClasses": 3}
        ),
        object_store.writer,
    )


def test_finds_everything_by_digest_and_leaves_a_finished_artifact(world: World):
    ended = world.resolve()

    assert ended.code == ExitCode.SUCCESS, ended.log
    assert ended.result.facts == ResolveFacts(
        dataset_digest=world.dataset.digest,
        teacher_digests={"large": world.teacher.digest},
        reader="npz",
        input_shape=(1, 4, 4),
        num_classes=3,
        samples={"train": 6, "test": 4},
    )
    artifact = ended.result.artifact
    assert artifact is not None
    assert world.server.get(f"{world.output}/_SUCCESS") == artifact.digest.encode()
    assert digest_of(world.server.get(f"{world.output}/manifest.json")) == artifact.digest
    assert world.server.get(f"{world.output}/result.json") == ended.message


def test_accepts_the_digests_that_are_given_when_they_are_right(world: World):
    ended = world.resolve(
        world.wants(dataset=Unresolved(name="", uri=world.dataset.uri, digest=world.dataset.digest))
    )
    assert ended.code == ExitCode.SUCCESS, ended.log


def test_says_the_same_again_when_the_same_input_comes_again(world: World):
    first = world.resolve()
    world.server.client().delete_object(Bucket=world.bucket.removeprefix("s3://"), Key="data/manifest.json")

    second = world.resolve()

    assert second.code == ExitCode.SUCCESS
    assert second.message == first.message


def test_works_anew_where_the_recorded_artifact_is_damaged(world: World):
    first = world.resolve()
    world.server.put(f"{world.output}/manifest.json", b"{}")

    second = world.resolve()

    assert second.message == first.message
    assert digest_of(world.server.get(f"{world.output}/manifest.json")) == second.result.artifact.digest


def _no_dataset(world: World):
    return world.wants(dataset=Unresolved(name="", uri=f"{world.bucket}/nothing"))


def _no_bucket(world: World):
    return world.wants(dataset=Unresolved(name="", uri="s3://no-such-bucket/data"))


def _no_success(world: World):
    world.server.client().delete_object(Bucket=world.bucket.removeprefix("s3://"), Key="data/_SUCCESS")
    return world.wants()


def _no_manifest(world: World):
    world.server.client().delete_object(Bucket=world.bucket.removeprefix("s3://"), Key="data/manifest.json")
    return world.wants()


def _file_gone(world: World):
    world.server.client().delete_object(Bucket=world.bucket.removeprefix("s3://"), Key="data/test.npz")
    return world.wants()


def _file_cut(world: World):
    world.server.put(f"{world.dataset.uri}/test.npz", b"short")
    return world.wants()


def _manifest_replaced(world: World):
    stored = ArtifactManifest.model_validate_json(world.server.get(f"{world.dataset.uri}/manifest.json"))
    changed = stored.model_copy(update={"facts": {**stored.facts, "numClasses": 4}})
    world.server.put(f"{world.dataset.uri}/manifest.json", changed.to_bytes())
    return world.wants()


def _wrong_digest(world: World):
    return world.wants(dataset=Unresolved(name="", uri=world.dataset.uri, digest=OTHER_DIGEST))


def _no_teacher(world: World):
    return world.wants(teachers=(Unresolved(name="large", uri=f"{world.bucket}/no-teacher"),))


def _teacher_is_a_dataset(world: World):
    return world.wants(teachers=(Unresolved(name="large", uri=world.dataset.uri),))


def _no_split(world: World):
    return world.wants(splits=Splits(test="validation"))


def _no_facts(world: World):
    return world.wants(dataset=Unresolved(name="", uri=world.teacher.uri))


def _no_reader(world: World):
    return world.wants(reader="tfrecord")


def _denied(world: World):
    world.account = Account(world.account.access_key_id, "not-the-right-secret")
    return world.wants()


def _may_only_read(world: World):
    world.account = world.server.reader
    return world.wants()


def _nobody_listens(world: World):
    world.endpoint = f"http://127.0.0.1:{ports.free(1)[0]}"
    return world.wants()


@pytest.mark.parametrize(
    ("arrange", "code", "reason", "names"),
    [
        (_no_dataset, ExitCode.NO_INPUT, "DatasetNotFound", "/nothing"),
        (_no_bucket, ExitCode.NO_INPUT, "DatasetNotFound", "no such bucket"),
        (_no_success, ExitCode.DATA, "DatasetIncomplete", "_SUCCESS"),
        (_no_manifest, ExitCode.DATA, "DatasetIncomplete", "manifest.json"),
        (_file_gone, ExitCode.DATA, "DatasetIncomplete", "test.npz is absent"),
        (_file_cut, ExitCode.DATA, "DatasetIncomplete", "test.npz is 5 bytes"),
        (_manifest_replaced, ExitCode.DATA, "DigestMismatch", "_SUCCESS"),
        (_wrong_digest, ExitCode.DATA, "DigestMismatch", OTHER_DIGEST),
        (_no_teacher, ExitCode.NO_INPUT, "TeacherNotFound", "large"),
        (_teacher_is_a_dataset, ExitCode.DATA, "WrongArtifactKind", "Teacher"),
        (_no_facts, ExitCode.DATA, "WrongArtifactKind", "Dataset"),
        (_no_split, ExitCode.DATA, "SplitNotFound", "'validation'"),
        (_no_reader, ExitCode.USAGE, "ReaderUnknown", "tfrecord"),
        (_denied, ExitCode.NO_PERMISSION, "StorageDenied", "storage Secret"),
        (_may_only_read, ExitCode.NO_PERMISSION, "StorageDenied", "Writing"),
        (_nobody_listens, ExitCode.UNAVAILABLE, "StorageUnavailable", "127.0.0.1"),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_each_failure_has_a_reason_and_names_what_is_wrong(world: World, arrange, code, reason, names):
    ended = world.resolve(arrange(world))

    assert (ended.code, ended.reason) == (code, reason), ended.log
    assert names in ended.result.failure.message
    assert world.account.secret_access_key not in ended.log
    assert "_SUCCESS" not in world.server.keys(world.output)
