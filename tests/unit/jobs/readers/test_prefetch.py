"""Decoding ahead: in order, not too far, errors where they belong, and no thread left behind at the end."""

import threading

import numpy as np
import pytest

from compression_jobs.readers.prefetch import Prefetcher


class Numbers:
    """A split whose sample i is the number i; some of them cannot be read."""

    labels = np.arange(1000)
    bad = ()

    def __init__(self, broken: int = -1) -> None:
        self.broken, self.asked = broken, []

    def __len__(self) -> int:
        return len(self.labels)

    def inputs(self, indices):
        self.asked.append((int(indices[0]), threading.current_thread().name))
        if self.broken in indices:
            raise OSError(f"sample {self.broken}")
        return indices.astype(np.float32)

    def targets(self, indices):
        return {"labels": indices}


def batches(count: int):
    return (np.arange(4) + 4 * number for number in range(count))


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("prefetch")]


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_batches_come_in_order_with_their_inputs(depth):
    with Prefetcher(Numbers(), batches(20), depth) as ahead:
        found = list(ahead)
    assert [list(indices) for indices, _ in found] == [list(batch) for batch in batches(20)]
    assert all(np.array_equal(indices, inputs) for indices, inputs in found)
    assert threads() == []


def test_it_runs_ahead_no_further_than_asked():
    split, taken = Numbers(), []
    with Prefetcher(split, (taken.append(b) or b for b in batches(20)), depth=3) as ahead:
        next(ahead)
        assert len(taken) == 4
        next(ahead)
        assert len(taken) == 5
    assert len(split.asked) <= 5


def test_an_error_comes_up_where_its_batch_is_taken():
    with Prefetcher(Numbers(broken=9), batches(20), depth=4) as ahead:
        assert next(ahead)[0][0] == 0
        assert next(ahead)[0][0] == 4
        with pytest.raises(OSError, match="sample 9"):
            next(ahead)
    assert threads() == []


def test_leaving_early_drops_what_has_not_begun():
    class Stop(BaseException):
        pass

    split, held = Numbers(), threading.Event()
    original = split.inputs

    def slow(indices):
        if indices[0] >= 4:
            held.wait(30)
        return original(indices)

    split.inputs = slow

    def consume():
        with Prefetcher(split, batches(20), depth=6) as ahead:
            next(ahead)
            threading.Timer(0.05, held.set).start()
            raise Stop

    with pytest.raises(Stop):
        consume()
    assert threads() == []
    assert len(split.asked) <= 2


def test_what_must_happen_before_a_batch_happens_in_its_thread():
    split, seen = Numbers(), []

    def before(number):
        seen.append((number, len(split.asked), threading.current_thread().name))

    with Prefetcher(split, batches(3), before=before) as ahead:
        list(ahead)
    assert [(number, asked) for number, asked, _ in seen] == [(0, 0), (1, 1), (2, 2)]
    assert {name for *_, name in seen} == {name for _, name in split.asked}
    assert threading.main_thread().name not in {name for *_, name in seen}
