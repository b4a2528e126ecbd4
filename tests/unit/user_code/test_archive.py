"""Archives of anybody's code are unpacked only where nothing in them can do harm."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from compression_jobs.errors import InvalidData
from compression_jobs.user_code import archive


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as file:
        for member, data in members:
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_what_is_packed_comes_back_without_caches(tmp_path: Path):
    source = tmp_path / "source"
    (source / "package" / "__pycache__").mkdir(parents=True)
    (source / "package" / "__init__.py").write_text("x = 1")
    (source / "package" / "__pycache__" / "x.pyc").write_text("stale")
    (source / "code.json").write_text("{}")
    for name in ("one", "two"):
        archive.pack(source, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    archive.unpack(tmp_path / "one", tmp_path / "copy")
    found = {path.relative_to(tmp_path / "copy").as_posix() for path in (tmp_path / "copy").rglob("*.*")}
    assert found == {"package/__init__.py", "code.json"}


@pytest.mark.parametrize(
    "members",
    [
        [(member("../outside"), b"x")],
        [(member("/outside"), b"x")],
        [(member("a/../../outside"), b"x")],
        [(member("link", tarfile.SYMTYPE, "/etc/passwd"), b"")],
        [(member("link", tarfile.LNKTYPE, "code.py"), b"")],
        [(member("pipe", tarfile.FIFOTYPE), b"")],
        [(member("device", tarfile.CHRTYPE), b"")],
        [(member("twice"), b"x"), (member("twice"), b"y")],
        [(member("dir", tarfile.SYMTYPE, "/tmp"), b""), (member("dir/file"), b"x")],
    ],
    ids=[
        "parent",
        "absolute",
        "climbing",
        "symlink",
        "hard link",
        "pipe",
        "device",
        "twice",
        "through a link",
    ],
)
def test_what_could_do_harm_is_refused(tmp_path: Path, members):
    with pytest.raises(InvalidData) as caught:
        archive.unpack(tar(tmp_path / "code.tar.gz", *members), tmp_path / "inside" / "folder")
    assert caught.value.reason == "CodeUnsafe"
    assert not (tmp_path / "outside").exists()
    assert not (tmp_path / "inside" / "outside").exists()


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(archive, "MAX_BYTES", 100_000)
    bomb = tar(tmp_path / "code.tar.gz", (member("zeros"), b"\0" * 1_000_000))
    with pytest.raises(InvalidData, match="more than") as caught:
        archive.unpack(bomb, tmp_path / "folder")
    assert caught.value.reason == "CodeUnsafe"


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(archive, "MAX_FILES", 3)
    many = tar(tmp_path / "code.tar.gz", *[(member(f"file{number}"), b"") for number in range(5)])
    with pytest.raises(InvalidData, match="more than 3"):
        archive.unpack(many, tmp_path / "folder")


@pytest.mark.parametrize("data", [b"", b"no archive", gzip.compress(b"no tar" * 300)])
def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path, data: bytes):
    (tmp_path / "code.tar.gz").write_bytes(data)
    with pytest.raises(InvalidData) as caught:
        archive.unpack(tmp_path / "code.tar.gz", tmp_path / "folder")
    assert caught.value.reason == "CodeUnreadable"
