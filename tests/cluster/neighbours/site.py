"""Where the neighbours run: on the node of our own cluster, or behind Services of somebody else's.

Owns: addresses, certificates, and where data lies. Must not know what each neighbour is.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Protocol

from cluster import client, paths, pki
from cluster.images import recipes

NAMESPACE = "neighbours"
_MANIFESTS = Path(__file__).parent


class Kubectl(Protocol):
    """Runs kubectl and returns what it prints."""

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """Raises ClusterError with what kubectl said."""


@dataclass(frozen=True)
class Site:
    """One cluster as the neighbours see it.

    `folder` keeps accounts and data, `authority` keys. `address` is the node's, on which the neighbours
    listen; without one they are behind Services and their data is gone with their pods.
    """

    kubectl: Kubectl
    folder: Path
    authority: Path
    address: str = ""
    cluster: client.Cluster | None = None

    @classmethod
    def of_cluster(cls, cluster: client.Cluster) -> "Site":
        """Our own one-node cluster."""
        instance = cluster.instance
        return cls(cluster.kubectl, instance.state / NAMESPACE, instance.pki, cluster.address, cluster)

    @classmethod
    def of_kubeconfig(cls, kubeconfig: Path) -> "Site":
        """A cluster that somebody else runs, as the account of a kubeconfig may use it."""

        def kubectl(*arguments: str, stdin: str | None = None) -> str:
            return client.kubectl(kubeconfig, *arguments, stdin=stdin)

        # One cluster has one set of accounts, whoever asks from wherever.
        uid = kubectl("get", "namespace", "kube-system", "--output=jsonpath={.metadata.uid}")
        folder = paths.cache() / "clusters" / uid
        return cls(kubectl, folder, folder / "pki")

    @property
    def ca_bundle(self) -> str:
        """The certificate that all servers here are signed with, PEM."""
        self.certificate("seaweedfs")  # the first one makes the authority
        return (self.authority / "ca.crt").read_text()

    def host(self, service: str) -> str:
        """The name or address under which pods reach a neighbour."""
        return self.address or f"{service}.{NAMESPACE}.svc"

    def certificate(self, service: str) -> pki.Pair:
        """Certificate and key of a neighbour's server."""
        return pki.ensure(
            self.authority, f"{NAMESPACE}-{service}", pki.Subject(service, hosts=(self.host(service),))
        )

    def values(self, service: str) -> dict[str, str]:
        """What the manifests of a neighbour leave open because it depends on the place."""
        data = "emptyDir: {}"
        if self.address:
            data = f"hostPath: {{path: {self._data(service)}, type: Directory}}"
        return {
            "BIND": self.address or "0.0.0.0",
            "HOST_NETWORK": "true" if self.address else "false",
            "DATA": data,
        }

    def _data(self, service: str) -> Path:
        """A folder that the neighbour's user may write; it lasts as long as the cluster's state."""
        folder = self.folder / service
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, recipes.USER, recipes.USER)
        return folder


def render(name: str, values: Mapping[str, str]) -> str:
    """A manifest of this folder with its values filled in; raises KeyError for one that is missing."""
    return Template((_MANIFESTS / f"{name}.yaml").read_text()).substitute(values)
