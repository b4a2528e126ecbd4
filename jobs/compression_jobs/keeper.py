"""What a stage that trains is given to survive interruptions and to train with others.

Owns nothing but the two together; the runner makes it, `training.loop.train` uses it once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from compression_jobs.checkpoints import Checkpoints
from compression_jobs.errors import Defect
from compression_jobs.replicas import ALONE, Replica


@dataclass(slots=True)
class Keeper:
    """Checkpoints, and which replica this is."""

    checkpoints: Checkpoints | None = None
    """None keeps none, and SIGTERM unwinds at once."""
    replica: Replica = ALONE
    _claimed: bool = field(default=False, init=False)

    def claim(self) -> None:
        """Take it for a training.

        Raises:
            Defect: KeeperUsedTwice; one training would go on from the checkpoint of another.
        """
        if self._claimed:
            raise Defect("KeeperUsedTwice", "A stage trains twice with the same checkpoints.")
        self._claimed = True

    def due(self) -> bool:
        """Whether a checkpoint should be kept now; the first replica decides."""
        return self.checkpoints is not None and self.replica.first and self.checkpoints.due()
