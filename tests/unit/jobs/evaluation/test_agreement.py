"""Recorded outputs of the fake-quantised model: what belongs to the split, and what is compared."""

from pathlib import Path

import numpy as np
import pytest

from compression_jobs import arrays
from compression_jobs.errors import InvalidData
from compression_jobs.evaluation import agreement

LOGITS = np.eye(3, dtype=np.float32)


def _read(folder: Path, indices, logits):
    arrays.save(folder / "fake_quant.npz", {"indices": np.asarray(indices), "logits": np.asarray(logits)})
    return agreement.read(folder / "fake_quant.npz", samples=10, output_shape=(3,))


def test_agreement_is_the_share_of_samples_with_the_same_answer(tmp_path: Path):
    recorded = _read(tmp_path, [9, 0, 4], LOGITS)

    found = agreement.compare(np.array([True, True, False]))

    assert recorded.indices.tolist() == [9, 0, 4]
    assert np.array_equal(recorded.outputs, LOGITS)
    assert (found.value, found.samples) == (0.666667, 3)


@pytest.mark.parametrize(
    ("indices", "logits", "why"),
    [
        ([0, 1, 10], LOGITS, "0..9"),
        ([0, 1, -1], LOGITS, "0..9"),
        ([0.0, 1.0, 2.0], LOGITS, "whole numbers"),
        (np.zeros((0,), np.int64), LOGITS[:0], "at least one"),
        ([[0, 1, 2]], LOGITS, "one dimension"),
        ([0, 1], LOGITS, "shape"),
        ([0, 1, 2], LOGITS[:, :2], "shape"),
        ([0, 1, 2], LOGITS.astype(np.int64), "floats"),
        ([0, 1, 2], LOGITS * np.nan, "finite"),
    ],
)
def test_what_cannot_belong_to_the_split_is_refused(tmp_path: Path, indices, logits, why):
    with pytest.raises(InvalidData, match=why) as caught:
        _read(tmp_path, indices, logits)

    assert caught.value.reason == "FakeQuantInvalid"
