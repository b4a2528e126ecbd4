"""Object storage against a real S3, with the faults that a network has."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from compression_contract.base import digest_of
from compression_contract.inputs import ObjectStore
from compression_jobs import storage, trust
from compression_jobs.errors import Denied, InvalidData, Misconfigured, NotFound, Unavailable
from compression_jobs.storage import Credentials, Storage
from support import proxy, stages
from support.seaweed import Account, SeaweedFS

DATA = os.urandom(3 * storage.CHUNK_BYTES + 17)


@pytest.fixture
def store(object_store: SeaweedFS) -> Storage:
    return stages.connect(object_store)


def _through(address: str, account: Account, ca_bundle: Path | None = None, scheme: str = "http") -> Storage:
    credentials = Credentials(account.access_key_id, account.secret_access_key)
    return Storage.connect(ObjectStore(endpoint=f"{scheme}://{address}"), credentials, ca_bundle)


def _address(object_store: SeaweedFS) -> str:
    return object_store.endpoint.removeprefix("http://")


def test_what_is_uploaded_is_downloaded(store: Storage, bucket: str, tmp_path: Path):
    (tmp_path / "here").write_bytes(DATA)

    store.upload(tmp_path / "here", f"{bucket}/a/b")
    store.download(f"{bucket}/a/b", tmp_path / "deep" / "there", digest_of(DATA), len(DATA))

    assert (tmp_path / "deep" / "there").read_bytes() == DATA


def test_a_large_file_goes_in_parts(store: Storage, bucket: str, tmp_path: Path):
    data = os.urandom(storage.CHUNK_BYTES) * 70
    (tmp_path / "large").write_bytes(data)

    store.upload(tmp_path / "large", f"{bucket}/large")
    store.download(f"{bucket}/large", tmp_path / "back", digest_of(data), len(data))

    assert (tmp_path / "back").stat().st_size == len(data)


def test_other_bytes_are_refused_and_not_kept(store: Storage, bucket: str, tmp_path: Path):
    store.write(f"{bucket}/x", b"other")
    wanted = digest_of(b"bytes")

    with pytest.raises(InvalidData) as caught:
        store.download(f"{bucket}/x", tmp_path / "x", wanted, 5)

    assert caught.value.reason == "DigestMismatch"
    assert wanted in caught.value.message
    assert digest_of(b"other") in caught.value.message
    assert not (tmp_path / "x").exists()


def test_more_bytes_than_announced_are_not_read(store: Storage, bucket: str, tmp_path: Path):
    store.write(f"{bucket}/x", b"x" * 100)

    with pytest.raises(InvalidData, match="ObjectTooLarge"):
        store.download(f"{bucket}/x", tmp_path / "x", digest_of(b""), 99)
    with pytest.raises(InvalidData, match="ObjectTooLarge"):
        store.read(f"{bucket}/x", 99)


def test_what_is_absent_is_not_found(store: Storage, bucket: str):
    with pytest.raises(NotFound, match="ObjectNotFound"):
        store.read(f"{bucket}/x", 10)
    with pytest.raises(NotFound, match="BucketNotFound"):
        store.read("s3://no-such-bucket/x", 10)
    with pytest.raises(NotFound, match="BucketNotFound"):
        store.read_if_present("s3://no-such-bucket/x", 10)
    assert store.read_if_present(f"{bucket}/x", 10) is None
    assert store.sizes(f"{bucket}/nothing") == {}


def test_a_folder_s_objects_are_listed_and_its_neighbours_are_not(store: Storage, bucket: str):
    for key, data in {"a/x": b"1", "a/y/z": b"22", "ab/x": b"", "b": b""}.items():
        store.write(f"{bucket}/{key}", data)

    assert store.sizes(f"{bucket}/a") == store.sizes(f"{bucket}/a/") == {"x": 1, "y/z": 2}


def test_of_many_who_write_only_if_absent_one_wins(store: Storage, bucket: str):
    with ThreadPoolExecutor(8) as pool:
        won = list(
            pool.map(lambda n: store.write(f"{bucket}/lock", str(n).encode(), only_if_absent=True), range(8))
        )

    assert won.count(True) == 1
    assert store.read(f"{bucket}/lock", 10) == str(won.index(True)).encode()


def test_a_deleted_object_is_gone_and_deleting_again_is_no_error(store: Storage, bucket: str):
    store.write(f"{bucket}/x", b"")

    store.delete(f"{bucket}/x")
    store.delete(f"{bucket}/x")

    assert store.read_if_present(f"{bucket}/x", 10) is None


def test_an_account_may_do_what_it_may(object_store: SeaweedFS, store: Storage, bucket: str, tmp_path: Path):
    (tmp_path / "x").write_bytes(b"")
    store.write(f"{bucket}/x", b"readable")
    reader = stages.connect(object_store, object_store.reader)

    assert reader.read(f"{bucket}/x", 10) == b"readable"
    for attempt in (
        lambda: reader.write(f"{bucket}/x", b""),
        lambda: reader.upload(tmp_path / "x", f"{bucket}/x"),
        lambda: reader.delete(f"{bucket}/x"),
    ):
        with pytest.raises(Denied, match="StorageDenied"):
            attempt()


def test_a_download_that_is_cut_off_is_taken_up_again(
    object_store: SeaweedFS, store: Storage, bucket: str, tmp_path: Path
):
    store.write(f"{bucket}/x", DATA)

    with proxy.running(_address(object_store)) as between:
        between.cuts = [storage.CHUNK_BYTES] * (storage.DOWNLOAD_ATTEMPTS - 1)
        shaky = _through(between.address, object_store.writer)
        shaky.download(f"{bucket}/x", tmp_path / "x", digest_of(DATA), len(DATA))

    assert (tmp_path / "x").read_bytes() == DATA


def test_a_download_that_is_cut_off_each_time_ends_as_unavailable(
    object_store: SeaweedFS, store: Storage, bucket: str, tmp_path: Path
):
    store.write(f"{bucket}/x", DATA)

    with proxy.running(_address(object_store)) as between:
        between.cuts = [storage.CHUNK_BYTES] * 20
        shaky = _through(between.address, object_store.writer)
        with pytest.raises(Unavailable, match="StorageUnavailable"):
            shaky.download(f"{bucket}/x", tmp_path / "x", digest_of(DATA), len(DATA))

    assert between.connections >= storage.DOWNLOAD_ATTEMPTS


def test_a_certificate_counts_only_if_its_authority_is_trusted(
    object_store: SeaweedFS, store: Storage, bucket: str, tmp_path: Path
):
    store.write(f"{bucket}/x", b"behind TLS")
    server = proxy.identity(tmp_path)
    bundle = trust.write_bundle(server.pem, tmp_path / "ca.pem")

    with proxy.running(_address(object_store), server.context) as between:
        trusting = _through(between.address, object_store.writer, bundle, "https")
        distrusting = _through(between.address, object_store.writer, None, "https")

        assert trusting.read(f"{bucket}/x", 100) == b"behind TLS"
        with pytest.raises(Misconfigured, match="StorageCertificateDistrusted"):
            distrusting.read(f"{bucket}/x", 100)
