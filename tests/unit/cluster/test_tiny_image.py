import hashlib
import io
import json
import tarfile

from cluster import tiny_image


def read(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def test_the_archive_names_its_layer_by_content() -> None:
    files = read(tiny_image.archive("example/pause:1", {"/pause": b"program"}, ["/pause"]))
    (manifest,) = json.loads(files["manifest.json"])
    config = json.loads(files[manifest["Config"]])
    (layer,) = (files[name] for name in manifest["Layers"])
    assert manifest["RepoTags"] == ["example/pause:1"]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert config["config"]["Entrypoint"] == ["/pause"]
    assert read(layer) == {"pause": b"program"}


def test_everyone_may_run_its_programs_and_nobody_is_root() -> None:
    files = read(tiny_image.archive("example/x:1", {"bin/x": b"x"}, ["/bin/x"]))
    with tarfile.open(fileobj=io.BytesIO(files["layer.tar"])) as tar:
        assert tar.getmember("bin/x").mode == 0o755
    assert not json.loads(files["config.json"])["config"]["User"].startswith("0")


def test_the_same_programs_make_the_same_bytes() -> None:
    one = tiny_image.archive("x:1", {"a": b"1", "b": b"2"}, ["/a"])
    assert tiny_image.archive("x:1", {"b": b"2", "a": b"1"}, ["/a"]) == one
