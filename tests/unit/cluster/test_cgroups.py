from pathlib import Path

import pytest

from cluster import cgroups
from cluster.errors import ClusterError

HYBRID = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
33 31 0:30 / /sys/fs/cgroup/pids rw,relatime shared:9 - cgroup cgroup rw,pids
34 31 0:31 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
35 31 0:32 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
UNIFIED = """\
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate
"""


def test_a_hybrid_machine_is_version_1_with_2_beside_it() -> None:
    assert cgroups.parse(HYBRID) == cgroups.Layout(
        version=1,
        hierarchies=tuple(Path("/sys/fs/cgroup", name) for name in ("cpu,cpuacct", "pids", "systemd")),
        tracking=Path("/sys/fs/cgroup/pids"),
        hybrid=Path("/sys/fs/cgroup/unified"),
    )


def test_version_2_alone_is_one_hierarchy() -> None:
    root = Path("/sys/fs/cgroup")
    assert cgroups.parse(UNIFIED) == cgroups.Layout(2, (root,), root)


def test_a_machine_without_cgroups_is_refused() -> None:
    with pytest.raises(ClusterError, match="no cgroups are mounted"):
        cgroups.parse("27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n")


def test_a_new_cpuset_takes_over_what_its_parent_has(tmp_path) -> None:
    child = tmp_path / "child"
    child.mkdir()
    for name, text in {"cpuset.cpus": "0-1\n", "cpuset.mems": "0\n"}.items():
        (tmp_path / name).write_text(text)
        (child / name).write_text("\n")
    cgroups._inherit_cpuset(child)
    assert (child / "cpuset.cpus").read_text() == "0-1\n"
    (tmp_path / "cpuset.cpus").write_text("0\n")
    cgroups._inherit_cpuset(child)
    assert (child / "cpuset.cpus").read_text() == "0-1\n"


def test_folders_below_come_before_those_above(tmp_path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "c").mkdir()
    found = list(cgroups._below(tmp_path))
    assert found.index(tmp_path / "a" / "b") < found.index(tmp_path / "a")
    assert found[-1] == tmp_path
    assert list(cgroups._below(tmp_path / "none")) == []
