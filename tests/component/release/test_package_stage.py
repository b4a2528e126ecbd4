"""Packaging against a real registry and a real S3: what is pushed, and what is not."""

import json

import numpy as np
import pytest

from component.release import registry_process
from component.release.registry_process import READER, READER_PASSWORD, RunningRegistry
from component.release.world import World, push_base, unpack
from component.serving.server_process import serving
from compression_contract.artifacts import ArtifactKind
from compression_contract.base import digest_of
from compression_jobs.errors import Denied, InvalidData, InvalidInput, Misconfigured, NotFound, Unavailable
from compression_jobs.stages import package


@pytest.fixture
def base(world: World) -> str:
    with world.client(world.repository("platform/serving")) as client:
        manifest = push_base(client, "platform/serving", world.folder / "base", {"/opt/server": b"server"})
    return f"{world.repository('platform/serving')}@{manifest.digest}"


def test_the_pushed_image_holds_the_base_and_a_model_that_the_server_serves(world, base, tmp_path):
    given = world.package_input(base, "team/served")
    facts = package.run(world.context(given)).facts
    with world.client(given.repository) as client:
        assert client.resolve("team/served", given.tag) == facts.manifest_digest
        unpack(client, "team/served", facts.manifest_digest, tmp_path / "root")
        manifest = client.image_manifest("team/served", facts.manifest_digest)
        config = json.loads(client.blob("team/served", manifest.config.digest, 1 << 20))
    assert (tmp_path / "root/opt/server").read_bytes() == b"server"
    assert config["config"]["User"] == "65532:65532"
    assert config["config"]["Labels"]["team"] == "a"
    assert config["config"]["Labels"]["org.opencontainers.image.base.digest"] == base.split("@")[1]
    assert facts.layer_bytes == manifest.layers[1].size
    assert facts.image_bytes == manifest.config.size + sum(layer.size for layer in manifest.layers)
    with serving(tmp_path / "root/models", tmp_path / "log") as server:
        answer = server.client.get("/v2/models/tiny").json()
        golden = server.client.get("/golden").content
    assert answer["parameters"]["artifact_digest"] == given.candidate.digest
    assert digest_of(golden) == facts.golden_digest


def test_packaging_again_gives_the_same_digest_and_pushes_nothing_new(world, base):
    given = world.package_input(base, "team/again")
    first = package.run(world.context(given)).facts
    stored = {path: path.stat().st_mtime_ns for path in world.registry.storage.rglob("blobs/**/data")}
    assert package.run(world.context(given)).facts == first
    assert {path: path.stat().st_mtime_ns for path in world.registry.storage.rglob("blobs/**/data")} == stored


def test_the_size_of_the_model_layer_does_not_depend_on_the_golden_pairs(world, base):
    given = world.package_input(base, "team/golden")
    source = package.run(world.context(given)).facts
    rows = np.zeros((64, 1, 28, 28), np.float32)
    path = world.folder / "big.npz"
    np.savez(path, inputs=rows, outputs=np.zeros((64, 10), np.float32))
    manifest = world.context(given).fetch(given.evaluation, ArtifactKind.EVALUATION, only=()).manifest
    evaluation = world.artifact(ArtifactKind.EVALUATION, {"golden.npz": path.read_bytes()}, manifest.facts)
    changed = given.model_copy(update={"evaluation": evaluation, "tag": "other"})
    other = package.run(world.context(changed)).facts
    assert other.golden_digest != source.golden_digest
    # The golden pairs' digest inside model.json compresses a little differently.
    assert abs(other.layer_bytes - source.layer_bytes) < 100


def test_a_tag_that_names_another_image_is_never_moved(world, base):
    first = package.run(world.context(world.package_input(base, "team/conflict"))).facts
    with pytest.raises(InvalidData, match="give the model another version") as refused:
        package.run(world.context(world.package_input(base, "team/conflict", seed=7)))
    assert refused.value.reason == "TagConflict"
    with world.client(world.repository("team/conflict")) as client:
        assert client.resolve("team/conflict", "tiny-1.0.0") == first.manifest_digest


