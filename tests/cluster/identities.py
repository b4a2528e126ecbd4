"""Who is who in the cluster: the certificates of its parts and its users, and their kubeconfigs."""

import base64
from pathlib import Path

import yaml

from cluster import paths, pki
from cluster.instance import API_SERVICE, NODE_NAME, Instance

ADMIN = pki.Subject("admin", ("system:masters",))


def subjects(instance: Instance) -> dict[str, pki.Subject]:
    """The certificate of each part, by the name of its file."""
    address = instance.node_address
    api_hosts = (
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "localhost",
        API_SERVICE,
        "127.0.0.1",
    )
    found = {
        "apiserver": pki.Subject("kube-apiserver", hosts=(*api_hosts, address)),
        "apiserver-kubelet-client": pki.Subject("kube-apiserver-kubelet-client", ("system:masters",)),
        "admin": ADMIN,
        "controller-manager": pki.Subject("system:kube-controller-manager"),
    }
    if instance.control_plane_only:
        return found
    return found | {
        "scheduler": pki.Subject("system:kube-scheduler"),
        "proxy": pki.Subject("system:kube-proxy"),
        "dns": pki.Subject("coredns"),
        "kubelet": pki.Subject(
            f"system:node:{NODE_NAME}", ("system:nodes",), (NODE_NAME, address, "127.0.0.1")
        ),
        # What runs on the node's address with TLS: registry, S3, scanner.
        "services": pki.Subject("services", hosts=(address, NODE_NAME, "localhost", "127.0.0.1")),
    }


def ensure(instance: Instance) -> None:
    """Make every certificate and kubeconfig that is not there yet."""
    if pki.read(instance.pki, "service-accounts") is None:
        pki.store(instance.pki, "service-accounts", pki.signing_key())
    for name, subject in subjects(instance).items():
        pair = pki.ensure(instance.pki, name, subject)
        if name not in {"apiserver", "services"}:
            _write_kubeconfig(instance, name, pair)


def user(instance: Instance, name: str, groups: tuple[str, ...] = ()) -> Path:
    """A kubeconfig for a person or program with that user name and those groups; RBAC decides what it may."""
    file = "-".join(["user", name, *groups]).replace(":", "-").replace("/", "-")
    return _write_kubeconfig(instance, file, pki.ensure(instance.pki, file, pki.Subject(name, groups)))


def kubeconfig(instance: Instance, authority: str, pair: pki.Pair) -> str:
    """A kubeconfig with everything inside it, so that it can be copied anywhere."""
    name = instance.namespace
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": name,
                "cluster": {"server": instance.url, "certificate-authority-data": _encoded(authority)},
            }
        ],
        "users": [
            {
                "name": name,
                "user": {
                    "client-certificate-data": _encoded(pair.certificate),
                    "client-key-data": _encoded(pair.key),
                },
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    return yaml.safe_dump(config, sort_keys=False)


def _write_kubeconfig(instance: Instance, name: str, pair: pki.Pair) -> Path:
    path = instance.kubeconfig.with_name(f"{name}.yaml")
    if not path.exists():
        authority = (instance.pki / "ca.crt").read_text()
        paths.write(path, kubeconfig(instance, authority, pair), mode=0o600)
    return path


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
