"""Waiting for objects by the API server's watch, as fast as it tells and without asking again and again.

Owns nothing but the way to wait. Works on any cluster that a kubeconfig reaches.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from compression_contract.keys import API_VERSION
from demo.kube import KUBECTL, Kube, KubeError

Object = Mapping[str, Any]
_PATHS = {
    "promotions": f"/apis/{API_VERSION}",
    "servingtargets": f"/apis/{API_VERSION}",
    "modelversions": f"/apis/{API_VERSION}",
    "compressionjobs": f"/apis/{API_VERSION}",
    "deployments": "/apis/apps/v1",
    "jobs": "/apis/batch/v1",
    "pods": "/api/v1",
}


def until(
    kube: Kube,
    plural: str,
    place: tuple[str, str],
    holds: Callable[[Object], bool],
    seconds: float = 300,
) -> Object:
    """An object as it is once something holds for it.

    Args:
        kube: the cluster.
        plural: the kind, as in a path: `promotions`.
        place: namespace and name.
        holds: what is waited for.
        seconds: how long at most.

    Raises:
        KubeError: it did not hold by then, or the object was deleted; tells the last status.
    """
    namespace, name = place
    end, seen = time.monotonic() + seconds, None
    while (left := end - time.monotonic()) > 0:
        for kind, found in _events(kube, plural, namespace, name, left):
            if kind == "DELETED":
                raise KubeError(f"{plural} {namespace}/{name} was deleted")
            if holds(found):
                return found
            seen = found.get("status")
    raise KubeError(f"{plural} {namespace}/{name}: not within {seconds:.0f} s; its status is {seen}")


def _events(
    kube: Kube, plural: str, namespace: str, name: str, seconds: float
) -> Iterator[tuple[str, Object]]:
    """Events of one object, the first of which says how it is now; the server ends them in time."""
    path = f"{_PATHS[plural]}/namespaces/{namespace}/{plural}"
    query = f"watch=1&fieldSelector=metadata.name={name}&timeoutSeconds={max(1, int(seconds))}"
    with kube.stream(f"{path}?{query}") as answer:
        for line in answer.iter_lines(chunk_size=None):
            if line:
                event = json.loads(line)
                yield event["type"], event["object"]


@contextmanager
def recorded(
    kube: Kube, kind: str, namespace: str, selector: str, file: Path
) -> Iterator[Callable[[], set[str]]]:
    """Remember the uids of all objects that exist, however shortly, while the block runs."""
    command = [
        str(KUBECTL), f"--kubeconfig={kube.kubeconfig}", "get", kind, f"--namespace={namespace}",
        f"--selector={selector}", "--watch", "--output=jsonpath={.metadata.uid}{'\\n'}",
    ]  # fmt: skip
    with file.open("wb") as output:
        process = subprocess.Popen(command, stdout=output)
        try:
            yield lambda: set(file.read_text().split())
        finally:
            process.terminate()
            process.wait()
