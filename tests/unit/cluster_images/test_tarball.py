"""Archives: equal trees give equal bytes, and what goes in comes out."""

import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.images import tarball
from cluster.images.tarball import Entry

NAMES = st.lists(
    st.lists(st.sampled_from(["a", "b", "a.b", "a-b", "0"]), min_size=1, max_size=3).map("/".join),
    unique=True,
)


def pack(entries) -> bytes:
    out = io.BytesIO()
    tarball.write(entries, out)
    return out.getvalue()


def unpack(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {info.name: info for info in archive}


def tree(root: Path) -> Path:
    (root / "package/data").mkdir(parents=True)
    (root / "package/run").write_text("#!/bin/sh\n")
    (root / "package/run").chmod(0o770)
    (root / "package/data/table").write_bytes(b"\0" * 700)
    (root / "package/latest").symlink_to("data/table")
    return root


@given(NAMES, st.randoms())
def test_the_order_of_entries_does_not_matter(names, random):
    entries = [Entry(name, data=name.encode()) for name in names]
    shuffled = list(entries)
    random.shuffle(shuffled)
    assert pack(entries) == pack(shuffled)


@given(NAMES)
def test_a_folder_comes_before_what_is_in_it(names):
    entries = [Entry(name, data=b"") for name in names]
    entries += [parent for name in names for parent in tarball.parents(f"{name}/x")]
    order = list(unpack(pack(entries)))
    for name in order:
        folder = name.rpartition("/")[0]
        assert not folder or order.index(folder) < order.index(name)


def test_times_owners_and_umask_of_the_machine_leave_no_trace(tmp_path):
    first, second = tree(tmp_path / "one"), tree(tmp_path / "two")
    os.utime(second / "package/run", (1, 1))
    (second / "package/data/table").chmod(0o600)
    packed = [pack(tarball.folder_entries(root, "opt")) for root in (first, second)]
    assert packed[0] == packed[1]


def test_kinds_modes_and_content_survive(tmp_path):
    found = unpack(pack(tarball.folder_entries(tree(tmp_path / "tree"), "opt")))
    assert {name: oct(info.mode) for name, info in found.items() if info.isreg()} == {
        "opt/package/run": "0o755",
        "opt/package/data/table": "0o644",
    }
    assert found["opt/package/latest"].linkname == "data/table"
    assert found["opt/package/data/table"].size == 700
    assert {(info.mtime, info.uid, info.gid) for info in found.values()} == {(0, 0, 0)}


def test_of_two_entries_with_one_name_the_later_wins():
    packed = pack([Entry("f", data=b"old"), Entry("f", data=b"new")])
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        assert archive.extractfile("f").read() == b"new"
        assert archive.getnames() == ["f"]


@pytest.fixture
def archive(tmp_path) -> Path:
    """An archive as a root file system has them: owners, a hard link, a device."""
    path = tmp_path / "system.tar"
    with tarfile.open(path, "w") as out:
        for name, kind, link in (
            ("./bin", tarfile.DIRTYPE, ""),
            ("./bin/perl", tarfile.REGTYPE, ""),
            ("./bin/perl5", tarfile.LNKTYPE, "./bin/perl"),
            ("./dev-null", tarfile.CHRTYPE, ""),
            ("./sh", tarfile.SYMTYPE, "bin/dash"),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mode, info.gid = kind, link, 0o4755, 42
            info.size = 5 if kind == tarfile.REGTYPE else 0
            out.addfile(info, io.BytesIO(b"perl\n") if info.size else None)
    return path


def test_an_archive_is_read_without_its_devices_and_hard_links(archive):
    entries = {entry.name: entry for entry in tarball.archive_entries(archive)}
    assert sorted(entries) == ["bin", "bin/perl", "bin/perl5", "sh"]
    assert entries["bin/perl5"].data.read() == b"perl\n"
    assert (entries["bin/perl"].mode, entries["bin/perl"].gid) == (0o4755, 42)
    found = unpack(pack(entries.values()))
    assert found["bin/perl5"].isreg()
    assert found["sh"].linkname == "bin/dash"
