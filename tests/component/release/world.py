"""A run's surroundings for release stages: artifacts in a real S3, images in a real registry, a context."""

import io
import itertools
import json
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from component.release.registry_process import RunningRegistry
from component.serving import model_folder
from compression_contract.artifacts import ArtifactKind, ArtifactRef
from compression_contract.base import digest_of
from compression_contract.inputs import ObjectStore, PackageInput, RunRef
from compression_contract.served_model import Tolerance
from compression_jobs import artifacts
from compression_jobs.artifacts import Output
from compression_jobs.context import StageContext
from compression_jobs.registry import (
    Bytes,
    Descriptor,
    DockerConfig,
    File,
    LayerFile,
    Manifest,
    Registry,
    Repository,
    build_layer,
)
from compression_jobs.registry.descriptors import OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST
from compression_jobs.storage import Credentials, Storage
from support.seaweed import WRITER, SeaweedFS

RUN = RunRef(namespace="team-a", name="fmnist", uid="3fa9c2d1-0000-4000-8000-000000000000")
BUCKET = "team-a"
_numbers = itertools.count()


@dataclass(frozen=True)
class World:
    """One tenant's S3, registry and folders."""

    store: SeaweedFS
    registry: RunningRegistry
    folder: Path
    ca_bundle: str = ""
    docker_config: bytes = b""

    @property
    def storage(self) -> Storage:
        credentials = Credentials(WRITER.access_key_id, WRITER.secret_access_key)
        return Storage.connect(ObjectStore(endpoint=self.store.endpoint), credentials)

    def context(self, parameters: Any) -> StageContext[Any]:
        scratch = self.folder / f"scratch-{next(_numbers)}"
        secret = scratch / "registry"
        secret.mkdir(parents=True)
        (secret / ".dockerconfigjson").write_bytes(self.docker_config or self.registry.docker_config())
        bundle = scratch / "ca.pem"
        bundle.write_text(self.ca_bundle or self.registry.ca_bundle)
        return StageContext(parameters, RUN, digest_of(b"input"), scratch, secret, bundle, self.storage)

    def client(self, repository: str) -> Registry:
        config = DockerConfig.parse(self.registry.docker_config())
        return Registry.connect(
            Repository.parse(repository), config, self.ca_bundle or self.registry.ca_bundle
        )

    def repository(self, name: str) -> str:
        return f"{self.registry.host}/{name}"

    def artifact(self, kind: ArtifactKind, files: dict[str, bytes], facts: dict[str, Any]) -> ArtifactRef:
        """Store an artifact at a place of its own."""
        number = next(_numbers)
        folder = self.folder / f"artifact-{number}"
        folder.mkdir(parents=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)
        uri = f"s3://{BUCKET}/artifact-{number}"
        output = Output(folder, kind, facts)
        manifest = artifacts.describe(output)
        artifacts.publish(self.storage, output, manifest, uri, {})
        return ArtifactRef(uri=uri, digest=manifest.digest)

    def package_input(self, base: str, name: str, seed: int = 0, **changes: Any) -> PackageInput:
        """A packaging input whose artifacts hold a small real network and its golden pairs."""
        source = model_folder.write(self.folder / f"model-{next(_numbers)}", model_folder.network(seed))
        described = source.description.wire()
        candidate = self.artifact(
            ArtifactKind.CANDIDATE, {"model.onnx": (source.path / "model.onnx").read_bytes()}, {}
        )
        facts = {
            "inputs": described["inputs"],
            "outputs": described["outputs"],
            "modelDigest": described["modelDigest"],
        }
        golden = (source.path / "golden/golden.npz").read_bytes()
        evaluation = self.artifact(ArtifactKind.EVALUATION, {"golden.npz": golden}, facts)
        given = PackageInput(
            model="tiny",
            version="1.0.0",
            candidate=candidate,
            evaluation=evaluation,
            serving_base=base,
            repository=self.repository(name),
            tag="tiny-1.0.0",
            labels={"team": "a"},
            tolerance=Tolerance(max_absolute_difference=0.001, top1_agreement=1.0),
        )
        return given.model_copy(update=changes)

    def with_account(self, docker_config: bytes) -> "World":
        return replace(self, docker_config=docker_config)


def push_base(client: Registry, name: str, folder: Path, files: dict[str, bytes]) -> Manifest:
    """A small base image of one layer with a user and an entry point."""
    folder.mkdir(parents=True, exist_ok=True)
    layer = build_layer(
        [LayerFile(PurePosixPath(path), data) for path, data in files.items()], folder / "base"
    )
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"User": "65532:65532", "Env": ["PATH=/usr/bin"], "Entrypoint": ["python3"]},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
    }
    raw = json.dumps(config).encode()
    client.ensure_blob(name, layer.descriptor(OCI_LAYER_GZIP), File(layer.file))
    client.ensure_blob(name, Descriptor.of(raw, OCI_CONFIG), Bytes(raw))
    manifest = Manifest.make(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": Descriptor.of(raw, OCI_CONFIG).document(),
            "layers": [layer.descriptor(OCI_LAYER_GZIP).document()],
        }
    )
    client.put_manifest(name, manifest)
    return manifest


def unpack(client: Registry, name: str, digest: str, folder: Path) -> None:
    """The files of all layers of an image, as a container would see them."""
    for layer in client.image_manifest(name, digest).layers:
        raw = client.blob(name, layer.digest, 64 << 20)
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:gz") as tar:
            tar.extractall(folder, filter="data")
