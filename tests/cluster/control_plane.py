"""Command lines and configuration files of etcd and the control plane. Pure: nothing is started here."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from cluster.instance import API_PORT, NODE_NAME, POD_NETWORK, SERVICE_NETWORK, Instance

Files = Mapping[Path, str]

_ETCD = "http://127.0.0.1:2379"
# Fast enough that the cluster is never what a test waits for.
_QPS, _BURST = 1000, 2000


def files(instance: Instance) -> Files:
    """The configuration files, by path."""
    audit = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata"}],
    }
    scheduler = {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {"kubeconfig": _kubeconfig(instance, "scheduler"), "qps": _QPS, "burst": _BURST},
        "leaderElection": {"leaderElect": False},
    }
    return {
        _audit_policy(instance): yaml.safe_dump(audit, sort_keys=False),
        _scheduler_config(instance): yaml.safe_dump(scheduler, sort_keys=False),
    }


def etcd(instance: Instance) -> list[str]:
    """etcd without fsync: the cluster outlives crashes of its processes, not of the machine's power."""
    return [
        "etcd",
        f"--name={NODE_NAME}",
        f"--data-dir={instance.state / 'etcd'}",
        f"--listen-client-urls={_ETCD}",
        f"--advertise-client-urls={_ETCD}",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def api_server(instance: Instance) -> list[str]:
    """kube-apiserver on the node's address."""
    pki = instance.pki
    arguments = [
        "kube-apiserver",
        f"--etcd-servers={_ETCD}",
        f"--advertise-address={instance.node_address}",
        f"--bind-address={instance.node_address}",
        f"--secure-port={API_PORT}",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki / 'service-accounts.crt'}",
        f"--service-account-signing-key-file={pki / 'service-accounts.key'}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        # Published for servers that extend the API; without it the other parts log its absence for ever.
        f"--requestheader-client-ca-file={pki / 'ca.crt'}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        f"--kubelet-client-certificate={pki / 'apiserver-kubelet-client.crt'}",
        f"--kubelet-client-key={pki / 'apiserver-kubelet-client.key'}",
        # Otherwise `kubectl logs` would look the node's name up in DNS.
        "--kubelet-preferred-address-types=InternalIP",
    ]
    if instance.audit:
        arguments += [
            f"--audit-policy-file={_audit_policy(instance)}",
            f"--audit-log-path={instance.audit_log}",
        ]
    return arguments


def controller_manager(instance: Instance) -> list[str]:
    """kube-controller-manager with every default controller."""
    kubeconfig = _kubeconfig(instance, "controller-manager")
    return [
        "kube-controller-manager",
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--root-ca-file={instance.pki / 'ca.crt'}",
        f"--service-account-private-key-file={instance.pki / 'service-accounts.key'}",
        f"--cluster-signing-cert-file={instance.pki / 'ca.crt'}",
        f"--cluster-signing-key-file={instance.pki / 'ca.key'}",
        "--use-service-account-credentials",
        "--leader-elect=false",
        f"--cluster-cidr={POD_NETWORK}",
        "--allocate-node-cidrs=false",
        "--concurrent-job-syncs=20",
        f"--kube-api-qps={_QPS}",
        f"--kube-api-burst={_BURST}",
    ]


def scheduler(instance: Instance) -> list[str]:
    """kube-scheduler; how fast it may ask the API server stands in its file."""
    kubeconfig = _kubeconfig(instance, "scheduler")
    return [
        "kube-scheduler",
        f"--config={_scheduler_config(instance)}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
    ]


def _kubeconfig(instance: Instance, name: str) -> str:
    return str(instance.kubeconfig.with_name(f"{name}.yaml"))


def _audit_policy(instance: Instance) -> Path:
    return instance.state / "config" / "audit-policy.yaml"


def _scheduler_config(instance: Instance) -> Path:
    return instance.state / "config" / "scheduler.yaml"
