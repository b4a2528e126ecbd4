"""Compare server libraries for the serving image: latency, memory, size, packages, start.

Run as `python -m bench.serving.compare FOLDER [NAME …]` with tests/ and jobs/ on PYTHONPATH; each candidate
gets a virtual environment of its own below FOLDER, made with uv. With `--advisories` and a checkout of
github.com/pypa/advisory-database its packages are looked up there. The network is so small that nearly all of
a request's time is the server's. Nothing here asserts: the table is for a person.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import numpy as np

from bench.serving import advisories
from component.serving import model_folder
from component.serving.server_process import free_port

ROOT = Path(__file__).parents[3]
CANDIDATES = Path(__file__).parent / "candidates"
CALLS, WARM_UP, CLIENTS, ROUNDS = 400, 200, 8, 6


@dataclass(frozen=True)
class Candidate:
    """A server library: what is installed, and how it is started on a model folder and a port."""

    packages: tuple[str, ...]
    command: Callable[[Path, Path, int, Path], list[str]]
    environment: Callable[[Path, int], dict[str, str]] = lambda _folder, _port: {}


def _ours(folder: Path, port: int) -> dict[str, str]:
    prefix = "COMPRESSION_SERVING_"
    return {
        "PYTHONPATH": str(ROOT / "jobs"),
        f"{prefix}MODEL_FOLDER": str(folder),
        f"{prefix}HOST": "127.0.0.1",
        f"{prefix}PORT": str(port),
        f"{prefix}LOG_LEVEL": "warning",
    }


def _script(name: str) -> Callable[[Path, Path, int, Path], list[str]]:
    return lambda python, folder, port, _scratch: [
        str(python),
        str(CANDIDATES / name),
        str(folder),
        str(port),
    ]


def _mlserver(python: Path, _folder: Path, port: int, scratch: Path) -> list[str]:
    scratch.mkdir(exist_ok=True)
    settings = {"http_port": port, "grpc_port": free_port(), "metrics_port": free_port(), "host": "127.0.0.1"}
    settings |= {"parallel_workers": 0, "debug": False}
    (scratch / "settings.json").write_text(json.dumps(settings))
    model = {"name": "tiny", "implementation": "mlserver_runtime.Tiny"}
    (scratch / "model-settings.json").write_text(json.dumps(model))
    return [str(python.with_name("mlserver")), "start", str(scratch)]


_MODEL = ("numpy", "onnxruntime", "orjson")
_PLAIN = (*_MODEL, "prometheus-client", "pydantic", "starlette", "uvicorn")
_OURS = (*_PLAIN, "httptools", "uvloop")
_MODULE = lambda python, _folder, _port, _scratch: [str(python), "-m", "compression_serving"]  # noqa: E731

TABLE = {
    "starlette + uvicorn (ours)": Candidate(_OURS, _MODULE, _ours),
    "… without uvloop": Candidate((*_PLAIN, "httptools"), _MODULE, _ours),
    "… without uvloop, httptools": Candidate(_PLAIN, _MODULE, _ours),
    "aiohttp": Candidate((*_MODEL, "prometheus-client", "pydantic", "aiohttp"), _script("aiohttp_server.py")),
    "litserve": Candidate((*_MODEL, "litserve"), _script("litserve_server.py")),
    "kserve": Candidate((*_MODEL, "kserve"), _script("kserve_server.py")),
    "mlserver": Candidate(
        (*_MODEL, "mlserver"),
        _mlserver,
        lambda folder, _port: {"PYTHONPATH": str(CANDIDATES), "BENCH_MODEL_FOLDER": str(folder)},
    ),
}


def environment_of(name: str, candidate: Candidate, folder: Path) -> Path:
    """The candidate's Python, installed once."""
    place = folder / "".join(letter if letter.isalnum() else "-" for letter in name).strip("-")
    python = place / "bin/python"
    if not (place / "done").exists():
        shutil.rmtree(place, ignore_errors=True)
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        subprocess.run(["uv", "venv", "-q", "-p", version, str(place)], check=True)
        install = ["uv", "pip", "install", "-q", "--python", str(python), *candidate.packages]
        subprocess.run(install, check=True)
        (place / "done").touch()
    return python


def site_packages(python: Path) -> Path:
    """Where an environment keeps its packages."""
    return next(python.parents[1].glob("lib/python*/site-packages"))


