"""What training and quantising refuse, with a sentence that names the way out."""

from pathlib import Path

import numpy as np
import pytest

from compression_jobs.errors import InvalidInput
from compression_jobs.quantizers import ort_static


@pytest.mark.parametrize("observer", ["EMD", "MSE"])
def test_onnx_runtime_refuses_what_it_cannot_observe(observer, tmp_path: Path):
    settings = ort_static.Settings(observer, per_channel=True)
    with pytest.raises(InvalidInput, match="PaddleSlim") as caught:
        ort_static.quantise(tmp_path / "in", tmp_path / "out", [np.zeros((1, 1))], settings, tmp_path)
    assert caught.value.reason == "ObserverUnsupported"
