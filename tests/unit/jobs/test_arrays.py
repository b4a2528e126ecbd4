"""Arrays from outside: what is read, and what is refused before it takes memory."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from compression_jobs import arrays
from compression_jobs.errors import InvalidData

LIMIT = 1 << 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.npz"


@given(hnp.arrays(st.sampled_from([np.float32, np.int64, np.uint8]), hnp.array_shapes(max_side=4)))
def test_what_is_saved_is_loaded(tmp_path_factory, array):
    path = tmp_path_factory.mktemp("arrays") / "file.npz"
    arrays.save(path, {"a": array})

    assert np.array_equal(arrays.load(path, ["a"], LIMIT)["a"], array, equal_nan=array.dtype.kind == "f")


def test_the_same_arrays_give_the_same_bytes(tmp_path: Path):
    one, other = np.arange(10), np.zeros((2, 3), np.float32)
    arrays.save(tmp_path / "1.npz", {"one": one, "other": other})
    arrays.save(tmp_path / "2.npz", {"other": other, "one": one[::1]})

    assert (tmp_path / "1.npz").read_bytes() == (tmp_path / "2.npz").read_bytes()


def test_reads_what_numpy_writes_and_leaves_out_what_was_not_asked_for(path: Path):
    np.savez_compressed(path, a=np.arange(3), b=np.arange(4))

    assert list(arrays.load(path, ["b"], LIMIT)) == ["b"]


def _not_a_zip(path: Path):
    path.write_bytes(b"PK\x03\x04 and then nothing")


def _cut(path: Path):
    np.savez(path, a=np.arange(100))
    path.write_bytes(path.read_bytes()[:200])


def _absent(path: Path):
    np.savez(path, b=np.arange(3))


def _objects(path: Path):
    np.savez(path, a=np.array([{}], dtype=object))


def _bomb(path: Path):
    np.savez_compressed(path, a=np.zeros(LIMIT + 1, np.uint8))


def _bomb_in_two(path: Path):
    np.savez_compressed(path, a=np.zeros(LIMIT // 2 + 1, np.uint8), b=np.zeros(LIMIT // 2 + 1, np.uint8))


def _crowd(path: Path):
    np.savez(path, a=np.zeros(1), **{f"x{n}": np.zeros(1) for n in range(arrays.MAX_MEMBERS)})


def _header(path: Path, header: bytes):
    padded = header + b" " * (117 - len(header)) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded)


def _negative(path: Path):
    _header(path, b"{'descr': '|u1', 'fortran_order': False, 'shape': (-1000000,)}")


def _code(path: Path):
    _header(path, b"{'descr': __import__('os').getcwd(), 'fortran_order': False, 'shape': (1,)}")


def _no_magic(path: Path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x09\x00")


@pytest.mark.parametrize(
    ("write", "why"),
    [
        (_not_a_zip, "no readable"),
        (_cut, "no readable"),
        (_absent, "lacks the array 'a'"),
        (_objects, "Python objects"),
        (_bomb, "more than the 1048576 allowed"),
        (_crowd, f"more than {arrays.MAX_MEMBERS} members"),
        (_negative, "negative length"),
        (_code, "no readable"),
        (_no_magic, "unknown header"),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_refuses_a_file_that_is_not_safe_to_read(path: Path, write, why):
    write(path)

    with pytest.raises(InvalidData, match=why) as caught:
        arrays.load(path, ["a"], LIMIT)

    assert caught.value.reason == "ArraysInvalid"


def test_all_arrays_together_count(path: Path):
    _bomb_in_two(path)

    assert len(arrays.load(path, ["a"], LIMIT)["a"]) == LIMIT // 2 + 1
    with pytest.raises(InvalidData, match="allowed"):
        arrays.load(path, ["a", "b"], LIMIT)
