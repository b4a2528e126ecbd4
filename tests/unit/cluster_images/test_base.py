"""The base: what of a bootstrapped system belongs into an image, and what a layer above it must hold."""

import pytest

from cluster.images import base
from cluster.images.tarball import Entry


def names(entries) -> set[str]:
    return {entry.name for entry in entries}


@pytest.mark.parametrize(
    "name",
    [
        "etc/apt/sources.list",
        "etc/apt/sources.list.d/mirror.list",
        "etc/hostname",
        "etc/machine-id",
        "etc/resolv.conf",
        "dev/null",
        "usr/sbin/policy-rc.d",
        "usr/share/doc/zlib1g/changelog.Debian.gz",
        "var/cache/apt/pkgcache.bin",
        "var/lib/apt/lists/mirror_Packages",
        "var/lib/dpkg/status-old",
        "var/log/dpkg.log",
    ],
)
def test_nothing_of_the_machine_and_no_history_is_kept(name):
    assert names(base.kept([Entry(name, data=b"")])) == set()


@pytest.mark.parametrize(
    "name",
    [
        "dev",
        "etc/passwd",
        "usr/share/doc/zlib1g/copyright",
        "var/cache",
        "var/lib/apt/lists",
        "var/lib/dpkg/status",
    ],
)
def test_folders_licences_and_the_list_of_packages_are_kept(name):
    assert names(base.kept([Entry(name, data=b"")])) == {name}


def test_the_real_daemon_starter_takes_its_place_back():
    entries = [Entry("usr/sbin/start-stop-daemon", data=b"stand-in")]
    entries.append(Entry("usr/sbin/start-stop-daemon.REAL", data=b"real"))
    assert [(entry.name, entry.data) for entry in base.kept(entries)] == [
        ("usr/sbin/start-stop-daemon", b"real")
    ]


def by_name(*entries: Entry) -> dict[str, Entry]:
    return {entry.name: entry for entry in entries}


BELOW = by_name(
    Entry("usr", 0o755),
    Entry("usr/same", data=b"1"),
    Entry("usr/gone", data=b"1"),
    Entry("usr/old", data=b"1"),
)


def test_a_layer_holds_what_is_new_or_changed_and_a_whiteout_for_what_is_gone():
    above = by_name(
        BELOW["usr"], BELOW["usr/same"], Entry("usr/old", data=b"2"), Entry("usr/bin/git", data=b"3")
    )
    found = names(base.difference(BELOW, above | by_name(Entry("usr/bin", 0o755))))
    assert found == {"usr", "usr/old", "usr/bin", "usr/bin/git", "usr/.wh.gone"}


def test_a_changed_mode_is_a_change():
    above = {**BELOW, "usr/same": Entry("usr/same", 0o600, b"1")}
    assert names(base.difference(BELOW, above)) == {"usr", "usr/same"}


def test_equal_trees_differ_in_nothing():
    assert names(base.difference(BELOW, dict(BELOW))) == set()
