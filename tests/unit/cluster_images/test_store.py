"""The store: layers are found again by what they were made from, and blobs are what their digests say."""

import gzip
import hashlib

import pytest

from cluster.images import store
from cluster.images.store import Store
from cluster.images.tarball import Entry


@pytest.fixture
def cache(tmp_path) -> Store:
    return Store(tmp_path)


def test_a_layer_is_made_once_for_each_key(cache):
    made = []

    def make():
        made.append(1)
        return [Entry("f", data=b"content")]

    first, fresh = cache.layer("key", make)
    again, anew = cache.layer("key", make)
    assert (first, fresh, anew, len(made)) == (again, True, False, 1)


def test_both_digests_are_true(cache):
    layer, _ = cache.layer("key", lambda: [Entry("f", data=bytes(range(256)) * 9000)])
    blob = cache.blob(layer.digest).read_bytes()
    assert layer.digest == f"sha256:{hashlib.sha256(blob).hexdigest()}"
    assert layer.diff_id == f"sha256:{hashlib.sha256(gzip.decompress(blob)).hexdigest()}"
    assert layer.size == len(blob)


def test_a_lost_or_cut_blob_is_made_again(cache):
    layer, _ = cache.layer("key", lambda: [Entry("f", data=b"content")])
    cache.blob(layer.digest).write_bytes(b"cut")
    again, fresh = cache.layer("key", lambda: [Entry("f", data=b"content")])
    assert (again, fresh) == (layer, True)
    assert cache.blob(layer.digest).stat().st_size == layer.size


def test_a_failed_layer_leaves_nothing_behind(cache):
    def fail():
        yield Entry("f", data=b"content")
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        cache.layer("key", fail)
    assert cache.known("key") is None


@pytest.mark.parametrize(
    ("left", "right"), [(("ab", "c"), ("a", "bc")), (("a",), ("a", "")), (("a", "b"), ("b", "a"))]
)
def test_the_parts_of_a_key_cannot_run_into_each_other(left, right):
    assert store.key(*left) != store.key(*right)
