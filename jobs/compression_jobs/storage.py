"""Object storage: the one place that talks to S3.

Owns connecting with the tenant's mounted credentials, streaming with digests taken on the way, and what the
store's answers mean (storage_errors.py has the words). Must not know what an artifact is.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from compression_contract.base import Digest
from compression_contract.inputs import ObjectStore
from compression_jobs.errors import InvalidData, Misconfigured, NotFound, TransferFailed, Unavailable
from compression_jobs.storage_errors import STORAGE_FAILURES, explain, is_status

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CHUNK_BYTES: Final = 1024 * 1024
DOWNLOAD_ATTEMPTS: Final = 3
MAX_LISTED: Final = 10_000
_PART_BYTES: Final = 32 * 1024 * 1024
_TRANSFER: Final = TransferConfig(
    multipart_threshold=2 * _PART_BYTES, multipart_chunksize=_PART_BYTES, max_concurrency=4
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key, as the tenant's Secret holds it."""

    access_key_id: str
    secret_access_key: str

    def __repr__(self) -> str:
        return "Credentials([redacted])"

    @classmethod
    def mounted(cls, folder: Path) -> Credentials:
        """Read the two files of the mounted Secret.

        Raises:
            Misconfigured: the Secret is not mounted, or a key is missing or empty.
        """
        values = []
        for key in ("accessKeyId", "secretAccessKey"):
            try:
                value = (folder / key).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise _unusable_secret(key, error.strerror or "unreadable") from error
            except UnicodeDecodeError as error:
                raise _unusable_secret(key, "not text") from error
            if not value:
                raise _unusable_secret(key, "empty")
            values.append(value)
        return cls(*values)


def _unusable_secret(key: str, why: str) -> Misconfigured:
    return Misconfigured(
        "StorageSecretUnusable",
        f"The storage Secret's key {key} cannot be used ({why}); "
        "give the Secret the keys accessKeyId and secretAccessKey.",
    )


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of ``s3://bucket/key``."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


