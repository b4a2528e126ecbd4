"""The clients of the end-to-end tests notice what they are there to notice."""

from __future__ import annotations

import json
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from support.load import WRONG, Book, Question, Report, Worker

RIGHT, OTHER, ODD = [1.0, 0.0], [0.0, 1.0], [5.0, 5.0]


@contextmanager
def server(*script: object) -> Iterator[str]:
    """A server that answers by the next word of a script: outputs, a status, or `hang up`.

    Outputs in a tuple are the last on their connection, which the answer does not say.
    """
    words = iter(script)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            word = next(words)
            if word == "hang up":
                self.close_connection = True
                return
            last = isinstance(word, tuple)
            body = json.dumps({"outputs": [{"data": word}]}).encode()
            self.send_response(word if isinstance(word, int) else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = last

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/infer"
        running.shutdown()
        thread.join()


def ask(url: str, times: int, *, keeps: bool) -> Report:
    """What a worker met that asked so many times."""
    book = Book(Question(url, {"inputs": []}, {"v1": RIGHT, "v2": OTHER}, tolerance=0.1))
    worker = Worker(book, keeps=keeps)
    for _ in range(times):
        worker.ask()
    worker.close()
    return book.report


@pytest.mark.parametrize("keeps", [True, False], ids=["kept connection", "new connections"])
def test_answers_are_told_apart_and_every_failure_counts(keeps: bool) -> None:
    with server(RIGHT, OTHER, ODD, 503, "hang up", [1.05, 0.0], [1.0]) as url:
        report = ask(url, 7, keeps=keeps)
    assert report.answers == {"v1": 2, "v2": 1, WRONG: 2}
    assert (report.requests, report.failed) == (7, 2)
    assert report.failures[0]["what"].startswith("503")
    assert {failure["connection"] for failure in report.failures} == {"kept" if keeps else "new"}
    assert report.first_wrong is not None
    assert report.last_wrong is not None
    assert report.first_wrong < report.last_wrong


def test_nothing_counts_before_the_first_answer() -> None:
    with server(503, 503, RIGHT) as url:
        report = ask(url, 3, keeps=True)
    assert (report.requests, report.failed) == (1, 0)


def test_nobody_there_is_a_failure() -> None:
    with server(RIGHT) as url:
        book = Book(Question(url, {"inputs": []}, {"v1": RIGHT}, tolerance=0.1))
        worker = Worker(book, keeps=False)
        worker.ask()
    worker.ask()
    assert (book.report.requests, book.report.failed, book.report.answers) == (2, 1, {"v1": 1})
    assert "refused" in book.report.failures[0]["what"]


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert Report.read(tmp_path / "none") == Report()
    book = Book(Question("", {}, {"v1": RIGHT}, tolerance=0.1))
    book.answered(ODD, 0.1)
    book.failed("new", "503")
    book.write(tmp_path / "report")
    assert Report.read(tmp_path / "report") == book.report


def test_a_connection_that_the_server_closed_while_it_was_idle_is_not_used_again() -> None:
    with server(tuple(RIGHT), RIGHT) as url:
        book = Book(Question(url, {"inputs": []}, {"v1": RIGHT}, tolerance=0.1))
        worker = Worker(book, keeps=True)
        worker.ask()
        connection = worker._connection
        assert connection is not None
        assert select.select([connection.sock], [], [], 10)[0], "the server has not closed it"
        worker.ask()
        worker.close()
    assert (book.report.requests, book.report.failed) == (2, 0)
