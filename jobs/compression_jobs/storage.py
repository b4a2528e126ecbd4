"""Object storage: the one place that talks to S3.

Owns connecting with the tenant's mounted credentials, streaming with digests taken on the way, and what the
store's answers mean (storage_errors.py has the words). Must not know what an artifact is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config

from compression_contract.base import Digest
from compression_contract.inputs import ObjectStore
from compression_jobs.errors import Misconfigured

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CHUNK_BYTES: Final = 1024 * 1024
MAX_OBJECT_BYTES: Final = 64 * 1024**3
DOWNLOAD_ATTEMPTS: Final = 3
_PART_BYTES: Final = 32 * 1024 * 1024


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
        data = b"".join(self._stream(uri, limit))
        return data

    def download(self, uri: str, path: Path, digest: Digest, size: int) -> None:
        """Stream an object into a file and check its digest on the way.

        A connection lost half-way is tried again from the start, a few times.

        Raises:
            InvalidData: DigestMismatch, ObjectTooLarge (more than `size` bytes).
            NotFound, Denied, Unavailable, Misconfigured: the store's answer.
        """
        raise NotImplementedError

    def write(self, uri: str, data: bytes, *, only_if_absent: bool = False) -> bool:
        """Store a small object; False if `only_if_absent` and there is one already.

        Raises:
            Denied, NotFound, Unavailable, Misconfigured: the store's answer.
        """
        raise NotImplementedError

    def upload(self, path: Path, uri: str) -> None:
        """Store a file of any size; the store checks every part's checksum.

        Raises:
            Denied, NotFound, Unavailable, Misconfigured: the store's answer.
        """
        raise NotImplementedError

    def delete(self, uri: str) -> None:
        """Remove an object; one that is absent is removed already."""
        raise NotImplementedError

    def sizes(self, prefix: str) -> dict[str, int]:
        """Bytes of every object below ``prefix/``, by path relative to it.

        Raises:
            Denied, NotFound, Unavailable, Misconfigured: the store's answer.
        """
        raise NotImplementedError

    def _stream(self, uri: str, limit: int) -> Iterator[bytes]:
        raise NotImplementedError
