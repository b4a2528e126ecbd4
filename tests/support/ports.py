"""Free TCP ports of this machine."""

from __future__ import annotations

import socket
from contextlib import ExitStack

GRPC_OFFSET = 10_000
"""SeaweedFS listens for gRPC this far above each HTTP port."""


def free(count: int, *, offset: int = 0) -> list[int]:
    """Ports that nobody listens on now; with an offset, the port that far above is free too."""
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            one = held.enter_context(socket.socket())
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            if port - offset <= 1024:
                continue
            if offset:
                other = held.enter_context(socket.socket())
                try:
                    other.bind(("127.0.0.1", port - offset))
                except OSError:
                    continue
                port -= offset
            found.append(port)
    return found
