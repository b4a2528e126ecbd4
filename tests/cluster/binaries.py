"""Kubernetes, etcd, CoreDNS, helm and crane, built from one Go module whose go.mod pins every version.

Binaries lie in the cache under a key of all that decides their content, so a change of a pin builds anew
and an unchanged one never does.
"""

import hashlib
import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from cluster import paths
from cluster.errors import ClusterError
from cluster.instance import Instance
from cluster.progress import Report

_PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kubelet": "k8s.io/kubernetes/cmd/kubelet",
    "kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy",
    "coredns": "./coredns",
    "pause": "./pause",
    "helm": "helm.sh/helm/v3/cmd/helm",
    "crane": "github.com/google/go-containerregistry/cmd/crane",
}
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager")
NODE = tuple(name for name in _PACKAGES if name not in CONTROL_PLANE)


def needed(instance: Instance) -> Sequence[str]:
    """What an instance runs."""
    return CONTROL_PLANE if instance.control_plane_only else CONTROL_PLANE + NODE


def kubernetes_version(go_mod: str) -> str:
    """The version of Kubernetes that a go.mod text pins, such as v1.37.2."""
    match = re.search(r"^\s*(?:require )?k8s\.io/kubernetes (v\S+)", go_mod, re.MULTILINE)
    if match is None:
        raise ClusterError("go.mod requires no k8s.io/kubernetes; restore it from the repository")
    return match[1]


def linker_flags(version: str) -> str:
    """Linker flags that make the binaries say their version (component-base takes it from the linker)."""
    major, minor, _ = version.removeprefix("v").split(".", 2)
    package = "k8s.io/component-base/version"
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return " ".join(["-s", "-w", *(f"-X {package}.{name}={value}" for name, value in stamps.items())])


def folder() -> Path:
    """The folder of the binaries of this go.mod; on PATH it also serves helm and crane."""
    sources = sorted(path for path in paths.GO_MODULE.rglob("*") if path.suffix in {".mod", ".sum", ".go"})
    digest = hashlib.sha256(_flags().encode())
    for source in sources:
        digest.update(f"{source.relative_to(paths.GO_MODULE)}\n".encode() + source.read_bytes())
    return paths.cache() / "go" / digest.hexdigest()[:16]


def path(name: str) -> Path:
    """The path of one built binary."""
    return folder() / name


def missing(names: Iterable[str]) -> list[str]:
    """Those of the names that are not built yet."""
    return [name for name in names if not path(name).exists()]


def build(names: Iterable[str], report: Report) -> str:
    """Build what is missing; compiled packages stay in Go's own cache when this is interrupted."""
    target = folder()
    with paths.lock(target.with_suffix(".lock")):
        wanted = missing(names)
        if not wanted:
            return "cached"
        part = target.with_suffix(".part")
        part.mkdir(parents=True, exist_ok=True)
        packages = [_PACKAGES[name] for name in wanted]
        report("counting packages")
        total = len(set(_go("list", "-deps", *packages).split()))
        command = ["go", "build", "-v", "-trimpath", "-ldflags", _flags(), "-o", f"{part}/", *packages]
        _compile(command, total, report)
        target.mkdir(parents=True, exist_ok=True)
        for name in wanted:
            (part / _output(_PACKAGES[name])).replace(target / name)
    return f"built {len(wanted)}"


def _flags() -> str:
    return linker_flags(kubernetes_version((paths.GO_MODULE / "go.mod").read_text()))


def _output(package: str) -> str:
    # Go names a program after the last part of its path, and skips a major version there.
    parts = package.split("/")
    return parts[-2] if re.fullmatch(r"v\d+", parts[-1]) else parts[-1]


def _environment() -> dict[str, str]:
    return {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"}


def _go(*arguments: str) -> str:
    command = ["go", *arguments]
    result = subprocess.run(
        command, cwd=paths.GO_MODULE, env=_environment(), capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise ClusterError(
            f"{' '.join(command[:3])} failed in {paths.GO_MODULE}:\n{result.stderr.strip()[-2000:]}"
        )
    return result.stdout


def _compile(command: list[str], total: int, report: Report) -> None:
    said: list[str] = []
    compiled = 0
    with subprocess.Popen(
        command, cwd=paths.GO_MODULE, env=_environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            # `go build -v` names each package that it compiles; those in its cache it does not name.
            compiled += bool(re.fullmatch(r"[\w./~-]+\n", line))
            report(line.strip()[:48], compiled, total)
    if process.returncode:
        raise ClusterError(f"go build failed in {paths.GO_MODULE}:\n{''.join(said[-15:])}")
