"""The Secrets of the neighbours and of their tenants, as Kubernetes objects."""

import hashlib
import json
from collections.abc import Mapping

from cluster.neighbours.accounts import Account, Accounts
from cluster.neighbours.site import NAMESPACE, Site

# The names that a CompressionRuntime assumes, so that a first manifest names none.
STORAGE, PUSH, PULL = "compression-s3-default", "compression-registry-default", "compression-registry-pull"
_DOCKER_CONFIG = ".dockerconfigjson"
Object = dict[str, object]


def own(site: Site, accounts: Accounts, pull_config: str, ca_bundle: str) -> dict[str, list[Object]]:
    """What each neighbour reads, by its name; under the namespace's name, what all of them do."""
    return {
        NAMESPACE: [
            namespace_object(NAMESPACE),
            _secret(NAMESPACE, PULL, {_DOCKER_CONFIG: pull_config}, "kubernetes.io/dockerconfigjson"),
        ],
        "registry": [
            _secret(NAMESPACE, "registry-accounts", {"htpasswd": accounts.htpasswd}),
            _tls(site, "registry"),
        ],
        "seaweedfs": [
            _secret(NAMESPACE, "seaweedfs-accounts", {"s3.json": accounts.storage_config()}),
            _tls(site, "seaweedfs"),
        ],
        "trivy": [_secret(NAMESPACE, "authority", {"ca.crt": ca_bundle})],
    }


def tenant(namespace: str, account: Account, configs: Mapping[str, str]) -> list[Object]:
    """A tenant's namespace and its Secrets; `configs` are docker configs by the Secret's name."""
    keys = {"accessKeyId": account.name, "secretAccessKey": account.password}
    return [
        namespace_object(namespace),
        _secret(namespace, STORAGE, keys),
        *(
            _secret(namespace, name, {_DOCKER_CONFIG: config}, "kubernetes.io/dockerconfigjson")
            for name, config in configs.items()
        ),
    ]


def namespace_object(name: str) -> Object:
    """A Namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def checksum(objects: list[Object]) -> str:
    """A word that changes when any of the objects does, so that pods that read them at start are replaced."""
    return hashlib.sha256(json.dumps(objects, sort_keys=True).encode()).hexdigest()[:16]


def as_list(objects: list[Object]) -> str:
    """Objects as one document for kubectl."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def _tls(site: Site, service: str) -> Object:
    pair = site.certificate(service)
    data = {"tls.crt": pair.certificate, "tls.key": pair.key}
    return _secret(NAMESPACE, f"{service}-tls", data, "kubernetes.io/tls")


def _secret(namespace: str, name: str, data: Mapping[str, str], kind: str = "Opaque") -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": kind,
        "stringData": dict(data),
    }