def installed(python: Path) -> tuple[int, float]:
    """Packages, and the MB of site-packages without bytecode."""
    site = site_packages(python)
    count = len(list(site.glob("*.dist-info")))
    files = (path for path in site.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return count, sum(path.stat().st_size for path in files) / 1e6


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found, pending = [], [pid]
    while pending:
        one = pending.pop()
        found.append(one)
        for task in Path(f"/proc/{one}/task").iterdir():
            pending += [int(child) for child in (task / "children").read_text().split()]
    return found


def resident(pid: int) -> float:
    """MB of proportional resident memory of a process tree."""
    rollups = [Path(f"/proc/{one}/smaps_rollup").read_text() for one in tree(pid)]
    lines = [line for rollup in rollups for line in rollup.splitlines() if line.startswith("Pss:")]
    return sum(int(line.split()[1]) for line in lines) / 1000


def processor_seconds(pid: int) -> float:
    """Processor time that a process tree has used; other programs' load does not change it much."""
    ticks = 0
    for one in tree(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def calls(port: int, body: bytes, count: int) -> list[float]:
    """Seconds of `count` calls over one connection."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Content-Type": "application/json"}
    seconds = []
    for _ in range(count):
        started = time.perf_counter()
        connection.request("POST", "/v2/models/tiny/infer", body=body, headers=headers)
        response = connection.getresponse()
        answer = response.read()
        seconds.append(time.perf_counter() - started)
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {answer[:200]!r}")
    connection.close()
    return seconds


def throughput(port: int, body: bytes) -> float:
    """Answers a second with several clients at once."""
    threads = [threading.Thread(target=calls, args=(port, body, CALLS // CLIENTS)) for _ in range(CLIENTS)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return CALLS // CLIENTS * CLIENTS / (time.perf_counter() - started)


class Contestant:
    """A running candidate and what was measured of it."""

    def __init__(self, name: str, candidate: Candidate, folder: Path, model: Path) -> None:
        self.name = name
        self.python = environment_of(name, candidate, folder)
        self.port = free_port()
        self.rounds: list[list[float]] = []
        self.rates: list[float] = []
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "OMP_NUM_THREADS": "1"}
        environment |= candidate.environment(model, self.port)
        command = candidate.command(self.python, model, self.port, folder / "scratch")
        with (folder / f"{self.python.parents[1].name}.log").open("wb") as log:
            self.process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        self.started = self._wait_until_ready()

    def _wait_until_ready(self) -> float:
        started = time.perf_counter()
        while time.perf_counter() - started < 120 and self.process.poll() is None:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
            try:
                connection.request("GET", "/v2/health/ready")
                if connection.getresponse().status == 200:
                    return time.perf_counter() - started
            except OSError:
                time.sleep(0.02)
            finally:
                connection.close()
        raise RuntimeError(f"{self.name} does not get ready")

    def row(self, processor: float, database: Path | None) -> str:
        """The table's row; of each round's percentiles the least disturbed one counts."""
        findings = advisories.of(site_packages(self.python), database) if database else None
        p50, p95 = (min(np.percentile(one, share) for one in self.rounds) * 1000 for share in (50, 95))
        packages, megabytes = installed(self.python)
        cells = (
            f"{p50:.2f}",
            f"{p95:.2f}",
            f"{processor * 1000 / (len(self.rounds) * CALLS):.2f}",
            f"{max(self.rates):.0f}",
            f"{resident(self.process.pid):.0f}",
            f"{self.started:.1f}",
            packages,
            f"{megabytes:.0f}",
            f"{findings.open} / {findings.ever}" if findings else "-",
        )
        return f"| {self.name} | " + " | ".join(map(str, cells)) + " |"

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)


def compete(contestants: list[Contestant], body: bytes, database: Path | None) -> None:
    """Rounds in turn, so that the machine's other load meets all of them alike; prints the table."""
    for contestant in contestants:
        calls(contestant.port, body, WARM_UP)
    before = {contestant.name: processor_seconds(contestant.process.pid) for contestant in contestants}
    for _ in range(ROUNDS):
        for contestant in contestants:
            contestant.rounds.append(calls(contestant.port, body, CALLS))
    used = {one.name: processor_seconds(one.process.pid) - before[one.name] for one in contestants}
    for _ in range(ROUNDS):
        for contestant in contestants:
            contestant.rates.append(throughput(contestant.port, body))
    rate = f"answers/s of {CLIENTS} clients"
    print(f"| server | p50 ms | p95 ms | CPU ms | {rate} | MB | start s | packages | site MB | advisories |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for contestant in contestants:
        print(contestant.row(used[contestant.name], database))


def main() -> None:
    """Install, start, measure, stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="rows to measure; all of them by default")
    parser.add_argument("--advisories", type=Path, help="a checkout of github.com/pypa/advisory-database")
    given = parser.parse_args()
    folder = given.folder.resolve()
    model = model_folder.write(folder / "models")
    rows = model.inputs[:1]
    tensor = {"name": "image", "shape": list(rows.shape), "datatype": "FP32", "data": rows.ravel().tolist()}
    body = json.dumps({"id": "1", "inputs": [tensor]}).encode()
    contestants: list[Contestant] = []
    try:
        for name, candidate in TABLE.items():
            if not given.names or name in given.names:
                contestants.append(Contestant(name, candidate, folder, model.path))
        compete(contestants, body, given.advisories)
    finally:
        for contestant in contestants:
            contestant.stop()


if __name__ == "__main__":
    main()
