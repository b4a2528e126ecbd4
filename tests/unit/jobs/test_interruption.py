"""SIGTERM unwinds at once, or waits for who asked to be let finish."""

import signal
from collections.abc import Iterator

import pytest

from compression_jobs import interruption
from compression_jobs.interruption import Terminated, deferred


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, interruption.terminate)
    yield
    interruption.reset()
    signal.signal(signal.SIGTERM, before)


def finish(done: list[bool]) -> None:
    with deferred() as arrived:
        done.append(arrived())
        signal.raise_signal(signal.SIGTERM)
        done.append(arrived())


def test_it_unwinds_once():
    with pytest.raises(Terminated):
        signal.raise_signal(signal.SIGTERM)

    signal.raise_signal(signal.SIGTERM)


def test_who_defers_it_is_told_and_unwinds_after():
    done: list[bool] = []
    with pytest.raises(Terminated):
        finish(done)

    assert done == [False, True]


def test_without_it_nothing_unwinds():
    with deferred() as arrived:
        assert not arrived()


def fail() -> None:
    with deferred():
        signal.raise_signal(signal.SIGTERM)
        raise ZeroDivisionError


def test_an_error_inside_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        fail()
