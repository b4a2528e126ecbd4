"""Buckets: made once, and only when the store has room; the words are those of SeaweedFS 4."""

import pytest

from cluster.errors import ClusterError
from cluster.neighbours import buckets

EMPTY = "Topology volumeSizeLimit:256 MB\ntotal size:0 file_count:0\n"
ROOM = (
    "Topology volumeSizeLimit:256 MB hdd(volume:0/64 active:0 free:64 remote:0)\ntotal size:0 file_count:0\n"
)


class Shell:
    """SeaweedFS' shell: what it says, and which buckets it makes."""

    def __init__(self, topology: list[str], known: list[str]) -> None:
        self.topology, self.known, self.asked = topology, known, []
        self.makes = True

    def __call__(self, *_: str, stdin: str | None = None) -> str:
        said = ""
        for command in (stdin or "").splitlines():
            self.asked.append(command)
            verb, *rest = command.split()
            if verb == "volume.list":
                said += self.topology.pop(0) if len(self.topology) > 1 else self.topology[0]
            elif verb == "s3.bucket.list":
                said += "".join(f"  {name}\tsize:0\tlogical:0\tchunk:0\n" for name in self.known)
            elif self.makes:
                self.known.append(rest[-1])
        return said


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)


def test_a_bucket_is_made_once():
    shell = Shell([ROOM], [])
    assert [buckets.ensure(shell, "team-a"), buckets.ensure(shell, "team-a")] == ["made", "there already"]
    assert shell.known == ["team-a"]


def test_a_bucket_whose_name_starts_another_is_another():
    assert buckets.ensure(Shell([ROOM], ["team-a-b"]), "team-a") == "made"


def test_nothing_is_made_before_there_is_room():
    shell = Shell([EMPTY, EMPTY, ROOM], [])
    buckets.ensure(shell, "team-a")
    assert [command.split()[0] for command in shell.asked].count("volume.list") == 3
    assert shell.known == ["team-a"]


def test_a_store_that_makes_nothing_is_an_error():
    shell = Shell([ROOM], [])
    shell.makes = False
    with pytest.raises(ClusterError, match="made no bucket team-a"):
        buckets.ensure(shell, "team-a")
