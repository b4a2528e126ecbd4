"""The registry client against a real docker-registry with TLS and a password."""

import os
from pathlib import Path

import pytest

from component.release.registry_process import READER, RunningRegistry, registry, token_server
from component.release.registry_process import READER_PASSWORD as SECOND
from compression_contract.base import digest_of
from compression_jobs.registry import (
    Bytes,
    Corrupt,
    Denied,
    Descriptor,
    DockerConfig,
    File,
    Manifest,
    NotFound,
    Registry,
    Remote,
    Repository,
    Unavailable,
    attach,
    referrers,
    referrers_tag,
)
from compression_jobs.registry import client as client_module
from compression_jobs.registry.descriptors import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST


def connect(running: RunningRegistry, config: bytes | None = None, ca: str | None = None) -> Registry:
    repository = Repository(running.host, "team/x")
    account = DockerConfig.parse(config or running.docker_config())
    return Registry.connect(repository, account, running.ca_bundle if ca is None else ca)


def push_image(client: Registry, name: str, content: bytes, tag: str = "") -> Manifest:
    layer, config = Descriptor.of(content, OCI_LAYER_GZIP), Descriptor.of(b"{}", OCI_CONFIG)
    client.ensure_blob(name, layer, Bytes(content))
    client.ensure_blob(name, config, Bytes(b"{}"))
    manifest = Manifest.make(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": config.document(),
            "layers": [layer.document()],
        }
    )
    client.put_manifest(name, manifest, tag)
    return manifest


def test_a_pushed_image_is_read_back_by_tag_and_by_digest(password_registry):
    with connect(password_registry) as client:
        pushed = push_image(client, "team/readback", b"layer", "v1")
        assert client.manifest("team/readback", "v1") == pushed
        assert client.manifest("team/readback", pushed.digest) == pushed
        assert client.blob("team/readback", pushed.layers[0].digest, 100) == b"layer"


