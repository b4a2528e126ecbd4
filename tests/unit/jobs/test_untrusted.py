"""What a stage that ran anybody's code leaves is copied, never followed."""

import os
import socket
from pathlib import Path

import pytest

from compression_contract.artifacts import ArtifactKind
from compression_jobs import untrusted
from compression_jobs.artifacts import Output
from compression_jobs.checkpoint_places import write_folder
from compression_jobs.errors import InvalidData


@pytest.fixture
def left(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "weights.npz").write_bytes(b"weights")
    (source / "deep" / "file").write_bytes(b"more")
    write_folder(Output(source, ArtifactKind.FLOAT_STUDENT, {"arch": "code"}), tmp_path / "left")
    return tmp_path / "left"


def test_an_artifact_is_copied_with_its_facts(left: Path, tmp_path: Path):
    (left / "not-in-the-manifest").write_text("stays")
    found = untrusted.take(left, tmp_path / "copy")
    assert (found.kind, dict(found.facts)) == (ArtifactKind.FLOAT_STUDENT, {"arch": "code"})
    copied = {path.relative_to(found.folder).as_posix() for path in found.folder.rglob("*") if path.is_file()}
    assert copied == {"weights.npz", "deep/file"}


def test_what_was_changed_after_its_manifest_is_not_whole(left: Path, tmp_path: Path):
    (left / "weights.npz").write_bytes(b"WEIGHTS")
    assert untrusted.take(left, tmp_path / "copy") is None


def test_what_grows_is_not_read_to_its_end(left: Path, tmp_path: Path):
    with (left / "weights.npz").open("ab") as file:
        file.truncate(1 << 40)
    assert untrusted.take(left, tmp_path / "copy") is None


def test_nothing_there_is_none(tmp_path: Path):
    assert untrusted.take(tmp_path, tmp_path / "copy") is None
    assert untrusted.read(tmp_path / "absent", "end.json", 10) is None


def secret_link(left: Path) -> None:
    (left / "weights.npz").unlink()
    (left / "weights.npz").symlink_to(left.parent / "source" / "weights.npz")


def folder_link(left: Path) -> None:
    (left / "deep" / "file").unlink()
    (left / "deep").rmdir()
    (left / "deep").symlink_to(left.parent / "source" / "deep")


def pipe(left: Path) -> None:
    (left / "weights.npz").unlink()
    os.mkfifo(left / "weights.npz")


def endpoint(left: Path) -> None:
    (left / "weights.npz").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(left / "weights.npz"))


def manifest_link(left: Path) -> None:
    (left / "manifest.json").rename(left.parent / "manifest.json")
    (left / "manifest.json").symlink_to(left.parent / "manifest.json")


@pytest.mark.parametrize("spoil", [secret_link, folder_link, pipe, endpoint, manifest_link])
def test_what_is_no_plain_file_is_refused(left: Path, tmp_path: Path, spoil):
    spoil(left)
    with pytest.raises(InvalidData, match="not taken") as caught:
        untrusted.take(left, tmp_path / "copy")
    assert caught.value.reason == "OutputUnsafe"


def test_a_manifest_that_points_outside_is_none(left: Path, tmp_path: Path):
    manifest = left / "manifest.json"
    manifest.write_text(manifest.read_text().replace("deep/file", "../../x"))
    with pytest.raises(InvalidData, match="manifest"):
        untrusted.take(left, tmp_path / "copy")


def test_sizes_are_limited_before_anything_is_read(
    left: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(untrusted, "MAX_ARTIFACT_BYTES", 10)
    with pytest.raises(InvalidData) as caught:
        untrusted.take(left, tmp_path / "copy")
    assert caught.value.reason == "OutputTooLarge"
    with pytest.raises(InvalidData):
        untrusted.read(left, "weights.npz", 3)
