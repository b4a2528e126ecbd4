import pytest

from cluster import debian
from cluster.errors import ClusterError

STATUS = """Package: runc
Status: install ok installed
Version: 1.0

Package: runcible
Status: install ok installed

Package: perl
Depends: runc
"""


def test_wanted_packages_count_as_not_installed() -> None:
    left = debian.without(STATUS, ["runc"])
    assert "Package: runc\n" not in left
    assert "Package: runcible" in left
    assert "Package: perl" in left


def test_without_wanted_packages_nothing_changes() -> None:
    assert debian.without(STATUS, ["nftables"]) == STATUS


def test_programs_are_found_where_debian_puts_them_and_alternatives_win(tmp_path) -> None:
    for place in ("usr/bin/ctr", "sbin/nft", "usr/sbin/iptables", "alternatives/iptables"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    tools = debian.Tools(tmp_path)
    assert tools.program("ctr") == tmp_path / "usr/bin/ctr"
    assert tools.program("nft") == tmp_path / "sbin/nft"
    assert tools.program("iptables") == tmp_path / "alternatives/iptables"
    with pytest.raises(ClusterError, match="podman is in none of the packages"):
        tools.program("podman")


def test_own_programs_and_libraries_come_before_those_of_the_host(tmp_path) -> None:
    environment = debian.Tools(tmp_path).environment(tmp_path / "first")
    path = environment["PATH"].split(":")
    assert path[0] == str(tmp_path / "first")
    assert path.index(str(tmp_path / "usr/sbin")) < path.index("/usr/sbin")
    assert all(folder.startswith(str(tmp_path)) for folder in environment["LD_LIBRARY_PATH"].split(":"))


def test_other_packages_go_to_another_folder_and_order_does_not_matter() -> None:
    assert debian._folder(["a", "b"]) == debian._folder(["b", "a"])
    assert debian._folder(["a", "b"]) != debian._folder(["a"])
