"""Command lines and configuration files: what must hold between them, not their wording."""

import base64
import json
import tomllib
from pathlib import Path

import pytest
import yaml

from cluster import control_plane, identities, mounts, network, node_config, pki, services
from cluster.instance import Instance

ONE = Instance("default")
TWO = Instance("other", index=7)
PLUGINS = Path("/cache/cni")


def commands(instance: Instance) -> dict[str, list[str]]:
    plain = [
        control_plane.etcd,
        control_plane.api_server,
        control_plane.controller_manager,
        control_plane.scheduler,
        node_config.containerd,
        node_config.kubelet,
        node_config.proxy,
        node_config.dns,
    ]
    return {function.__name__: function(instance) for function in plain}


def files(instance: Instance) -> dict[Path, str]:
    return {**control_plane.files(instance), **node_config.files(instance, PLUGINS)}


@pytest.mark.parametrize("instance", [ONE, TWO], ids=lambda instance: instance.name)
def test_every_file_that_a_command_names_is_written_or_issued(instance) -> None:
    issued = {
        instance.pki / f"{name}{end}" for name in identities.subjects(instance) for end in (".crt", ".key")
    }
    issued |= {
        instance.pki / name for name in ("ca.crt", "ca.key", "service-accounts.crt", "service-accounts.key")
    }
    kubeconfigs = {instance.kubeconfig.with_name(f"{name}.yaml") for name in identities.subjects(instance)}
    made_by_them = {instance.state / "etcd", instance.state / "node" / "kubelet", instance.audit_log}
    known = issued | kubeconfigs | made_by_them | set(files(instance))
    named = {
        Path(argument.rpartition("=")[2])
        for argv in commands(instance).values()
        for argument in argv
        if str(instance.state) in argument
    }
    assert named <= known


def test_nothing_of_one_instance_names_another() -> None:
    text = json.dumps(commands(TWO)) + "".join(f"{path}{content}" for path, content in files(TWO).items())
    assert ONE.node_address not in text
    assert str(ONE.state) not in text


def test_audit_is_written_only_when_it_is_wanted() -> None:
    audited = Instance("default", audit=True)
    assert not any("audit" in argument for argument in control_plane.api_server(ONE))
    assert f"--audit-log-path={audited.audit_log}" in control_plane.api_server(audited)
    policies = [
        yaml.safe_load(text) for text in control_plane.files(audited).values() if "kind: Policy" in text
    ]
    assert policies[0]["rules"] == [{"level": "Metadata"}]


def test_the_runtime_trusts_the_registry_by_the_authority_of_the_cluster() -> None:
    found = files(TWO)
    containerd = tomllib.loads(found[TWO.state / "config" / "containerd.toml"])
    runtime = containerd["plugins"]["io.containerd.grpc.v1.cri"]
    folder = Path(runtime["registry"]["config_path"])
    hosts = tomllib.loads(found[folder / f"{TWO.node_address}:5000" / "hosts.toml"])
    assert hosts["host"]["https://10.70.7.1:5000"]["ca"] == str(TWO.pki / "ca.crt")
    assert containerd["grpc"]["address"] == str(TWO.containerd_socket)
    assert runtime["cni"]["bin_dir"] == str(PLUGINS)
    assert Path(runtime["cni"]["conf_dir"]) / "10-pods.conflist" in found


def test_kubelet_and_runtime_agree() -> None:
    found = files(TWO)
    kubelet = yaml.safe_load(found[TWO.state / "config" / "kubelet.yaml"])
    containerd = tomllib.loads(found[TWO.state / "config" / "containerd.toml"])
    runtime = containerd["plugins"]["io.containerd.grpc.v1.cri"]["containerd"]["runtimes"]["runc"]
    assert kubelet["containerRuntimeEndpoint"] == f"unix://{containerd['grpc']['address']}"
    assert (kubelet["cgroupDriver"] == "systemd") == runtime["options"]["SystemdCgroup"]
    assert kubelet["cgroupRoot"] == f"/{TWO.cgroup}/pods"
    assert Path(kubelet["resolvConf"]) in found


def test_a_kubeconfig_carries_everything_with_it() -> None:
    pair = pki.Pair("certificate", "key")
    config = yaml.safe_load(identities.kubeconfig(TWO, "authority", pair))
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    assert cluster["server"] == "https://10.70.7.1:6443"
    assert base64.b64decode(cluster["certificate-authority-data"]) == b"authority"
    assert base64.b64decode(user["client-key-data"]) == b"key"
    assert config["current-context"] == config["contexts"][0]["name"]


def test_a_control_plane_alone_has_no_certificates_of_a_node() -> None:
    alone = identities.subjects(Instance("api", control_plane_only=True))
    assert "kubelet" not in alone
    assert set(alone) < set(identities.subjects(ONE))


def test_nobody_but_the_administrators_is_in_the_group_that_may_everything() -> None:
    masters = {
        name for name, subject in identities.subjects(ONE).items() if "system:masters" in subject.groups
    }
    assert masters == {"admin", "apiserver-kubelet-client"}


def test_a_service_is_restarted_for_a_file_that_it_reads_and_for_no_other() -> None:
    found = {Path("/a/one"): "1", Path("/a/two"): "2"}
    assert services.named(["x", "--config=/a/one"], found) == "1"
    assert services.named(["x"], found) == ""


def test_mounts_cover_the_host_s_folders_before_anything_is_unmounted() -> None:
    commands = mounts.commands(TWO, Path("/sys/fs/cgroup/unified"))
    # Slave before shared, or mounts made inside would reach the host.
    assert [command[1] for command in commands[:2]] == ["--make-rslave", "--make-rshared"]
    bound = [command for command in commands if command[1] == "--bind"]
    assert {command[3] for command in bound} >= {"/run", "/var/lib", "/var/log"}
    assert all(command[2].startswith(str(TWO.state)) for command in bound)
    assert commands[-1] == ["umount", "/sys/fs/cgroup/unified"]
    assert not any(command[0] == "umount" for command in mounts.commands(TWO, None))


def test_the_network_touches_one_interface_of_the_host() -> None:
    outside = [command for command in network.commands(TWO) if "-n" not in command]
    assert {command[-1] if command[1] == "address" else command[3] for command in outside} == {"co-7"}
    assert any("10.70.7.254/24" in command for command in outside)
