"""Rows of several requests in one call: who shares, who waits, who is refused."""

import asyncio
import threading

import numpy as np
import pytest

from compression_serving.batching import Batcher, Limits, batching_pays
from compression_serving.errors import OverloadedError, PredictionError


class Model:
    """Doubles its input; remembers its calls; waits at a gate when told to; refuses negative rows."""

    def __init__(self, *, gated: bool = False) -> None:
        self.calls: list[int] = []
        self.entered = threading.Event()
        self.gate = threading.Event()
        if not gated:
            self.gate.set()

    def __call__(self, inputs):
        self.calls.append(len(inputs["x"]))
        self.entered.set()
        self.gate.wait(30)
        if (inputs["x"] < 0).any():
            raise PredictionError("negative")
        return {"y": inputs["x"] * 2}


def limits(**changes) -> Limits:
    return Limits(**({"batch_rows": 4, "delay": 0.0, "queue_rows": 100, "splits": True} | changes))


def rows(*values: float) -> dict[str, np.ndarray]:
    return {"x": np.float32(values).reshape(-1, 1)}


async def gather_behind_the_gate(batcher: Batcher, model: Model, requests: list) -> list:
    """Ask while one call holds the model, so that all of `requests` wait together."""
    first = asyncio.create_task(batcher.infer(rows(0)))
    await asyncio.to_thread(model.entered.wait, 30)
    waiting = [asyncio.create_task(batcher.infer(request)) for request in requests]
    await asyncio.sleep(0)
    model.gate.set()
    await first
    return await asyncio.gather(*waiting, return_exceptions=True)


async def run(model: Model, requests: list, **changes) -> list:
    batcher = Batcher(model, limits(**changes), lambda *_: None)
    batcher.start()
    try:
        return await gather_behind_the_gate(batcher, model, requests)
    finally:
        await batcher.stop()


async def test_what_waits_together_is_answered_in_one_call_each_with_its_own_rows():
    model = Model(gated=True)
    answers = await run(model, [rows(1), rows(2, 3), rows(4)])
    assert model.calls == [1, 4]
    assert [answer["y"].ravel().tolist() for answer in answers] == [[2], [4, 6], [8]]


async def test_a_call_takes_no_more_rows_than_allowed():
    model = Model(gated=True)
    await run(model, [rows(1, 2, 3), rows(4, 5), rows(6)])
    assert model.calls == [1, 3, 3]


async def test_a_request_with_more_rows_than_a_call_is_served_in_several():
    model = Model()
    (answer,) = await run(model, [rows(*range(10))])
    assert answer["y"].ravel().tolist() == [2.0 * value for value in range(10)]
    assert max(model.calls) <= 4


async def test_requests_with_other_shapes_do_not_share_a_call():
    model = Model(gated=True)
    wide = {"x": np.ones((1, 5), np.float32)}
    answers = await run(model, [rows(1), wide, rows(2)])
    assert model.calls == [1, 1, 1, 1]
    assert answers[1]["y"].shape == (1, 5)


async def test_a_model_whose_rows_are_not_independent_gets_each_request_as_it_is():
    model = Model(gated=True)
    await run(model, [rows(1, 2, 3, 4, 5, 6), rows(7)], splits=False)
    assert model.calls == [1, 6, 1]


async def test_one_bad_request_does_not_spoil_its_neighbours():
    model = Model(gated=True)
    good, bad, other = await run(model, [rows(1), rows(-1), rows(2)])
    assert isinstance(bad, PredictionError)
    assert (good["y"].item(), other["y"].item()) == (2.0, 4.0)


async def test_more_than_the_queue_holds_is_refused_at_once():
    model = Model(gated=True)
    answers = await run(model, [rows(1, 2), rows(3, 4), rows(5)], queue_rows=4)
    assert [isinstance(answer, OverloadedError) for answer in answers] == [False, False, True]


async def test_a_request_whose_client_is_gone_is_not_computed():
    model = Model(gated=True)
    batcher = Batcher(model, limits(batch_rows=1), lambda *_: None)
    batcher.start()
    first = asyncio.create_task(batcher.infer(rows(0)))
    await asyncio.to_thread(model.entered.wait, 30)
    gone = asyncio.create_task(batcher.infer(rows(1)))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    model.gate.set()
    await first
    await batcher.infer(rows(2))
    await batcher.stop()
    assert model.calls == [1, 1]


async def test_stopping_refuses_who_still_waits():
    model = Model(gated=True)
    batcher = Batcher(model, limits(batch_rows=1), lambda *_: None)
    batcher.start()
    asked = [asyncio.create_task(batcher.infer(rows(value))) for value in (1, 2)]
    await asyncio.to_thread(model.entered.wait, 30)
    threading.Timer(0.1, model.gate.set).start()
    await batcher.stop()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(answer, OverloadedError) for answer in answers)


async def test_inputs_must_agree_in_their_number_of_rows():
    batcher = Batcher(Model(), limits(), lambda *_: None)
    with pytest.raises(PredictionError, match="number of rows"):
        await batcher.infer({"x": np.ones((2, 1)), "z": np.ones((3, 1))})


@pytest.mark.parametrize(
    ("seconds_alone", "seconds_per_further_row", "pays"),
    [(2.0, 0.1, True), (2.0, 1.9, False), (2.0, 2.0, False)],
)
def test_batching_pays_when_a_further_row_is_clearly_cheaper(seconds_alone, seconds_per_further_row, pays):
    now = [0.0]

    def model(inputs):
        now[0] += seconds_alone + seconds_per_further_row * (len(inputs["x"]) - 1)
        return inputs

    assert batching_pays(model, rows(1), 8, clock=lambda: now[0]) is pays