class Storage:
    """Objects by address; every failure is a StageError with the object's address in its sentence."""

    def __init__(self, client: S3Client, endpoint: str) -> None:
        self._client = client
        self._endpoint = endpoint

    @classmethod
    def connect(cls, store: ObjectStore, credentials: Credentials, ca_bundle: Path | None = None) -> Storage:
        """Make a client; nothing is sent yet.

        Args:
            store: endpoint and region.
            credentials: the tenant's access key.
            ca_bundle: PEM file of trusted certificates in place of the system's own.
        """
        session = boto3.session.Session(
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            region_name=store.region,
        )
        config = Config(
            s3={"addressing_style": "path"},
            signature_version="s3v4",
            connect_timeout=5,
            read_timeout=60,
            retries={"mode": "standard", "max_attempts": 4},
            max_pool_connections=16,
        )
        verify = str(ca_bundle) if ca_bundle else None
        client: S3Client = session.client("s3", endpoint_url=store.endpoint, config=config, verify=verify)
        return cls(client, store.endpoint)

    def read(self, uri: str, limit: int) -> bytes:
        """A small object's bytes.

        Raises:
            NotFound: ObjectNotFound, BucketNotFound.
            InvalidData: ObjectTooLarge, for more than `limit` bytes.
            Denied, Unavailable, Misconfigured: the store's answer.
        """
        return b"".join(self._chunks(uri, limit))

    def read_if_present(self, uri: str, limit: int) -> bytes | None:
        """As `read`; None where the bucket holds no such object."""
        try:
            return self.read(uri, limit)
        except NotFound as error:
            if error.reason != "ObjectNotFound":
                raise
            return None

    def download(self, uri: str, path: Path, digest: Digest, size: int) -> None:
        """Stream an object into a file and check its digest on the way.

        A connection lost half-way is tried again from the start, a few times.

        Raises:
            InvalidData: DigestMismatch, ObjectTooLarge (more than `size` bytes).
            NotFound, Denied, Unavailable, Misconfigured: the store's answer.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, DOWNLOAD_ATTEMPTS + 1):
            try:
                found = self._download_once(uri, path, size)
                break
            except (Unavailable, TransferFailed) as error:
                if attempt == DOWNLOAD_ATTEMPTS:
                    raise
                log.warning("download interrupted, trying again", extra={"fields": {"why": error.message}})
        if found != digest:
            path.unlink()
            raise InvalidData(
                "DigestMismatch",
                f"{uri} has digest {found}, expected {digest}; it was changed after its manifest was made.",
            )

    def write(self, uri: str, data: bytes, *, only_if_absent: bool = False) -> bool:
        """Store a small object; False if `only_if_absent` and there is one already.

        Raises:
            Denied, NotFound, Unavailable, Misconfigured: the store's answer.
        """
        bucket, key = split_uri(uri)
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if only_if_absent else {}
        with self._explained(f"writing {uri}"):
            try:
                self._client.put_object(
                    Bucket=bucket, Key=key, Body=data, ChecksumAlgorithm="SHA256", **condition
                )
            except ClientError as error:
                # 409: another conditional write of the same object is under way.
                if only_if_absent and is_status(error, HTTPStatus.PRECONDITION_FAILED, HTTPStatus.CONFLICT):
                    return False
                raise
        return True

    def upload(self, path: Path, uri: str) -> None:
        """Store a file of any size; the store checks every part's checksum.

        Raises:
            Denied, NotFound, Unavailable, Misconfigured: the store's answer.
        """
        bucket, key = split_uri(uri)
        with self._explained(f"writing {uri}"):
            self._client.upload_file(
                str(path), bucket, key, ExtraArgs={"ChecksumAlgorithm": "SHA256"}, Config=_TRANSFER
            )

    def delete(self, uri: str) -> None:
        """Remove an object; one that is absent is removed already.

        Raises:
            Denied, NotFound, Unavailable, Misconfigured: the store's answer.
        """
        bucket, key = split_uri(uri)
        with self._explained(f"removing {uri}"):
            self._client.delete_object(Bucket=bucket, Key=key)

    def sizes(self, prefix: str) -> dict[str, int]:
        """Bytes of every object below ``prefix/``, by path relative to it.

        Raises:
            InvalidData: TooManyObjects.
            Denied, NotFound, Unavailable, Misconfigured: the store's answer.
        """
        bucket, key = split_uri(prefix.rstrip("/") + "/")
        found: dict[str, int] = {}
        with self._explained(f"listing {prefix}"):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key):
                for entry in page.get("Contents", []):
                    found[entry["Key"].removeprefix(key)] = entry["Size"]
                if len(found) > MAX_LISTED:
                    raise InvalidData(
                        "TooManyObjects",
                        f"{prefix} holds more than {MAX_LISTED} objects; name a folder below it.",
                    )
        return found

    def _download_once(self, uri: str, path: Path, size: int) -> str:
        digest = hashlib.sha256()
        with path.open("wb") as file:
            for chunk in self._chunks(uri, size):
                digest.update(chunk)
                file.write(chunk)
        return f"sha256:{digest.hexdigest()}"

    def _chunks(self, uri: str, limit: int) -> Iterator[bytes]:
        bucket, key = split_uri(uri)
        total = 0
        with self._explained(f"reading {uri}"):
            answer = self._client.get_object(Bucket=bucket, Key=key)
            with contextlib.closing(answer["Body"]) as body:
                for chunk in body.iter_chunks(CHUNK_BYTES):
                    total += len(chunk)
                    if total > limit:
                        raise InvalidData(
                            "ObjectTooLarge",
                            f"{uri} is larger than the {limit} bytes that were expected there.",
                        )
                    yield chunk

    @contextlib.contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        try:
            yield
        except STORAGE_FAILURES as error:
            raise explain(error, doing, self._endpoint) from error
