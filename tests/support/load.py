"""Clients of a served model that ask without a pause and count what goes wrong; `python -m support.load`.

Owns the client's process: one worker on a connection that it keeps, one on a new connection each time. Needs
nothing but the standard library, as it starts often and shares a small machine with what it asks. An answer
that no release gives is wrong, but it is an answer: failures are errors of HTTP or of the connection.
"""

from __future__ import annotations

import argparse
import http.client
import json
import select
import signal
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

WRONG = "wrong"
TIMEOUT_SECONDS = 20.0
_KEPT_FAILURES = 20
_REPORT_SECONDS = 0.25


@dataclass(frozen=True)
class Question:
    """What is asked, and what each release answers to it.

    `answers` are flat outputs by the release's name; an answer is a release's if no value is further from its
    own than `tolerance`.
    """

    url: str
    body: dict[str, Any]
    answers: dict[str, list[float]]
    tolerance: float

    def who_says(self, values: Sequence[float]) -> str:
        """The release that gives this answer; WRONG if none does."""
        for name, expected in self.answers.items():
            pairs = zip(values, expected, strict=False)
            if len(values) == len(expected) and all(abs(a - b) <= self.tolerance for a, b in pairs):
                return name
        return WRONG


@dataclass
class Report:
    """What clients met. Times are seconds since the epoch; nothing counts before the first answer."""

    requests: int = 0
    failed: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)
    """The first failures: when, which kind of connection, what happened."""
    answers: Counter[str] = field(default_factory=Counter)
    """Answers by the release that gives them."""
    begun: float | None = None
    first_wrong: float | None = None
    last_wrong: float | None = None
    last_answer: float | None = None
    longest: float = 0.0
    """Seconds that the slowest request took."""

    @property
    def rate(self) -> float:
        """Requests a second."""
        if self.begun is None or self.last_answer is None or self.last_answer == self.begun:
            return 0.0
        return self.requests / (self.last_answer - self.begun)

    @classmethod
    def read(cls, path: Path) -> Report:
        """The report that a process wrote last; an empty one if it wrote none yet."""
        if not path.exists():
            return cls()
        said = json.loads(path.read_text())
        return cls(**{**said, "answers": Counter(said["answers"])})


class Book:
    """The report while it is written, by several workers."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.report = Report()
        self._lock = threading.Lock()

    def answered(self, values: Sequence[float], seconds: float) -> None:
        """Enter an answer."""
        who, now = self.question.who_says(values), time.time()
        with self._lock:
            report = self.report
            report.begun = report.begun or now
            report.requests += 1
            report.answers[who] += 1
            report.last_answer, report.longest = now, max(report.longest, seconds)
            if who == WRONG:
                report.first_wrong, report.last_wrong = report.first_wrong or now, now

    def failed(self, connection: str, what: str) -> None:
        """Enter a failure; before the first answer there is no service that could fail."""
        with self._lock:
            report = self.report
            if report.begun is None:
                return
            report.requests += 1
            report.failed += 1
            if len(report.failures) < _KEPT_FAILURES:
                report.failures.append({"at": time.time(), "connection": connection, "what": what})

    def write(self, path: Path) -> None:
        """Put the report down where others read it; they never see half of one."""
        with self._lock:
            text = json.dumps(vars(self.report))
        beside = path.with_suffix(".new")
        beside.write_text(text)
        beside.replace(path)


class Worker:
    """Asks at a steady rate until it is told to stop."""

    def __init__(self, book: Book, *, keeps: bool) -> None:
        address = urlsplit(book.question.url)
        self._host, self._port, self._path = address.hostname or "", address.port, address.path
        self._body = json.dumps(book.question.body).encode()
        self._book, self._keeps = book, keeps
        self._connection: http.client.HTTPConnection | None = None

    def run(self, rate: float, stop: threading.Event) -> None:
        """Ask `rate` times a second; what is late is left out, not made up for."""
        due = time.monotonic()
        while not stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + 1 / rate, time.monotonic())
            self.ask()

    def ask(self) -> None:
        """Ask once, and enter what came of it."""
        began = time.monotonic()
        try:
            connection = self._open()
            connection.request("POST", self._path, self._body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            raw = answer.read()
            if answer.status != http.client.OK:
                self._fail(f"{answer.status}: {raw[:200].decode(errors='replace')}")
                return
            values = json.loads(raw)["outputs"][0]["data"]
        except (OSError, http.client.HTTPException, ValueError, LookupError) as error:
            self._fail(f"{type(error).__name__}: {error}")
            return
        self._book.answered(values, time.monotonic() - began)
        if not self._keeps:
            self.close()

    def _open(self) -> http.client.HTTPConnection:
        """A connection to ask on; one that the server has closed while it was idle is not used again."""
        kept = self._connection
        if kept is not None and kept.sock is not None and select.select([kept.sock], [], [], 0)[0]:
            self.close()
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS)
        return self._connection

    def _fail(self, what: str) -> None:
        self._book.failed("kept" if self._keeps else "new", what)
        self.close()

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask until SIGTERM."""
    parser = argparse.ArgumentParser(prog="support.load", description=__doc__)
    parser.add_argument("question", type=Path, help="a file with a Question as JSON")
    parser.add_argument("report", type=Path, help="where the report is kept up to date")
    parser.add_argument("--rate", type=float, default=30.0, help="requests a second, of all workers together")
    chosen = parser.parse_args(arguments)
    said: Mapping[str, Any] = json.loads(chosen.question.read_text())
    book, stop = Book(Question(**said)), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    workers = [Worker(book, keeps=keeps) for keeps in (True, False)]
    threads = [
        threading.Thread(target=worker.run, args=(chosen.rate / len(workers), stop)) for worker in workers
    ]
    for thread in threads:
        thread.start()
    while not stop.wait(_REPORT_SECONDS):
        book.write(chosen.report)
    for thread in threads:
        thread.join()
    book.write(chosen.report)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
