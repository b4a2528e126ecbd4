"""Buckets at SeaweedFS, made with its own shell inside its pod: the S3 port belongs to the tenants."""

import re
import time

from cluster.errors import ClusterError
from cluster.neighbours.site import NAMESPACE, Kubectl

_PATIENCE_SECONDS = 60


def ensure(kubectl: Kubectl, name: str) -> str:
    """Make a bucket where there is none; waits until the store has room for what goes in.

    S3 answers before the first volume server has joined; until then nothing can be written.
    """
    end = time.monotonic() + _PATIENCE_SECONDS
    while not re.search(r"free:[1-9]", said := _shell(kubectl, "volume.list", "s3.bucket.list")):
        if time.monotonic() > end:
            raise ClusterError(f"no volume server joined SeaweedFS; it says:\n{said}")
        time.sleep(0.3)
    if _has(said, name):
        return "there already"
    said = _shell(kubectl, f"s3.bucket.create -name {name}", "s3.bucket.list")
    if not _has(said, name):
        raise ClusterError(f"SeaweedFS made no bucket {name}; it says:\n{said}")
    return "made"


def _has(listing: str, name: str) -> bool:
    return re.search(rf"^\s+{re.escape(name)}\s+size:", listing, re.MULTILINE) is not None


def _shell(kubectl: Kubectl, *commands: str) -> str:
    where = ("exec", "--stdin", "deployment/seaweedfs", f"--namespace={NAMESPACE}", "--")
    shell = ("weed", "shell", "-master=127.0.0.1:9333", "-filer=127.0.0.1:8888")
    return kubectl(*where, *shell, stdin="".join(f"{command}\n" for command in commands))
