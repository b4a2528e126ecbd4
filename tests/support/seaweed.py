"""A real S3: SeaweedFS on loopback with real credentials, one process, free ports.

`running(folder)` starts it and yields a `SeaweedFS`; what it holds dies with the folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import botocore.exceptions
from botocore.config import Config

from support import ports

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

START_SECONDS = 60


@dataclass(frozen=True)
class Account:
    access_key_id: str
    secret_access_key: str

    def secret(self, folder: Path) -> Path:
        """Write the two files as the kubelet mounts a storage Secret."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "accessKeyId").write_text(self.access_key_id)
        (folder / "secretAccessKey").write_text(self.secret_access_key)
        return folder


WRITER = Account("team-a-writer", "team-a-writer-secret-value")
READER = Account("team-a-reader", "team-a-reader-secret-value")
"""May read and list everything, and write nothing."""


@dataclass(frozen=True)
class SeaweedFS:
    endpoint: str
    process: subprocess.Popen[bytes]
    writer: Account = WRITER
    reader: Account = READER

    def client(self, account: Account = WRITER) -> S3Client:
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=account.access_key_id,
            aws_secret_access_key=account.secret_access_key,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
        )

    def bucket(self, name: str) -> str:
        """Make a bucket; its address."""
        self.client().create_bucket(Bucket=name)
        return f"s3://{name}"

    def put(self, uri: str, data: bytes) -> None:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        self.client().put_object(Bucket=bucket, Key=key, Body=data)

    def get(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return self.client().get_object(Bucket=bucket, Key=key)["Body"].read()

    def keys(self, uri: str) -> list[str]:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        answer = self.client().list_objects_v2(Bucket=bucket, Prefix=f"{key}/")
        return sorted(entry["Key"].removeprefix(f"{key}/") for entry in answer.get("Contents", []))


def program() -> str:
    """The `weed` binary beside this Python's other programs."""
    return str(Path(sys.executable).parent / "weed")


@contextmanager
def running(folder: Path) -> Iterator[SeaweedFS]:
    """Start SeaweedFS below a folder, wait until S3 answers, stop it at the end."""
    data = folder / "data"
    data.mkdir(parents=True)
    config = folder / "s3.json"
    config.write_text(
        json.dumps({"identities": [_identity(WRITER, "Admin"), _identity(READER, "Read", "List")]})
    )
    s3, master, volume, filer = ports.free(4, offset=ports.GRPC_OFFSET)
    arguments = [
        program(), "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.ip.bind=127.0.0.1",
        f"-master.port={master}", "-master.electionTimeout=1s", "-master.volumeSizeLimitMB=64",
        "-master.telemetry=false", f"-volume.port={volume}", "-volume.max=1000", "-volume.preStopSeconds=0",
        "-filer=true", f"-filer.port={filer}", "-s3", f"-s3.port={s3}", f"-s3.config={config}",
        "-s3.port.iceberg=0", "-s3.port.lance=0",
    ]  # fmt: skip
    with (folder / "weed.log").open("wb") as log:
        process = subprocess.Popen(
            arguments, cwd=folder, stdout=log, stderr=log, env={**os.environ, "GOMEMLIMIT": "256MiB"}
        )
    try:
        server = SeaweedFS(f"http://127.0.0.1:{s3}", process)
        _wait(server, folder / "weed.log")
        yield server
    finally:
        # Nobody reads this data again: an orderly end, ten seconds, would keep nothing that matters.
        process.kill()
        process.wait()


def _identity(account: Account, *actions: str) -> dict[str, object]:
    keys = {"accessKey": account.access_key_id, "secretKey": account.secret_access_key}
    return {"name": account.access_key_id, "credentials": [keys], "actions": list(actions)}


def _wait(server: SeaweedFS, log: Path) -> None:
    """Until an object can be written: buckets can be made before there is a volume for what goes in."""
    deadline = time.monotonic() + START_SECONDS
    while not _writable(server):
        ended = server.process.poll()
        if ended is not None or time.monotonic() > deadline:
            raise RuntimeError(f"SeaweedFS did not start (exit code {ended}):\n{log.read_text()[-2000:]}")
        time.sleep(0.1)


def _writable(server: SeaweedFS) -> bool:
    client = server.client()
    try:
        client.create_bucket(Bucket="started")
        client.put_object(Bucket="started", Key="probe", Body=b"x")
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError):
        return False
    return True
