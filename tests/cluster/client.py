"""A handle on one cluster for tests and other tooling: paths, kubectl, users, images, its network.

cluster = Cluster()              # the default one, brought up before
cluster.kubectl("get", "nodes")
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from cluster import binaries, debian, identities, network, pki
from cluster import instance as instances
from cluster.errors import ClusterError
from cluster.instance import Instance


class Cluster:
    """A cluster that was brought up before; raises ClusterError where there is none of that name."""

    def __init__(self, name: str = instances.DEFAULT) -> None:
        found = instances.load(name)
        if found is None:
            raise ClusterError(f"there is no cluster {name}; bring it up first")
        self.instance: Instance = found

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.instance.kubeconfig

    @property
    def url(self) -> str:
        """The API server."""
        return self.instance.url

    @property
    def address(self) -> str:
        """The node's address: host-network pods answer there, to the host, the kubelet and pods alike."""
        return self.instance.node_address

    @property
    def authority(self) -> Path:
        """The certificate of the cluster's authority, PEM."""
        return self.instance.pki / "ca.crt"

    @property
    def audit_log(self) -> Path:
        """One JSON line for each finished API request, when brought up with `audit`."""
        return self.instance.audit_log

    def kubectl(self, *arguments: str, stdin: str | None = None, user: Path | None = None) -> str:
        """What kubectl prints, as administrator or with a user's kubeconfig; raises ClusterError."""
        return kubectl(user or self.kubeconfig, *arguments, stdin=stdin, environment=self._own_folders())

    def helm(self, *arguments: str) -> str:
        """What helm prints, as administrator; raises ClusterError."""
        command = [str(binaries.path("helm")), f"--kubeconfig={self.kubeconfig}", *arguments]
        return _run(command, environment=self._own_folders())

    def user(self, name: str, *groups: str) -> Path:
        """A kubeconfig for a user of that name in those groups, who may what RBAC lets it."""
        return identities.user(self.instance, name, groups)

    def server_certificate(self, name: str, *hosts: str) -> tuple[Path, Path]:
        """Certificate and key for a server, by the cluster's authority; for the node's address as well.

        The certificate named `services` is there already.
        """
        subject = pki.Subject(name, hosts=(self.address, *hosts))
        pki.ensure(self.instance.pki, name, subject)
        return self.instance.pki / f"{name}.crt", self.instance.pki / f"{name}.key"

    def inside(self, *command: str) -> list[str]:
        """The command line that runs a command in the cluster's network, where Services can be reached."""
        return [*network.entering(self.instance), *command]

    def run_inside(self, *command: str) -> str:
        """What a command prints that runs in the cluster's network; raises ClusterError."""
        return _run(self.inside(*command))

    def ctr(self, *arguments: str) -> str:
        """What containerd's own client prints, in the namespace of Kubernetes; raises ClusterError."""
        tools = debian.tools()
        command = [str(tools.program("ctr")), f"--address={self.instance.containerd_socket}", "-n=k8s.io"]
        return _run([*command, *arguments], environment=tools.environment())

    def ctr_import(self, archive: Path) -> list[str]:
        """Import an image archive (OCI or Docker) on the node; returns the names of its images."""
        said = self.ctr("images", "import", str(archive))
        return [line.split()[1] for line in said.splitlines() if line.startswith("unpacking ")]

    def _own_folders(self) -> dict[str, str]:
        # What kubectl remembers of an API server must not outlive it: the next one has the same address.
        names = ("KUBECACHEDIR", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")
        return {name: str(self.instance.state / "clients" / name.lower()) for name in names}


def kubectl(
    kubeconfig: Path, *arguments: str, stdin: str | None = None, environment: dict[str, str] | None = None
) -> str:
    """What kubectl prints with a kubeconfig, of our own cluster or another; raises ClusterError."""
    program = Path(sys.executable).with_name("kubectl")
    command = [str(program if program.exists() else "kubectl"), f"--kubeconfig={kubeconfig}"]
    return _run([*command, *arguments], stdin=stdin, environment=environment)


def _run(command: Sequence[str], stdin: str | None = None, environment: dict[str, str] | None = None) -> str:
    result = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    if result.returncode:
        said = (result.stderr or result.stdout).strip()[-4000:]
        raise ClusterError(f"`{Path(command[0]).name} {' '.join(command[1:6])} …` failed:\n{said}")
    return result.stdout
