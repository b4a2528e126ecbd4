"""Reproducible layers and images made of a base and more layers."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from compression_jobs.registry import Corrupt, LayerFile, Manifest, append_layers, build_layer
from compression_jobs.registry.descriptors import (
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    Descriptor,
)
from compression_jobs.registry.layers import EPOCH, BaseImage


def files(tmp_path: Path) -> list[LayerFile]:
    large = tmp_path / "large"
    large.write_bytes(bytes(range(256)) * 4096)
    return [
        LayerFile(PurePosixPath("/models/model.onnx"), large),
        LayerFile(PurePosixPath("/models/a.json"), b"{}", 0o644),
    ]


def test_a_layer_holds_files_and_folders_of_root_without_times(tmp_path):
    layer = build_layer(files(tmp_path), tmp_path / "layer")
    with tarfile.open(layer.file) as tar:
        members = {member.name: member for member in tar}
        content = tar.extractfile("models/model.onnx").read()
    assert list(members) == ["models", "models/a.json", "models/model.onnx"]
    assert content == (tmp_path / "large").read_bytes()
    assert {(m.uid, m.gid, m.uname, m.mtime) for m in members.values()} == {(0, 0, "", 0)}
    assert [m.mode for m in members.values()] == [0o755, 0o644, 0o444]


def test_a_layers_digests_are_those_of_its_bytes(tmp_path):
    layer = build_layer(files(tmp_path), tmp_path / "layer")
    raw = layer.file.read_bytes()
    assert layer.digest == f"sha256:{hashlib.sha256(raw).hexdigest()}"
    assert layer.diff_id == f"sha256:{hashlib.sha256(gzip.decompress(raw)).hexdigest()}"
    assert layer.size == len(raw)


def test_order_time_and_place_of_the_files_do_not_change_the_digest(tmp_path):
    given = files(tmp_path)
    (tmp_path / "elsewhere").write_bytes((tmp_path / "large").read_bytes())
    moved = [given[1], LayerFile(given[0].path, tmp_path / "elsewhere")]
    first, second = (build_layer(one, tmp_path / name) for one, name in ((given, "a"), (moved, "b")))
    assert (first.digest, first.diff_id) == (second.digest, second.diff_id)


def base(media_type: str = OCI_MANIFEST, diff_ids: int = 1) -> BaseImage:
    layer = Descriptor(OCI_LAYER_GZIP, "sha256:" + "1" * 64, 10)
    config = {
        "os": "linux",
        "created": "2026-01-01T00:00:00Z",
        "config": {"User": "65532", "Env": ["PATH=/bin", "A=1=2"], "Labels": {"kept": "yes"}},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "2" * 64] * diff_ids},
        "history": [{"created_by": "base"}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": Descriptor.of(json.dumps(config).encode(), OCI_CONFIG).document(),
        "layers": [layer.document()],
    }
    return BaseImage("registry/base", Manifest.make(manifest), config)


def test_an_image_keeps_its_bases_settings_and_gains_layers_labels_and_variables(tmp_path):
    layer = build_layer(files(tmp_path), tmp_path / "layer")
    below = base()
    image = append_layers(below, [layer], {"new": "label"}, {"A": "3", "B": "4"})
    config = json.loads(image.config)
    assert config["config"]["User"] == "65532"
    assert config["config"]["Env"] == ["PATH=/bin", "A=3", "B=4"]
    assert config["config"]["Labels"] == {
        "kept": "yes",
        "new": "label",
        "org.opencontainers.image.base.digest": below.manifest.digest,
        "org.opencontainers.image.base.name": "registry/base",
    }
    assert config["created"] == EPOCH
    assert config["rootfs"]["diff_ids"] == ["sha256:" + "2" * 64, layer.diff_id]
    assert len(config["history"]) == 2
    assert [one.digest for one in image.manifest.layers] == ["sha256:" + "1" * 64, layer.digest]
    assert image.manifest.config.digest == f"sha256:{hashlib.sha256(image.config).hexdigest()}"


def test_the_base_itself_is_left_as_it_was(tmp_path):
    layer = build_layer(files(tmp_path), tmp_path / "layer")
    below = base()
    before = json.dumps(below.config)
    append_layers(below, [layer], {"x": "y"}, {"C": "1"})
    assert json.dumps(below.config) == before


@pytest.mark.parametrize(
    ("manifest_type", "layer_type"), [(OCI_MANIFEST, OCI_LAYER_GZIP), (DOCKER_MANIFEST, DOCKER_LAYER_GZIP)]
)
def test_new_layers_speak_the_bases_dialect(tmp_path, manifest_type, layer_type):
    layer = build_layer(files(tmp_path), tmp_path / "layer")
    image = append_layers(base(manifest_type), [layer], {}, {})
    assert image.manifest.media_type == manifest_type
    assert image.manifest.layers[-1].media_type == layer_type


def test_a_base_whose_config_does_not_fit_its_manifest_is_refused(tmp_path):
    with pytest.raises(Corrupt, match="does not list the layers"):
        append_layers(base(diff_ids=2), [], {}, {})


def test_a_config_that_is_no_object_is_refused():
    with pytest.raises(Corrupt, match="not a JSON object"):
        BaseImage.read("registry/base", base().manifest, io.BytesIO(b"[]").read())
