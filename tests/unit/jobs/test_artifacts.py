"""A folder becomes a manifest: what it lists, and what it refuses."""

import os
from pathlib import Path

import pytest

from compression_contract.artifacts import ArtifactKind, ArtifactManifest
from compression_contract.base import digest_of
from compression_jobs import artifacts
from compression_jobs.artifacts import LocalArtifact, Output
from compression_jobs.errors import Defect, InvalidData


def _manifest(folder: Path, **facts) -> ArtifactManifest:
    return artifacts.describe(Output(folder, ArtifactKind.CANDIDATE, facts))


def test_lists_every_file_with_size_and_digest_in_order(tmp_path: Path):
    (tmp_path / "b.txt").write_bytes(b"bb")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "c.txt").write_bytes(b"")

    manifest = _manifest(tmp_path, classes=3)

    assert [(entry.path, entry.bytes, entry.sha256) for entry in manifest.files] == [
        ("a/c.txt", 0, digest_of(b"")),
        ("b.txt", 2, digest_of(b"bb")),
    ]
    assert manifest.total_bytes == 2
    assert manifest.facts == {"classes": 3}


def test_the_same_content_has_the_same_digest_whenever_it_was_written(tmp_path: Path):
    for name, age in (("one", 0), ("two", 1000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_bytes(b"x")
        os.utime(tmp_path / name / "x", (age, age))

    assert _manifest(tmp_path / "one").digest == _manifest(tmp_path / "two").digest


def _link(folder: Path):
    (folder / "x").symlink_to("/etc/hostname")


def _linked_folder(folder: Path):
    (folder / "x").symlink_to("/etc")


def _pipe(folder: Path):
    os.mkfifo(folder / "x")


def _hidden(folder: Path):
    (folder / ".hidden").write_bytes(b"")


def _blank(folder: Path):
    (folder / "two words").write_bytes(b"")


@pytest.mark.parametrize("make", [_link, _linked_folder, _pipe, _hidden, _blank])
def test_refuses_what_is_no_plainly_named_plain_file(tmp_path: Path, make):
    make(tmp_path)

    with pytest.raises(InvalidData) as caught:
        _manifest(tmp_path)

    assert caught.value.reason == "OutputInvalid"


def test_a_local_artifact_gives_only_files_that_it_holds_and_that_were_fetched(tmp_path: Path):
    for name in ("here", "later"):
        (tmp_path / name).write_bytes(b"")
    manifest = _manifest(tmp_path)
    (tmp_path / "later").unlink()
    artifact = LocalArtifact(manifest, manifest.digest, tmp_path)

    assert artifact.file("here") == tmp_path / "here"
    with pytest.raises(InvalidData, match="FileMissing"):
        artifact.file("absent")
    with pytest.raises(Defect, match="FileNotFetched"):
        artifact.file("later")
