"""How far a training is, read from the end of a log that anybody's code may have written to."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compression_contract import progress
from compression_contract.progress import Progress

SOME = Progress(step=30, steps=100, epoch=2, seconds_left=70, loss=0.25, samples_per_second=310.5)


def line(value: object) -> str:
    return json.dumps({"time": "now", "message": "training", "progress": value})


def test_a_line_is_read_as_it_was_written():
    assert progress.newest(json.dumps({"message": "training", **progress.fields(SOME)})) == SOME


def test_the_newest_line_counts_and_what_is_none_is_passed_over():
    log = "\n".join(
        [
            'ess": {"step": 1',
            line(SOME.wire()),
            line(SOME.model_copy(update={"step": 40}).wire()),
            "Traceback (most recent call last):",
            line({"step": "many"}),
            line([1, 2]),
            '{"progress": ',
        ]
    )
    assert progress.newest(log).step == 40


@pytest.mark.parametrize(
    "value", [{**SOME.wire(), "loss": float("nan")}, {**SOME.wire(), "more": 1}, {**SOME.wire(), "step": -1}]
)
def test_what_is_no_progress_is_none(value):
    assert progress.newest(line(value)) is None


def test_only_the_end_of_a_long_log_is_looked_at():
    assert progress.newest(line(SOME.wire()) + "\n" + "x" * progress.MAX_TAIL_BYTES) is None


def test_deep_nesting_is_no_trouble():
    assert progress.newest('{"progress": ' + "[" * 60_000) is None


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_no_bytes_are_an_error(data):
    assert progress.newest(b'"progress"' + data) is None