def test_an_account_that_may_not_push_leaves_nothing_behind(object_store, tmp_path):
    with (
        registry_process.token_server(tmp_path / "tokens") as tokens,
        registry_process.registry(tmp_path / "registry", tokens.auth_section()) as running,
    ):
        world = World(object_store, running, tmp_path, running.ca_bundle + tokens.tls.pem)
        with world.client(world.repository("platform/serving")) as client:
            pushed = push_base(client, "platform/serving", tmp_path / "base", {"/opt/server": b"server"})
        base = f"{world.repository('platform/serving')}@{pushed.digest}"
        given = world.package_input(base, "team/denied")
        reader = world.with_account(running.docker_config(READER, READER_PASSWORD))
        with pytest.raises(Denied) as refused:
            package.run(reader.context(given))
        assert refused.value.reason == "PushDenied"
        assert READER_PASSWORD not in str(refused.value)
        with world.client(given.repository) as client:
            assert client.resolve("team/denied", given.tag) is None


def test_wrong_credentials_are_denied(world, base):
    wrong = world.with_account(world.registry.docker_config(password="wrong"))
    with pytest.raises(Denied, match="registry Secret") as refused:
        package.run(wrong.context(world.package_input(base, "team/x")))
    assert refused.value.reason == "PullDenied"


def test_a_secret_that_is_no_docker_config_is_named(world, base):
    with pytest.raises(Misconfigured, match="dockerconfigjson") as refused:
        package.run(world.with_account(b"{}").context(world.package_input(base, "team/x")))
    assert refused.value.reason == "RegistrySecretUnusable"


def test_an_absent_base_image_is_named(world):
    base = f"{world.repository('platform/absent')}@{digest_of(b'absent')}"
    with pytest.raises(NotFound, match="platform/absent") as refused:
        package.run(world.context(world.package_input(base, "team/x")))
    assert refused.value.reason == "BaseImageNotFound"


def test_an_unreachable_registry_can_be_tried_again(world, base):
    nowhere = world.package_input(base, "team/x", repository="127.0.0.1:9/team/x")
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9"):
        package.run(world.context(nowhere))


def test_a_model_that_was_not_evaluated_is_not_pushed(world, base):
    evaluated, other = (world.package_input(base, "team/unmeasured", seed=seed) for seed in (0, 7))
    with pytest.raises(InvalidData) as refused:
        package.run(world.context(evaluated.model_copy(update={"candidate": other.candidate})))
    assert refused.value.reason == "ModelNotEvaluated"
    with world.client(evaluated.repository) as client:
        assert client.resolve("team/unmeasured", evaluated.tag) is None


def test_labels_of_the_image_specification_are_not_the_authors(world, base):
    given = world.package_input(base, "team/x", labels={"org.opencontainers.image.title": "mine"})
    with pytest.raises(InvalidInput, match="remove it"):
        package.run(world.context(given))


def test_a_base_in_another_registry_is_carried_over(world, base, object_store, tmp_path):
    with registry_process.registry(tmp_path / "second") as second:
        accounts = {**json.loads(second.docker_config())["auths"]}
        accounts |= json.loads(world.registry.docker_config())["auths"]
        both = RunningRegistry(second.host, second.ca_bundle + world.registry.ca_bundle, second.storage)
        there = World(object_store, both, tmp_path, docker_config=json.dumps({"auths": accounts}).encode())
        given = there.package_input(base, "team/carried")
        facts = package.run(there.context(given)).facts
        with there.client(given.repository) as client:
            unpack(client, "team/carried", facts.manifest_digest, tmp_path / "root")
    assert (tmp_path / "root/models/model.json").is_file()
    assert (tmp_path / "root/opt/server").read_bytes() == b"server"
