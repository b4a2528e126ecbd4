from dataclasses import replace
from pathlib import Path

import pytest

from cluster import preflight
from cluster.preflight import CONTROL_PLANE, WHOLE, Machine

GIB = 2**30
GOOD = Machine(
    is_root=True,
    programs=frozenset(WHOLE.programs),
    go="",
    free_disk=WHOLE.disk * GIB,
    free_memory=WHOLE.memory * GIB,
    cgroups="",
    filesystem="ext4",
    has_overlay=True,
    busy="",
    cache=Path("/home/a/.cache/x"),
    state=Path("/home/a/.cache/x/state"),
)


def test_a_good_machine_has_no_problems() -> None:
    assert preflight.problems(GOOD, WHOLE) == []


@pytest.mark.parametrize(
    ("change", "what", "remedy"),
    [
        ({"is_root": False}, "not root", "sudo"),
        ({"programs": GOOD.programs - {"ip"}}, "no ip", "apt-get install iproute2"),
        (
            {"programs": GOOD.programs - {"nsenter", "unshare"}},
            "no nsenter, unshare",
            "apt-get install util-linux",
        ),
        ({"programs": GOOD.programs - {"apt-get"}}, "no apt-get", "Debian or Ubuntu"),
        ({"go": "no go on PATH"}, "no go on PATH", "https://go.dev/dl/"),
        ({"free_disk": WHOLE.disk * GIB - 1}, "15 needed", "COMPRESSION_OPERATOR_CACHE"),
        ({"free_memory": WHOLE.memory * GIB - 1}, "6 needed", "larger machine"),
        ({"cgroups": "run it with --privileged"}, "no usable cgroups", "--privileged"),
        ({"has_overlay": False}, "overlay", "modprobe overlay"),
        ({"filesystem": "overlay"}, "/home/a/.cache/x/state is on an overlay", "COMPRESSION_OPERATOR_STATE"),
        ({"busy": "10.70.0.0/24 is in use"}, "10.70.0.0/24 is in use", "--name"),
        ({"cache": Path("/var/lib/ci/cache")}, "/var/lib/ci/cache", "COMPRESSION_OPERATOR_CACHE"),
        ({"state": Path("/run/x")}, "/run/x", "COMPRESSION_OPERATOR_STATE"),
    ],
)
def test_what_is_missing_is_named_with_its_remedy(change, what, remedy) -> None:
    (problem,) = preflight.problems(replace(GOOD, **change), WHOLE)
    assert what in problem.what
    assert remedy in problem.remedy


def test_everything_missing_is_said_at_once() -> None:
    bad = replace(GOOD, is_root=False, programs=frozenset(), go="too old", free_disk=0, free_memory=0)
    found = preflight.problems(bad, WHOLE)
    text = preflight.message(found)
    assert len(found) == 5
    assert all(f"- {problem.what}: {problem.remedy}" in text for problem in found)


def test_a_control_plane_alone_needs_less() -> None:
    small = replace(
        GOOD,
        programs=frozenset(CONTROL_PLANE.programs),
        free_disk=CONTROL_PLANE.disk * GIB,
        free_memory=CONTROL_PLANE.memory * GIB,
        has_overlay=False,
        state=Path("/run/x"),
    )
    assert preflight.problems(small, CONTROL_PLANE) == []
    assert preflight.problems(small, WHOLE)


def test_the_file_system_is_that_of_the_nearest_and_latest_mount() -> None:
    mountinfo = """\
27 1 254:0 / / rw,relatime - overlay overlay rw
28 27 254:1 / /home rw,relatime shared:1 - xfs /dev/vdb rw
29 27 254:2 / /home rw,relatime shared:2 - ext4 /dev/vdc rw
30 27 254:3 / /homeless rw,relatime - tmpfs tmpfs rw
"""
    found = {
        folder: preflight.filesystem_of(Path(folder), mountinfo)
        for folder in ("/home/a/b", "/srv", "/homeless")
    }
    assert found == {"/home/a/b": "ext4", "/srv": "overlay", "/homeless": "tmpfs"}


def test_available_memory_is_read_in_bytes() -> None:
    meminfo = "MemTotal:       200 kB\nMemFree:          1 kB\nMemAvailable:     100 kB\n"
    assert preflight._available_memory(meminfo) == 100 * 1024
