import shutil

import pytest

from cluster import binaries, paths
from cluster.errors import ClusterError

GO_MOD = (paths.GO_MODULE / "go.mod").read_text()


def test_the_version_is_the_one_that_go_mod_pins() -> None:
    text = "require (\n\tk8s.io/api v0.2.0 // indirect\n\tk8s.io/kubernetes v1.2.3 // indirect\n)\n"
    assert binaries.kubernetes_version(text) == "v1.2.3"
    assert binaries.kubernetes_version("require k8s.io/kubernetes v1.2.4\n") == "v1.2.4"
    with pytest.raises(ClusterError, match=r"no k8s\.io/kubernetes"):
        binaries.kubernetes_version("module example\n")


def test_the_binaries_say_that_version() -> None:
    flags = binaries.linker_flags("v1.37.2").split()
    assert "k8s.io/component-base/version.gitVersion=v1.37.2" in flags
    assert "k8s.io/component-base/version.gitMajor=1" in flags
    assert "k8s.io/component-base/version.gitMinor=37" in flags


@pytest.mark.parametrize(
    ("package", "program"),
    [
        ("go.etcd.io/etcd/server/v3", "server"),
        ("k8s.io/kubernetes/cmd/kubelet", "kubelet"),
        ("./coredns", "coredns"),
        ("helm.sh/helm/v3/cmd/helm", "helm"),
    ],
)
def test_go_names_a_program_after_its_path(package: str, program: str) -> None:
    assert binaries._output(package) == program


def test_staging_modules_are_of_the_same_release() -> None:
    minor, patch = binaries.kubernetes_version(GO_MOD).removeprefix("v1.").split(".")
    replaced = [line.split() for line in GO_MOD.splitlines() if " => k8s.io/" in line]
    assert replaced
    assert {line[-1] for line in replaced} == {f"v0.{minor}.{patch}"}


def test_a_changed_source_is_built_into_another_folder(tmp_path, monkeypatch) -> None:
    module = tmp_path / "go"
    shutil.copytree(paths.GO_MODULE, module)
    monkeypatch.setattr(paths, "GO_MODULE", module)
    before = binaries.folder()
    assert binaries.folder() == before
    (module / "pause" / "main.go").write_text("package main\n")
    changed = binaries.folder()
    assert changed != before
    with (module / "go.sum").open("a") as sums:
        sums.write("example.com/x v1.0.0 h1:x=\n")
    assert binaries.folder() not in {before, changed}


def test_what_is_built_is_not_missing(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("COMPRESSION_OPERATOR_CACHE", str(tmp_path))
    binaries.folder().mkdir(parents=True)
    binaries.path("etcd").touch()
    assert binaries.missing(["etcd", "kubelet"]) == ["kubelet"]
