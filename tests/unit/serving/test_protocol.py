"""Bytes to arrays and back, by the Open Inference Protocol and its binary extension."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from compression_contract.served_model import TensorSpec
from compression_serving.errors import PredictionError, RequestError
from compression_serving.protocol import DATATYPES, InferenceRequest, parse_request, render_response

MODEL = ("m", "1")


def spec(name: str = "x", datatype: str = "FP32", shape: tuple[int, ...] = (-1, 2)) -> TensorSpec:
    return TensorSpec(name=name, datatype=datatype, shape=shape)


def tensor(**changes) -> dict:
    return {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1.0, 2.0]} | changes


def parse(document: object, binary: bytes = b"", header: str | None = "", inputs=None, outputs=None):
    raw = json.dumps(document).encode()
    length = str(len(raw)) if header == "" and binary else header or None
    return parse_request(raw + binary, length, inputs or [spec()], outputs or [spec("y")])


def test_flat_and_nested_data_are_the_same_array():
    flat = parse({"inputs": [tensor()]}).inputs["x"]
    nested = parse({"inputs": [tensor(data=[[1.0, 2.0]])]}).inputs["x"]
    assert flat.dtype == np.float32
    assert flat.tolist() == nested.tolist() == [[1.0, 2.0]]


def test_integers_are_numbers_too():
    assert parse({"inputs": [tensor(data=[1, 2])]}).inputs["x"].tolist() == [[1.0, 2.0]]


def test_binary_tensors_are_taken_in_the_order_of_the_inputs():
    first, second = np.float32([[1, 2]]), np.int64([[3]])
    document = {
        "inputs": [
            {"name": "b", "datatype": "INT64", "shape": [1, 1], "parameters": {"binary_data_size": 8}},
            {"name": "a", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": 8}},
        ]
    }
    specs = [spec("a"), spec("b", "INT64", (-1, 1))]
    found = parse(document, second.tobytes() + first.tobytes(), inputs=specs).inputs
    assert found["a"].tolist() == [[1.0, 2.0]]
    assert found["b"].tolist() == [[3]]


@pytest.mark.parametrize(
    ("document", "binary", "sentence"),
    [
        ([], b"", "must be a JSON object"),
        ({}, b"", "needs `inputs`"),
        ({"inputs": [7]}, b"", "there is no input 'None'"),
        ({"inputs": [tensor(), tensor()]}, b"", "given twice"),
        ({"inputs": [tensor(datatype="FP64")]}, b"", "this model takes FP32"),
        ({"inputs": [tensor(shape=[2])]}, b"", "this model takes [-1, 2]"),
        ({"inputs": [tensor(shape=[1, 3])]}, b"", "this model takes [-1, 2]"),
        ({"inputs": [tensor(shape=[0, 2])]}, b"", "positive integers"),
        ({"inputs": [tensor(shape=[True, 2])]}, b"", "positive integers"),
        ({"inputs": [tensor(shape="1,2")]}, b"", "positive integers"),
        ({"inputs": [tensor(data=[1.0])]}, b"", "has 1 values"),
        ({"inputs": [tensor(data=[[1.0], [2.0]])]}, b"", "nested as [2, 1]"),
        ({"inputs": [tensor(data=[[1.0], [2.0, 3.0]])]}, b"", "not a regular array"),
        ({"inputs": [tensor(data=["1", "2"])]}, b"", "values that are not FP32"),
        ({"inputs": [tensor(data=[None, 1.0])]}, b"", "values that are not FP32"),
        ({"inputs": [tensor(data=[True, False])]}, b"", "values that are not FP32"),
        ({"inputs": [tensor(data=None)]}, b"", "needs `data`"),
        ({"inputs": [tensor(parameters={"binary_data_size": 8})]}, b"12345678", "both `data` and"),
        ({"inputs": [tensor(parameters=[])]}, b"", "`parameters` must be"),
        ({"inputs": [tensor()]}, b"123", "3 bytes of binary data belong to no input"),
        ({"inputs": [tensor()], "outputs": [{"name": "z"}]}, b"", "there is no output 'z'"),
        ({"inputs": [tensor()], "outputs": 7}, b"", "`outputs` must be"),
        ({"inputs": [tensor()], "parameters": {"binary_data_output": 1}}, b"", "must be true or false"),
        ({"inputs": [tensor()], "id": "i" * 300}, b"", "at most 256"),
    ],
)
def test_a_wrong_request_says_what_is_wrong(document, binary, sentence):
    with pytest.raises(RequestError) as refused:
        parse(document, binary)
    assert sentence in str(refused.value)
    assert refused.value.status == 400


@pytest.mark.parametrize("size", [-1, 7, "8", 8.0, True, None.__class__])
def test_a_binary_size_must_be_that_of_the_shape(size):
    size = 12 if isinstance(size, type) else size
    document = {"inputs": [{key: value for key, value in tensor().items() if key != "data"}]}
    document["inputs"][0]["parameters"] = {"binary_data_size": size}
    with pytest.raises(RequestError, match="its shape needs 8 bytes"):
        parse(document, b"12345678")


def test_binary_data_that_is_cut_short_is_noticed():
    document = {"inputs": [{**tensor(), "parameters": {"binary_data_size": 8}}]}
    del document["inputs"][0]["data"]
    with pytest.raises(RequestError, match="4 are left"):
        parse(document, b"1234")


@pytest.mark.parametrize("header", ["0", "-1", "x", "999999", "1e1", "٣"])
def test_a_header_length_must_lie_within_the_body(header):
    with pytest.raises(RequestError, match="Inference-Header-Content-Length"):
        parse({"inputs": [tensor()]}, header=header)


@pytest.mark.parametrize(
    ("datatype", "value"), [("INT8", 128), ("UINT8", -1), ("INT64", 1.5), ("INT32", 2**40)]
)
def test_an_integer_outside_its_type_is_refused(datatype, value):
    with pytest.raises(RequestError, match="holds values"):
        parse({"inputs": [tensor(datatype=datatype, data=[0, value])]}, inputs=[spec(datatype=datatype)])


def test_half_precision_has_no_json_form():
    with pytest.raises(RequestError, match="send binary data"):
        parse({"inputs": [tensor(datatype="FP16")]}, inputs=[spec(datatype="FP16")])
    with pytest.raises(PredictionError, match="ask for binary_data"):
        render_response(MODEL, InferenceRequest("", {}, {"y": False}), {"y": np.zeros(1, np.float16)})


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_answer_that_is_not_finite_is_an_error_and_never_null(value):
    answer = {"y": np.float32([[value]])}
    with pytest.raises(PredictionError, match="not finite"):
        render_response(MODEL, InferenceRequest("", {}, {"y": False}), answer)
    body, size = render_response(MODEL, InferenceRequest("", {}, {"y": True}), answer)
    assert np.frombuffer(body[size:], np.float32).tobytes() == answer["y"].tobytes()


def test_only_the_asked_outputs_are_answered_each_in_its_form():
    outputs = [spec("y"), spec("z")]
    asked = [{"name": "z", "parameters": {"binary_data": True}}]
    request = parse({"inputs": [tensor()], "outputs": asked}, outputs=outputs)
    assert request.outputs == {"z": True}
    everything = parse({"inputs": [tensor()], "parameters": {"binary_data_output": True}}, outputs=outputs)
    assert everything.outputs == {"y": True, "z": True}


@given(
    st.sampled_from(sorted(DATATYPES)).flatmap(
        lambda name: st.tuples(
            st.just(name),
            arrays.arrays(DATATYPES[name], arrays.array_shapes(min_dims=1, max_dims=4, max_side=4)),
        )
    )
)
def test_what_is_rendered_as_binary_is_parsed_as_the_same_array(pair):
    datatype, array = pair
    body, size = render_response(MODEL, InferenceRequest("", {}, {"x": True}), {"x": array})
    answer = json.loads(body[:size])["outputs"][0]
    assert answer["datatype"] == datatype
    parsed = parse({"inputs": [answer]}, body[size:], inputs=[spec("x", datatype, array.shape)])
    assert parsed.inputs["x"].tobytes() == array.tobytes()
    assert parsed.inputs["x"].shape == array.shape


@given(st.binary(max_size=200), st.one_of(st.none(), st.text(max_size=5)))
def test_no_bytes_make_anything_but_a_request_error(body, header):
    with pytest.raises(RequestError):
        parse_request(body, header, [spec()], [spec("y")])
