"""Which of several pods this one is, where pods train together.

Owns reading it from the environment that an Indexed Job gives. Must not talk to the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from compression_contract.keys import ENV_MASTER, ENV_RANK
from compression_jobs.errors import Misconfigured

PATIENCE: Final = "COMPRESSION_PEER_SECONDS"
"""How long to wait for the others at the start."""
PATIENCE_SECONDS: Final = 600.0


class NotFirst(BaseException):
    """This replica has helped to the end of the training; the first one goes on alone."""


@dataclass(frozen=True, slots=True)
class Replica:
    """One of `count` processes that train one network together."""

    index: int = 0
    count: int = 1
    master: str = ""
    patience_seconds: float = PATIENCE_SECONDS

    @property
    def first(self) -> bool:
        """Whether it writes checkpoints, artifact and result; the others only help."""
        return self.index == 0


ALONE: Final = Replica()


def from_environment(environment: Mapping[str, str], count: int) -> Replica:
    """This process's place.

    Args:
        environment: of the process.
        count: of processes, from the stage's input.

    Raises:
        Misconfigured: ReplicaUnknown.
    """
    if count == 1:
        return ALONE
    index, master = environment.get(ENV_RANK, ""), environment.get(ENV_MASTER, "")
    host, _, port = master.rpartition(":")
    if not (index.isdecimal() and int(index) < count and host and port.isdecimal()):
        raise Misconfigured(
            "ReplicaUnknown",
            f"This pod cannot tell which of {count} it is ({ENV_RANK}={index!r}, {ENV_MASTER}={master!r}); "
            "training with replicas needs an Indexed Job and the address of its first pod.",
        )
    try:
        patience = float(environment.get(PATIENCE, PATIENCE_SECONDS))
    except ValueError as error:
        raise Misconfigured("ReplicaUnknown", f"{PATIENCE} is no number of seconds; correct it.") from error
    return Replica(int(index), count, master, patience)
