"""Buckets at SeaweedFS, made with its own shell inside its pod: the S3 port belongs to the tenants."""

import re
import time

from cluster.errors import ClusterError
from cluster.neighbours.site import NAMESPACE, Kubectl

_PATIENCE_SECONDS = 60


def ensure(kubectl: Kubectl, name: str) -> str:
    """Make a bucket where there is none; waits until the store has room for what goes in."""
    _until_there_is_room(kubectl)
    if name in _names(kubectl):
        return "there already"
    said = _shell(kubectl, f"s3.bucket.create -name {name}")
    if name not in _names(kubectl):
        raise ClusterError(f"SeaweedFS made no bucket {name}; it says:\n{said}")
    return "made"


def _names(kubectl: Kubectl) -> set[str]:
    return set(re.findall(r"^\s+(\S+)\s+size:", _shell(kubectl, "s3.bucket.list"), re.MULTILINE))


def _until_there_is_room(kubectl: Kubectl) -> None:
    """S3 answers before the first volume server has joined; until then nothing can be written."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while "DataNode" not in (said := _shell(kubectl, "volume.list")):
        if time.monotonic() > end:
            raise ClusterError(f"no volume server joined SeaweedFS; it says:\n{said}")
        time.sleep(0.3)


def _shell(kubectl: Kubectl, command: str) -> str:
    where = ("exec", "--stdin", "deployment/seaweedfs", f"--namespace={NAMESPACE}", "--")
    return kubectl(
        *where, "weed", "shell", "-master=127.0.0.1:9333", "-filer=127.0.0.1:8888", stdin=f"{command}\n"
    )
