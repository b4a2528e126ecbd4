"""One artifact and one result for one input, whoever attempts it and how often."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from compression_contract.artifacts import ArtifactKind
from compression_contract.base import digest_of
from compression_contract.inputs import ResolveInput, StageInput, Unresolved
from compression_contract.results import ResolveFacts, StageResult
from compression_jobs import artifacts, delivery
from compression_jobs.context import Output, StageContext, StageOutcome
from compression_jobs.errors import InvalidInput
from support import stages
from support.seaweed import SeaweedFS

DIGEST = f"sha256:{'a' * 64}"
FACTS = ResolveFacts(dataset_digest=DIGEST, input_shape=(1,), num_classes=2)


@dataclass
class Attempt:
    """One attempt at a stage, from its outcome on."""

    document: StageInput
    context: StageContext
    folder: Path

    def deliver(self, content: bytes) -> StageResult:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "x").write_bytes(content)
        outcome = StageOutcome(FACTS, Output(self.folder, ArtifactKind.RESOLUTION))
        return StageResult.model_validate_json(delivery.deliver(outcome, self.context, self.document))

    def recorded(self) -> bytes | None:
        return delivery.recorded(self.context.storage, self.document)


@pytest.fixture
def attempt(object_store: SeaweedFS, bucket: str, tmp_path: Path):
    def make(name: str = "one", dataset: str = "data", output: str | None = f"{bucket}/out") -> Attempt:
        wanted = ResolveInput(dataset=Unresolved(name="", uri=f"s3://team-a/{dataset}"))
        document = stages.stage_input(wanted, object_store.endpoint, output)
        context = StageContext(
            parameters=wanted,
            run=document.run,
            input_hash=document.input_hash,
            scratch=tmp_path,
            registry_secret=tmp_path,
            storage=stages.connect(object_store),
        )
        return Attempt(document, context, tmp_path / name)

    return make


def test_what_is_delivered_is_recorded(attempt, object_store: SeaweedFS, bucket: str):
    result = attempt().deliver(b"mine")

    assert result.facts == FACTS
    assert result.artifact.digest == digest_of(object_store.get(f"{bucket}/out/manifest.json"))
    assert StageResult.model_validate_json(attempt().recorded()) == result
    assert object_store.keys(f"{bucket}/out") == ["_SUCCESS", "manifest.json", "result.json", "x"]


def test_who_comes_second_says_what_the_first_said(attempt, object_store: SeaweedFS, bucket: str):
    first = attempt("one").deliver(b"first")
    second = attempt("two").deliver(b"second")

    assert second == first
    assert object_store.get(f"{bucket}/out/x") == b"first"


def test_a_half_written_folder_is_no_result_and_is_overwritten(attempt, object_store: SeaweedFS, bucket: str):
    first = attempt().deliver(b"first")
    artifacts_removed = f"{bucket}/out/_SUCCESS"
    attempt().context.storage.delete(artifacts_removed)

    assert attempt().recorded() is None
    again = attempt("two").deliver(b"second")

    assert again != first
    assert object_store.get(f"{bucket}/out/x") == b"second"


def _another_input(object_store: SeaweedFS, bucket: str, make) -> Attempt:
    return make(dataset="other")


def _damaged_result(object_store: SeaweedFS, bucket: str, make) -> Attempt:
    object_store.put(f"{bucket}/out/result.json", b"{}")
    return make()


def _no_result(object_store: SeaweedFS, bucket: str, make) -> Attempt:
    make().context.storage.delete(f"{bucket}/out/result.json")
    return make()


def _damaged_manifest(object_store: SeaweedFS, bucket: str, make) -> Attempt:
    object_store.put(f"{bucket}/out/manifest.json", b"{}")
    return make()


def _no_manifest(object_store: SeaweedFS, bucket: str, make) -> Attempt:
    make().context.storage.delete(f"{bucket}/out/manifest.json")
    return make()


@pytest.mark.parametrize(
    "change", [_another_input, _damaged_result, _no_result, _damaged_manifest, _no_manifest]
)
def test_a_record_that_does_not_fit_is_withdrawn_before_the_work_is_done_again(
    attempt, object_store: SeaweedFS, bucket: str, change
):
    attempt().deliver(b"first")
    next_attempt = change(object_store, bucket, attempt)

    assert next_attempt.recorded() is None
    assert artifacts.recorded_success(next_attempt.context.storage, f"{bucket}/out") is None


def test_an_artifact_without_a_place_is_a_wrong_input(attempt):
    with pytest.raises(InvalidInput, match="OutputMissing"):
        attempt(output=None).deliver(b"")
