"""The server process: signals, draining, exit.

Owns uvicorn and how a pod ends: on SIGTERM it turns unready but goes on answering until no Service sends
clients here any more, then stops listening, finishes what is in flight, and exits with 0.
"""

from __future__ import annotations

import asyncio
import signal
from types import FrameType

import uvicorn

from compression_serving.app import build_app
from compression_serving.service import Service


class _DrainingServer(uvicorn.Server):
    """uvicorn's server with a time between the signal and the closed listener."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self._drain: asyncio.TimerHandle | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal; a second one, or an interrupt from a terminal, ends at once."""
        if sig == signal.SIGINT or self._service.draining or not self.started:
            super().handle_exit(sig, frame)
            return
        self._service.drain()
        asyncio.get_running_loop().call_soon_threadsafe(self._close_later)

    def _close_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._drain = loop.call_later(self._service.settings.drain_seconds, self._close)

    def _close(self) -> None:
        self.should_exit = True


def serve(service: Service) -> None:
    """Serve until a signal; returns when everything in flight was answered."""
    settings = service.settings
    config = uvicorn.Config(
        build_app(service),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        ws="none",
        timeout_keep_alive=65,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    _DrainingServer(config, service).run()