def test_a_file_larger_than_one_chunk_arrives_whole(password_registry, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(client_module, "UPLOAD_CHUNK", 1 << 20)
    data = os.urandom((3 << 20) + 17)
    path = tmp_path / "layer"
    path.write_bytes(data)
    blob = Descriptor.of(data, OCI_LAYER_GZIP)
    with connect(password_registry) as client:
        assert client.ensure_blob("team/large", blob, File(path)) == "uploaded"
        assert client.ensure_blob("team/large", blob, File(path)) == "exists"
        with client.open_blob("team/large", blob.digest) as pieces:
            assert b"".join(pieces) == data


def test_a_blob_is_mounted_from_a_sibling_without_sending_it(password_registry):
    content = os.urandom(1000)
    blob = Descriptor.of(content, OCI_LAYER_GZIP)
    with connect(password_registry) as client:
        client.ensure_blob("team/mount-from", blob, Bytes(content))
        # The source would be refused if it were read.
        assert client.ensure_blob("team/mount-to", blob, Bytes(b"other"), "team/mount-from") == "mounted"
        assert client.blob_size("team/mount-to", blob.digest) == 1000


def test_a_blob_that_cannot_be_mounted_is_sent_from_another_registry(password_registry, tmp_path: Path):
    content = os.urandom(1000)
    blob = Descriptor.of(content, OCI_LAYER_GZIP)
    with registry(tmp_path / "second") as other, connect(password_registry) as source:
        source.ensure_blob("team/here", blob, Bytes(content))
        with connect(other) as target:
            remote = Remote(source, "team/here", blob.digest)
            assert target.ensure_blob("team/there", blob, remote, "team/here") == "uploaded"
            assert target.blob("team/there", blob.digest, 1000) == content


@pytest.mark.parametrize("given", [b"changed bytes", b"short"], ids=["other content", "other size"])
def test_a_source_that_is_not_what_its_descriptor_says_is_never_stored(password_registry, given):
    blob = Descriptor.of(b"promised byte", OCI_LAYER_GZIP)
    with connect(password_registry) as client:
        with pytest.raises(Corrupt, match="has other content"):
            client.ensure_blob("team/liar", blob, Bytes(given))
        assert client.blob_size("team/liar", blob.digest) is None


def test_content_changed_in_the_registrys_storage_is_noticed(password_registry):
    content = os.urandom(64)
    blob = Descriptor.of(content, OCI_LAYER_GZIP)
    with connect(password_registry) as client:
        client.ensure_blob("team/tampered", blob, Bytes(content))
        hexadecimal = blob.digest.removeprefix("sha256:")
        stored = next(password_registry.storage.rglob(f"{hexadecimal}/data"))
        stored.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(Corrupt, match="has other content"):
            client.blob("team/tampered", blob.digest, 100)


def test_an_index_leads_to_its_linux_amd64_child(password_registry):
    name = "team/index"
    with connect(password_registry) as client:
        wanted, other = push_image(client, name, b"amd64"), push_image(client, name, b"arm64")
        manifests = [
            {**other.descriptor.document(), "platform": {"os": "linux", "architecture": "arm64"}},
            {**wanted.descriptor.document(), "platform": {"os": "linux", "architecture": "amd64"}},
        ]
        index = Manifest.make({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests})
        client.put_manifest(name, index, "multi")
        assert client.image_manifest(name, "multi") == wanted
        assert client.image_manifest(name, index.digest, "arm64") == other
        with pytest.raises(NotFound, match="linux/riscv64"):
            client.image_manifest(name, "multi", "riscv64")


def test_what_is_attached_is_found_again_and_attaching_twice_changes_nothing(password_registry):
    name = "team/attached"
    with connect(password_registry) as client:
        image = push_image(client, name, b"subject").descriptor
        first = attach(client, name, image, b'{"a":1}', "application/vnd.cyclonedx+json", {"k": "v"})
        assert attach(client, name, image, b'{"a":1}', "application/vnd.cyclonedx+json", {"k": "v"}) == first
        second = attach(client, name, image, b"sig", "application/vnd.example.signature", {})
        found = referrers(client, name, image.digest)
        assert {entry.digest for entry in found} == {first, second}
        assert {entry.artifact_type for entry in found} == {
            "application/vnd.cyclonedx+json",
            "application/vnd.example.signature",
        }
        artifact = client.manifest(name, first)
        assert artifact.document["subject"]["digest"] == image.digest
        assert client.blob(name, artifact.layers[0].digest, 100) == b'{"a":1}'
        assert client.resolve(name, referrers_tag(image.digest)) is not None


def test_what_is_absent_is_none_or_not_found(password_registry):
    absent = digest_of(b"absent")
    with connect(password_registry) as client:
        assert client.resolve("team/nothing", "v1") is None
        assert client.blob_size("team/nothing", absent) is None
        with pytest.raises(NotFound, match="team/nothing"):
            client.manifest("team/nothing", absent)


def test_a_wrong_password_is_denied_and_never_shown(password_registry):
    config = password_registry.docker_config(password="wrong-password")
    with connect(password_registry, config) as client, pytest.raises(Denied) as refused:
        client.manifest("team/x", "v1")
    assert "registry Secret" in str(refused.value)
    assert "wrong-password" not in str(refused.value)


def test_no_account_for_this_registry_is_denied(password_registry):
    with (
        connect(password_registry, b'{"auths": {}}') as client,
        pytest.raises(Denied, match="has none for it"),
    ):
        client.manifest("team/x", "v1")


def test_an_untrusted_certificate_is_refused_before_any_password_is_sent(password_registry):
    with connect(password_registry, ca="") as client, pytest.raises(Unavailable, match="CA bundle"):
        client.manifest("team/x", "v1")


def test_an_unreachable_registry_is_unavailable(password_registry):
    gone = RunningRegistry("127.0.0.1:9", password_registry.ca_bundle, password_registry.storage)
    with connect(gone, b'{"auths": {}}') as client, pytest.raises(Unavailable, match=r"127\.0\.0\.1:9"):
        client.manifest("team/x", "v1")


def test_bearer_tokens_are_asked_for_the_repositories_of_a_mount(tmp_path: Path):
    content = os.urandom(100)
    blob = Descriptor.of(content, OCI_LAYER_GZIP)
    with (
        token_server(tmp_path / "tokens") as tokens,
        registry(tmp_path / "r", tokens.auth_section()) as running,
    ):
        trusted = running.ca_bundle + tokens.tls.pem
        with connect(running, ca=trusted) as client:
            client.ensure_blob("team/one", blob, Bytes(content))
            assert client.ensure_blob("team/two", blob, Bytes(b""), "team/one") == "mounted"
            push_image(client, "team/two", b"layer", "v1")
        # The registry's own challenge names them in any order.
        both = {"repository:team/two:pull,push", "repository:team/one:pull"}
        assert both in [set(scopes) for scopes in tokens.asked]


def test_an_account_that_may_only_read_is_denied_at_push(tmp_path: Path):
    with (
        token_server(tmp_path / "tokens") as tokens,
        registry(tmp_path / "r", tokens.auth_section()) as running,
    ):
        trusted = running.ca_bundle + tokens.tls.pem
        with connect(running, running.docker_config(READER, SECOND), trusted) as client:
            assert client.resolve("team/one", "v1") is None
            with pytest.raises(Denied, match="pushing to"):
                client.ensure_blob("team/one", Descriptor.of(b"x", OCI_LAYER_GZIP), Bytes(b"x"))
