"""What every runtime does alike: one template, run against each with real files of the formats it reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from compression_jobs.errors import InvalidData, Misconfigured
from compression_jobs.runtimes import ABSENT, RUNTIMES, ModelFiles, runtime
from support import back_ends, tiny
from support.back_ends import Models

MAKERS: dict[str, Callable[[Path], Models]] = {
    "onnxruntime": lambda folder: back_ends.onnx_models("onnxruntime", folder),
    "openvino": lambda folder: back_ends.onnx_models("openvino", folder),
    "paddle-inference": back_ends.paddle_models,
}
SAMPLES = 300


def test_the_template_covers_every_runtime():
    assert MAKERS.keys() == RUNTIMES.keys()


@pytest.fixture(scope="module", params=MAKERS)
def models(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Models:
    return MAKERS[request.param](tmp_path_factory.mktemp(request.param))


def answers(
    models: Models, model: ModelFiles, inputs: np.ndarray, threads: int = 1, **how: bool
) -> np.ndarray:
    return runtime(models.runtime).open(model, threads, **how).run(inputs)


def refused(models: Models, model: ModelFiles, error: type[Exception] = InvalidData) -> str:
    with pytest.raises(error) as caught:
        runtime(models.runtime).open(model, 1)
    return caught.value.reason


@pytest.mark.parametrize("which", ["float", "int8"])
def test_says_what_goes_in_and_what_comes_out(models: Models, which: str):
    model, inputs = getattr(models, which), models.inputs(7)
    session = runtime(models.runtime).open(model, 1)

    assert session.input.datatype == session.output.datatype == "FP32"
    assert session.input.shape == (-1, *inputs.shape[1:])
    assert session.output.shape == (-1, *models.output_shape)
    found = session.run(inputs)
    assert (found.shape, found.dtype) == ((7, *models.output_shape), np.float32)


def test_names_its_version(models: Models):
    name, version = runtime(models.runtime).version.split(" ")

    assert name == models.runtime
    assert version[0].isdigit()


@pytest.mark.parametrize("which", ["float", "int8"])
def test_the_same_model_gives_the_same_bits_in_every_session_and_call(models: Models, which: str):
    model, inputs = getattr(models, which), models.inputs(50)
    session = runtime(models.runtime).open(model, 1)
    first = session.run(inputs)
    kept = first.copy()

    assert np.array_equal(session.run(inputs), first)
    session.run(models.inputs(50) * 0)
    assert np.array_equal(first, kept), "an answer must not change with the next call"
    assert np.array_equal(answers(models, model, inputs), first)
    assert np.array_equal(answers(models, model, inputs, checked=True), first)


def test_integers_answer_as_floats_do_but_not_the_same_bits(models: Models):
    inputs = models.inputs(SAMPLES)
    floats, integers = answers(models, models.float, inputs), answers(models, models.int8, inputs)

    assert (floats.argmax(1) == integers.argmax(1)).mean() >= 0.95
    assert not np.array_equal(floats, integers)


@pytest.mark.parametrize("which", ["float", "int8"])
def test_threads_change_the_time_and_not_the_answer(models: Models, which: str):
    model, inputs = getattr(models, which), models.inputs(50)
    one, two = answers(models, model, inputs, threads=1), answers(models, model, inputs, threads=2)

    assert np.abs(one - two).max() <= 1e-4 * np.abs(one).max()


@pytest.mark.parametrize("which", ["float", "int8"])
def test_a_sample_is_answered_alike_alone_and_among_others(models: Models, which: str):
    model, inputs = getattr(models, which), models.inputs(20)
    session = runtime(models.runtime).open(model, 1)
    together = session.run(inputs)
    alone = np.concatenate([session.run(inputs[place : place + 1]) for place in range(20)])

    assert np.abs(together - alone).max() <= 1e-4 * np.abs(together).max()


def test_token_ids_go_in_as_whole_numbers(models: Models):
    session = runtime(models.runtime).open(models.words, 1)
    tokens = np.arange(4 * tiny.LENGTH, dtype=np.int64).reshape(4, -1) % tiny.WORDS

    assert (session.input.datatype, session.input.shape) == ("INT64", (-1, tiny.LENGTH))
    found = session.run(tokens)
    assert found.shape == (4, tiny.CLASSES)
    assert not np.array_equal(found, session.run(tokens * 0))


def test_another_format_is_refused(models: Models):
    for model_format in ("PaddleLite", "PaddleInference", "ONNX"):
        if model_format not in runtime(models.runtime).formats:
            model = ModelFiles(model_format, models.float.paths)
            assert refused(models, model, Misconfigured) == "FormatUnsupported"


def test_more_than_one_input_is_refused(models: Models):
    assert refused(models, models.two_inputs) == "SignatureUnsupported"


def test_a_quantised_model_that_would_run_in_float_is_refused(models: Models):
    assert refused(models, models.unquantised) == "NotQuantised"


def test_a_model_that_reaches_outside_its_files_is_refused(models: Models):
    assert refused(models, models.outside) == "ExternalData"


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "other bytes": lambda _: b"\xff" * 100,
    "cut": lambda whole: whole[: len(whole) // 2],
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("place", [0, -1], ids=["graph", "weights"])
def test_a_damaged_file_is_refused_in_words(models: Models, tmp_path: Path, place: int, damage: str):
    paths = [tmp_path / path.name for path in models.int8.paths]
    for source, path in zip(models.int8.paths, paths, strict=True):
        path.write_bytes(source.read_bytes())
    paths[place].write_bytes(DAMAGES[damage](paths[place].read_bytes()))

    reason = refused(models, ModelFiles(models.int8.format, tuple(paths)))

    assert reason in {"ModelUnreadable", "ModelRefused"}


def test_a_call_with_another_shape_fails_in_words(models: Models):
    session = runtime(models.runtime).open(models.float, 1)
    wrong = np.zeros((1, 5, 3, 3), np.float32)

    with pytest.raises(InvalidData) as caught:
        session.run(wrong)

    assert caught.value.reason == "ModelFailed"
    right = models.inputs(3)
    assert np.isfinite(session.run(right)).all(), "the next call is none the worse"


@pytest.mark.parametrize("name", ABSENT)
def test_a_runtime_without_its_hardware_or_library_says_so(name: str):
    with pytest.raises(Misconfigured, match=name) as caught:
        runtime(name)

    assert caught.value.reason in {"HardwareMissing", "LibraryMissing"}


def test_an_unknown_runtime_is_refused_with_the_known_ones():
    with pytest.raises(Misconfigured, match="onnxruntime, openvino, paddle-inference") as caught:
        runtime("tflite")

    assert caught.value.reason == "RuntimeUnknown"
