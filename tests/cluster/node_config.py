"""Command lines and configuration files of the node's programs. Pure: nothing is started here."""

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from cluster.instance import NODE_NAME, POD_NETWORK, Instance

PAUSE_IMAGE = "compression-operator.local/pause:1"
REGISTRY_PORT = 5000
DNS_PORT = 53
_DNS_READY_PORT = 8181
_PROXY_HEALTH_PORT = 10256


def files(instance: Instance, cni_plugins: Path) -> Mapping[Path, str]:
    """The configuration files, by path."""
    return {
        _containerd_config(instance): _containerd(instance, cni_plugins),
        _registries(instance) / f"{instance.node_address}:{REGISTRY_PORT}" / "hosts.toml": _registry(
            instance
        ),
        _cni_configs(instance) / "10-pods.conflist": _pod_network(instance),
        _kubelet_config(instance): _kubelet(instance),
        _resolver(instance): f"nameserver {instance.node_address}\n",
        _dns_config(instance): _dns(instance),
    }


def containerd(instance: Instance) -> list[str]:
    """containerd, with everything that it keeps below the state folder."""
    return ["containerd", f"--config={_containerd_config(instance)}", "--log-level=warn"]


def kubelet(instance: Instance) -> list[str]:
    """kubelet; the rest of its settings stand in its file."""
    return [
        "kubelet",
        f"--config={_kubelet_config(instance)}",
        f"--kubeconfig={_kubeconfig(instance, 'kubelet')}",
        f"--root-dir={instance.state / 'node' / 'kubelet'}",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={instance.node_address}",
    ]


def proxy(instance: Instance) -> list[str]:
    """kube-proxy with nftables; it may not set the conntrack size of the whole machine."""
    return [
        "kube-proxy",
        f"--kubeconfig={_kubeconfig(instance, 'proxy')}",
        "--proxy-mode=nftables",
        f"--hostname-override={NODE_NAME}",
        f"--cluster-cidr={POD_NETWORK}",
        "--conntrack-max-per-core=0",
        f"--healthz-bind-address={instance.node_address}:{_PROXY_HEALTH_PORT}",
        "--metrics-bind-address=127.0.0.1:10249",
    ]


def dns(instance: Instance) -> list[str]:
    """CoreDNS on the node's address."""
    return ["coredns", "-conf", str(_dns_config(instance))]


def proxy_health(instance: Instance) -> str:
    """Where kube-proxy says that it is well."""
    return f"http://{instance.node_address}:{_PROXY_HEALTH_PORT}/healthz"


def dns_readiness(instance: Instance) -> str:
    """Where CoreDNS says that it knows the Services."""
    return f"http://{instance.node_address}:{_DNS_READY_PORT}/ready"


def _containerd(instance: Instance, cni_plugins: Path) -> str:
    own = instance.state / "node"
    runtime = "io.containerd.grpc.v1.cri"
    # JSON strings are TOML strings as well (toml.io/en/v1.0.0#string), but for characters no path here has.
    value = {name: json.dumps(str(path)) for name, path in _containerd_paths(instance, cni_plugins).items()}
    return f"""\
version = 2
root = {value["root"]}
state = {value["state"]}

[grpc]
  address = {value["socket"]}

# Its default is a folder of the host.
[plugins."io.containerd.internal.v1.opt"]
  path = {json.dumps(str(own / "opt"))}

[plugins."{runtime}"]
  sandbox_image = "{PAUSE_IMAGE}"
  # In a container, not even root may lower the score.
  restrict_oom_score_adj = true

[plugins."{runtime}".containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"

[plugins."{runtime}".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."{runtime}".containerd.runtimes.runc.options]
  SystemdCgroup = false

[plugins."{runtime}".registry]
  config_path = {value["registries"]}

[plugins."{runtime}".cni]
  bin_dir = {value["plugins"]}
  conf_dir = {value["configs"]}
"""


def _containerd_paths(instance: Instance, cni_plugins: Path) -> dict[str, Path]:
    own = instance.state / "node"
    return {
        "root": own / "containerd",
        "state": own / "tasks",
        "socket": instance.containerd_socket,
        "registries": _registries(instance),
        "plugins": cni_plugins,
        "configs": _cni_configs(instance),
    }


def _registry(instance: Instance) -> str:
    server = f"https://{instance.node_address}:{REGISTRY_PORT}"
    authority = json.dumps(str(instance.pki / "ca.crt"))
    host = f'[host."{server}"]\n  capabilities = ["pull", "resolve"]\n  ca = {authority}\n'
    return f'server = "{server}"\n\n{host}'


def _pod_network(instance: Instance) -> str:
    addresses = {
        "type": "host-local",
        "dataDir": str(instance.state / "node" / "addresses"),
        "ranges": [[{"subnet": POD_NETWORK}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    # Point to point, each packet is routed: Services work without the kernel's br_netfilter module.
    plugins = [
        {"type": "ptp", "ipMasq": True, "ipam": addresses},
        {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True},
    ]
    return json.dumps({"cniVersion": "1.0.0", "name": "pods", "plugins": plugins}, indent=2) + "\n"


def _kubelet(instance: Instance) -> str:
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": instance.node_address,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(instance.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(instance.pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(instance.pki / "kubelet.key"),
        "containerRuntimeEndpoint": f"unix://{instance.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{instance.cgroup}/pods",
        "failCgroupV1": False,
        "failSwapOn": False,
        "protectKernelDefaults": True,
        "clusterDomain": "cluster.local",
        "clusterDNS": [instance.node_address],
        "resolvConf": str(_resolver(instance)),
        # A test of a crashing container shall not wait for the usual five minutes.
        "crashLoopBackOff": {"maxContainerRestartPeriod": "1s"},
        # The disk is the host's: the kubelet shall neither measure all of it nor evict for what others do.
        "localStorageCapacityIsolation": False,
        "evictionHard": {"memory.available": "200Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 99,
        "imageGCLowThresholdPercent": 98,
        "serializeImagePulls": False,
        "enforceNodeAllocatable": ["pods"],
    }
    return yaml.safe_dump(config, sort_keys=False)


def _dns(instance: Instance) -> str:
    return f"""\
.:{DNS_PORT} {{
  bind {instance.node_address}
  errors
  ready {instance.node_address}:{_DNS_READY_PORT}
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {_kubeconfig(instance, "dns")} {instance.namespace}
    pods insecure
  }}
  cache 5
}}
"""


def _kubeconfig(instance: Instance, name: str) -> Path:
    return instance.kubeconfig.with_name(f"{name}.yaml")


def _config(instance: Instance) -> Path:
    return instance.state / "config"


def _containerd_config(instance: Instance) -> Path:
    return _config(instance) / "containerd.toml"


def _registries(instance: Instance) -> Path:
    return _config(instance) / "registries"


def _cni_configs(instance: Instance) -> Path:
    return _config(instance) / "cni"


def _kubelet_config(instance: Instance) -> Path:
    return _config(instance) / "kubelet.yaml"


def _dns_config(instance: Instance) -> Path:
    return _config(instance) / "Corefile"


def _resolver(instance: Instance) -> Path:
    return _config(instance) / "resolv.conf"
