"""Tar shards: found by name, whatever their number; and every archive that is refused."""

import gzip
import tarfile
from pathlib import Path

import pytest

from compression_jobs.errors import InvalidData
from compression_jobs.readers import shards
from compression_jobs.readers.packing import pack
from compression_jobs.readers.shards import Shards
from support.datasets import archive


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", **headers: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.pax_headers = kind, link, headers
    return entry


def test_members_are_found_in_all_shards_of_the_split_and_no_other(tmp_path: Path):
    wanted = [(f"a/{number}.png", bytes([number]) * 700) for number in range(5)]
    assert pack(tmp_path, "train", wanted, limit=1000) == 3
    pack(tmp_path, "train-2", [("other", b"x")])

    found = Shards.open(tmp_path, "train")

    assert {name: found.read(name) for name in found.members} == dict(wanted)


def test_the_same_members_give_the_same_bytes(tmp_path: Path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        pack(tmp_path / name, "train", [("字.png", b"1"), ("x" * 150, b"2")])

    assert (tmp_path / "one/train-000000.tar").read_bytes() == (
        tmp_path / "two/train-000000.tar"
    ).read_bytes()
    assert Shards.open(tmp_path / "one", "train").read("字.png") == b"1"


def test_folders_and_leading_dots_are_passed_over(tmp_path: Path):
    archive(tmp_path / "train-000000.tar", [(member("./", tarfile.DIRTYPE), b""), ("./a.png", b"1")])
    assert list(Shards.open(tmp_path, "train").members) == ["a.png"]


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([("../a.png", b"")], "leads out"),
        ([("a/../../b.png", b"")], "leads out"),
        ([("a/..", b"")], "leads out"),
        ([("/etc/passwd", b"")], "absolute"),
        ([("a\\b.png", b"")], "no plain name"),
        ([("a\nb.png", b"")], "no plain name"),
        ([("/".join("d" * 17) + "/x", b"")], "no plain name"),
        ([(member("a", tarfile.SYMTYPE, "/etc/passwd"), b"")], "is a link"),
        ([(member("a", tarfile.LNKTYPE, "b"), b"")], "is a link"),
        ([(member("a", tarfile.CHRTYPE), b"")], "a device"),
        ([(member("a", tarfile.BLKTYPE), b"")], "a device"),
        ([(member("a", tarfile.FIFOTYPE), b"")], "a device"),
        ([("a.png", b"1"), ("a.png", b"2")], "stands there twice"),
        ([("a.png", b"1"), ("./a.png", b"2")], "stands there twice"),
    ],
)
def test_an_unsafe_member_is_named_and_the_archive_refused(tmp_path: Path, entries, why):
    archive(tmp_path / "train-000000.tar", entries)

    with pytest.raises(InvalidData, match=why) as caught:
        Shards.open(tmp_path, "train")

    assert caught.value.reason == "ArchiveUnsafe"
    assert "train-000000.tar" in caught.value.message


def test_a_name_that_stands_in_two_shards_is_refused(tmp_path: Path):
    for number in range(2):
        archive(tmp_path / f"train-00000{number}.tar", [("a.png", b"")])
    with pytest.raises(InvalidData, match="twice"):
        Shards.open(tmp_path, "train")


def test_sizes_and_numbers_have_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    archive(tmp_path / "train-000000.tar", [(f"{number}", b"12345") for number in range(3)])
    monkeypatch.setattr(shards, "MAX_MEMBERS", 2)
    with pytest.raises(InvalidData, match="2 members allowed"):
        Shards.open(tmp_path, "train")
    monkeypatch.setattr(shards, "MAX_MEMBER_BYTES", 4)
    with pytest.raises(InvalidData, match="larger than"):
        Shards.open(tmp_path, "train")


def _no_archive(path: Path) -> None:
    path.write_bytes(b"no archive at all" * 100)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _packed(path: Path) -> None:
    archive(path, [("a.png", b"1")])
    path.write_bytes(gzip.compress(path.read_bytes()))


def _cut(path: Path) -> None:
    archive(path, [("a.png", b"1" * 2000)])
    path.write_bytes(path.read_bytes()[:1000])


def _damaged_checksum(path: Path) -> None:
    archive(path, [("a.png", b"1")])
    data = bytearray(path.read_bytes())
    data[148:156] = b"0000000\0"
    path.write_bytes(data)


def _negative_size(path: Path) -> None:
    header = bytearray(member("a").tobuf())
    header[124:136] = b"\xff" * 12
    _sign(header, path)


def _endless_extended_header(path: Path) -> None:
    header = bytearray(member("a", tarfile.XHDTYPE).tobuf())
    header[124:136] = b"\x80" + (1 << 62).to_bytes(11, "big")
    _sign(header, path)


def _headers_of_headers(path: Path) -> None:
    entry = member("a", tarfile.XHDTYPE)
    entry.size = 0
    path.write_bytes(entry.tobuf() * 3000)


def _sign(header: bytearray, path: Path) -> None:
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    path.write_bytes(bytes(header) + b"\0" * 1024)


@pytest.mark.parametrize(
    "write",
    [
        _no_archive,
        _empty,
        _packed,
        _cut,
        _damaged_checksum,
        _endless_extended_header,
        _headers_of_headers,
    ],
    ids=lambda value: value.__name__.strip("_"),
)
def test_what_is_no_whole_archive_is_refused(tmp_path: Path, write):
    write(tmp_path / "train-000000.tar")
    with pytest.raises(InvalidData) as caught:
        Shards.open(tmp_path, "train")
    assert caught.value.reason == "ArchiveInvalid"


def test_a_negative_size_is_refused(tmp_path: Path):
    _negative_size(tmp_path / "train-000000.tar")
    with pytest.raises(InvalidData) as caught:
        Shards.open(tmp_path, "train")
    assert caught.value.reason in {"ArchiveInvalid", "ArchiveUnsafe"}
