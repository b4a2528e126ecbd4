"""The running operator as somebody who wants to hurt it sees it: which pod leads, and how to end it hard.

Owns the ways of killing it on the one-node cluster: nothing is asked of the process itself.
"""

from __future__ import annotations

from cluster.client import Cluster
from demo.kube import Kube
from demo.platform import NAMESPACE, RELEASE


def leader(kube: Kube) -> str:
    """The name of the pod that holds the Lease, once a running pod does."""

    def found() -> str | None:
        lease = kube.get("lease", RELEASE, NAMESPACE)
        holder = (lease or {}).get("spec", {}).get("holderIdentity", "")
        pod = kube.get("pod", holder, NAMESPACE) if holder else None
        containers = (pod or {}).get("status", {}).get("containerStatuses", ())
        return holder if any("running" in each["state"] for each in containers) else None

    return str(kube.until("a running pod that leads", found, 120))


def kill_process(cluster: Cluster, kube: Kube) -> None:
    """SIGKILL the leader's process; the kubelet starts its container again."""
    pod = kube.get("pod", leader(kube), NAMESPACE)
    container = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
    cluster.ctr("tasks", "kill", "--signal", "SIGKILL", container)


def delete_pod(kube: Kube) -> None:
    """Delete the leader's pod without grace; another pod takes over when the Lease has expired."""
    kube.run("delete", "pod", leader(kube), f"--namespace={NAMESPACE}", "--force", "--grace-period=0")


def until_ready(kube: Kube, seconds: float = 180) -> None:
    """Wait until the operator is back."""
    kube.run(
        "rollout", "status", f"deployment/{RELEASE}", f"--namespace={NAMESPACE}", f"--timeout={seconds:.0f}s"
    )
