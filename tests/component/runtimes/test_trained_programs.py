"""A network trained under fake quantisation, in Paddle's own form: it answers on integers as in training."""

from pathlib import Path

import numpy as np
import pytest

from compression_jobs.runtimes import ModelFiles, runtime


@pytest.mark.paddle
@pytest.mark.filterwarnings("ignore")
def test_a_trained_program_answers_as_the_fake_quantised_network(tmp_path: Path):
    from support import tiny_programs  # noqa: PLC0415 - loads Paddle

    files, samples, expected = tiny_programs.trained_program(tmp_path / "model")

    found = runtime("paddle-inference").open(ModelFiles("PaddleInference", files), 1).run(samples)

    assert (found.argmax(1) == expected.argmax(1)).mean() >= 0.95
    # For each output: Paddle's fully connected layers on integers are right about the first one alone.
    assert (np.abs(found - expected).mean(axis=0) < 0.1 * expected.std(axis=0)).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.pdiparams", "model.pdmodel"]
