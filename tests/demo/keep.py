"""Artifacts kept outside the cluster, so that the next one need not train them again.

Owns copying an artifact between a tenant's bucket and a folder named by its input hash. The stage itself
finds what lies in the bucket and ends at once.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from cluster import paths
from cluster.neighbours.lifecycle import Neighbours
from compression_contract.artifacts import SUCCESS_NAME


def client(neighbours: Neighbours, namespace: str, authority: Path) -> Any:
    """A client of the object store with a tenant's account."""
    account = neighbours.accounts.tenants[namespace]
    return boto3.client(
        "s3",
        endpoint_url=neighbours.storage,
        aws_access_key_id=account.name,
        aws_secret_access_key=account.password,
        region_name="us-east-1",
        verify=str(authority),
        config=Config(s3={"addressing_style": "path"}),
    )


def restore(store: Any, uri: str, input_hash: str) -> bool:
    """Put a kept artifact into the bucket, `_SUCCESS` last; False if none is kept or one is there."""
    bucket, prefix = _split(uri)
    folder = _folder(input_hash)
    if not (folder / SUCCESS_NAME).exists() or _keys(store, bucket, prefix):
        return False
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in sorted(files, key=lambda path: path.name == SUCCESS_NAME):
        store.upload_file(str(path), bucket, f"{prefix}/{path.relative_to(folder)}")
    return True


def save(store: Any, uri: str, input_hash: str) -> None:
    """Keep an artifact, if it is not kept yet."""
    bucket, prefix = _split(uri)
    folder = _folder(input_hash)
    if (folder / SUCCESS_NAME).exists():
        return
    half = folder.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    for key in _keys(store, bucket, prefix):
        path = half / key.removeprefix(f"{prefix}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        store.download_file(bucket, key, str(path))
    half.rename(folder)


def _keys(store: Any, bucket: str, prefix: str) -> list[str]:
    found = store.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/")
    return [entry["Key"] for entry in found.get("Contents", ())]


def _folder(input_hash: str) -> Path:
    return paths.cache() / "artifacts" / input_hash.removeprefix("sha256:")


def _split(uri: str) -> tuple[str, str]:
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    return bucket, prefix
