"""Starts the server as a process of its own, as the serving image does."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[3]


class Server:
    """A running server and a client of it."""

    def __init__(self, process: subprocess.Popen, host: str, port: int, log: Path) -> None:
        self.process, self.port, self.log = process, port, log
        self.client = httpx.Client(base_url=f"http://{host}:{port}", timeout=30)

    def wait_until_live(self) -> None:
        for _ in range(600):
            assert self.process.poll() is None, self.log.read_text()
            try:
                if self.client.get("/v2/health/live").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(f"the server does not answer: {self.log.read_text()}")


def environment(folder: Path, port: int, **settings: object) -> dict[str, str]:
    given = {"model_folder": folder, "host": "127.0.0.1", "port": port, **settings}
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "jobs"),
        "OMP_NUM_THREADS": "1",
        **{f"COMPRESSION_SERVING_{name.upper()}": str(value) for name, value in given.items()},
    }


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def launch(
    folder: Path, log: Path, port: int | None = None, **settings: object
) -> tuple[subprocess.Popen, int]:
    port = port or free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "compression_serving"],
            env=environment(folder, port, **settings),
            stdout=output,
            stderr=output,
            cwd="/",
        )
    return process, port


@contextmanager
def serving(folder: Path, log: Path, **settings: object) -> Iterator[Server]:
    """A server for the length of a block; it is killed at the end unless it has ended."""
    process, port = launch(folder, log, **settings)
    server = Server(process, str(settings.get("host", "127.0.0.1")), port, log)
    try:
        server.wait_until_live()
        yield server
    finally:
        server.client.close()
        if process.poll() is None:
            process.kill()
        process.wait(20)
