"""A client's process in the cluster's network, and what it has met so far.

Owns starting and stopping of `support.load`, and the making of its question from releases.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from cluster.client import Cluster
from support import tiny
from support.load import TIMEOUT_SECONDS, Question, Report
from support.releases import Release

TESTS = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Clients:
    """Clients that are asking."""

    process: subprocess.Popen[bytes]
    file: Path

    def report(self) -> Report:
        """What they have met so far."""
        return Report.read(self.file)

    def until(self, answers: int, of: str = "", seconds: float = 60) -> Report:
        """Wait for so many more answers, of one release if it is named; returns the report then.

        Raises:
            AssertionError: they did not come.
        """
        end, before = time.monotonic() + seconds, self._answers(of)
        while self._answers(of) < before + answers:
            assert self.process.poll() is None, f"the clients' process ended with {self.process.returncode}"
            assert time.monotonic() < end, f"not {answers} answers of {of or 'anybody'} in {seconds:.0f} s"
            time.sleep(0.1)
        return self.report()

    def stop(self) -> Report:
        """Let them finish what they asked; returns all that they met."""
        self.process.terminate()
        self.process.wait(TIMEOUT_SECONDS + 10)
        return self.report()

    def _answers(self, of: str) -> int:
        answers = self.report().answers
        return answers[of] if of else answers.total()


def question(url: str, releases: Sequence[Release]) -> Question:
    """One golden sample of each class, to which every release must give answers of its own."""
    first = releases[0]
    spec = first.described.inputs[0]
    sample = first.inputs[: tiny.CLASSES]
    tensor = {"name": spec.name, "datatype": spec.datatype, "shape": list(sample.shape)}
    answers = {each.name: each.outputs[: tiny.CLASSES].ravel().tolist() for each in releases}
    assert len(set(map(tuple, answers.values()))) == len(answers), "releases answer alike"
    return Question(
        url=url,
        body={"inputs": [{**tensor, "data": sample.ravel().tolist()}]},
        answers=answers,
        tolerance=first.described.tolerance.max_absolute_difference,
    )


@contextmanager
def asking(cluster: Cluster, asked: Question, folder: Path) -> Iterator[Clients]:
    """Clients that ask from inside the cluster's network, as pods do, until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "question.json").write_text(json.dumps(asdict(asked)))
    report = folder / "report.json"
    command = cluster.inside(sys.executable, "-m", "support.load", str(folder / "question.json"), str(report))
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(TESTS)})
    clients = Clients(process, report)
    try:
        yield clients
    finally:
        if process.poll() is None:
            clients.stop()
