"""The Open Inference Protocol as a client sees it, against the server process and a real model."""

import concurrent.futures
import hashlib
import json
import time

import httpx
import numpy as np
import pytest

from component.serving import model_folder
from component.serving.server_process import serving


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return model_folder.write(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def server(folder, tmp_path_factory):
    log = tmp_path_factory.mktemp("log") / "server.log"
    with serving(folder.path, log, max_body_bytes=1 << 20) as running:
        yield running


def json_request(rows: np.ndarray, **more) -> dict:
    tensor = {"name": "image", "shape": list(rows.shape), "datatype": "FP32", "data": rows.ravel().tolist()}
    return {"inputs": [tensor], **more}


def binary_request(rows: np.ndarray, **parameters) -> tuple[bytes, dict[str, str]]:
    raw = rows.tobytes()
    tensor = {"name": "image", "shape": list(rows.shape), "datatype": "FP32"}
    tensor["parameters"] = {"binary_data_size": len(raw)}
    header = json.dumps({"inputs": [tensor], "parameters": parameters}).encode()
    return header + raw, {"Inference-Header-Content-Length": str(len(header))}


def values(answer: httpx.Response) -> np.ndarray:
    tensor = answer.json()["outputs"][0]
    return np.asarray(tensor["data"], np.float32).reshape(tensor["shape"])


def test_metadata_names_the_artifact_and_the_tensors(server, folder):
    answer = server.client.get("/v2/models/tiny").json()
    assert answer["parameters"]["artifact_digest"] == folder.description.artifact_digest
    assert answer["parameters"]["golden_digest"] == folder.description.golden_digest
    assert answer["inputs"] == [{"name": "image", "datatype": "FP32", "shape": [-1, 1, 28, 28]}]
    assert answer["outputs"] == [{"name": "logits", "datatype": "FP32", "shape": [-1, 10]}]
    assert answer["versions"] == ["1.0.0"]


@pytest.mark.parametrize(
    "path",
    [
        "/ping",
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/tiny/ready",
        "/v2/models/tiny/versions/1.0.0",
        "/v2/models/tiny/versions/1.0.0/ready",
    ],
)
def test_a_ready_server_answers_200_at(server, path):
    assert server.client.get(path).status_code == 200


def test_the_golden_file_arrives_as_it_was_described(server, folder):
    served = server.client.get("/golden").content
    assert f"sha256:{hashlib.sha256(served).hexdigest()}" == folder.description.golden_digest


def test_json_predictions_are_the_golden_outputs(server, folder):
    answer = server.client.post("/v2/models/tiny/infer", json=json_request(folder.inputs, id="abc"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["id"] == "abc"
    assert answer.json()["model_version"] == "1.0.0"
    np.testing.assert_allclose(values(answer), folder.outputs, atol=1e-5)


def test_nested_json_is_read_as_flat_json_is(server, folder):
    request = json_request(folder.inputs[:2])
    request["inputs"][0]["data"] = folder.inputs[:2].tolist()
    np.testing.assert_allclose(
        values(server.client.post("/v2/models/tiny/infer", json=request)), folder.outputs[:2], atol=1e-5
    )


def test_binary_tensors_both_ways(server, folder):
    body, headers = binary_request(folder.inputs, binary_data_output=True)
    answer = server.client.post("/v2/models/tiny/versions/1.0.0/infer", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    size = int(answer.headers["Inference-Header-Content-Length"])
    tensor = json.loads(answer.content[:size])["outputs"][0]
    assert tensor["parameters"]["binary_data_size"] == len(answer.content) - size
    received = np.frombuffer(answer.content[size:], np.float32).reshape(tensor["shape"])
    np.testing.assert_allclose(received, folder.outputs, atol=1e-5)


def test_binary_input_with_json_output(server, folder):
    body, headers = binary_request(folder.inputs[:1])
    answer = server.client.post("/v2/models/tiny/infer", content=body, headers=headers)
    np.testing.assert_allclose(values(answer), folder.outputs[:1], atol=1e-5)


def test_requests_at_once_each_get_their_own_rows(server, folder):
    def ask(index: int) -> np.ndarray:
        rows = folder.inputs[index : index + 1 + index % 3]
        return values(server.client.post("/v2/models/tiny/infer", json=json_request(rows)))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        indices = [index % 13 for index in range(64)]
        for index, answer in zip(indices, pool.map(ask, indices), strict=True):
            np.testing.assert_allclose(answer, folder.outputs[index : index + 1 + index % 3], atol=1e-5)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"inputs": []}, "needs `inputs`"),
        ({"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}]}, "there is no input 'x'"),
        ({"outputs": [{"name": "y"}]}, "there is no output 'y'"),
        ({"id": 7}, "`id` must be text"),
        ({"parameters": []}, "must be a JSON object"),
    ],
)
def test_a_wrong_request_is_answered_with_a_sentence(server, folder, change, sentence):
    answer = server.client.post("/v2/models/tiny/infer", json=json_request(folder.inputs[:1]) | change)
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/v2/models/other", "GET", 404),
        ("/v2/models/tiny/versions/9/ready", "GET", 404),
        ("/v2/models/other/infer", "POST", 404),
        ("/nothing", "GET", 404),
        ("/v2/models/tiny/infer", "GET", 405),
    ],
)
def test_what_is_not_there_is_said_in_json(server, path, method, status):
    answer = server.client.request(method, path)
    assert (answer.status_code, "error" in answer.json()) == (status, True)


def test_a_body_over_the_limit_is_refused_whether_its_size_is_declared_or_not(server):
    too_large = b"x" * ((1 << 20) + 1)
    declared = server.client.post("/v2/models/tiny/infer", content=too_large)
    streamed = server.client.post("/v2/models/tiny/infer", content=iter([too_large[:500000], too_large]))
    assert (declared.status_code, streamed.status_code) == (413, 413)
    assert "send fewer rows" in declared.json()["error"]
    assert server.client.get("/v2/health/ready").status_code == 200


def test_a_compressed_body_is_refused(server):
    answer = server.client.post("/v2/models/tiny/infer", content=b"x", headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415


def test_metrics_count_answers_by_endpoint_and_code(server, folder):
    def counted() -> float:
        lines = server.client.get("/metrics").text.splitlines()
        prefix = 'compression_serving_requests_total{code="200",endpoint="infer"} '
        return sum(float(line.removeprefix(prefix)) for line in lines if line.startswith(prefix))

    before = counted()
    server.client.post("/v2/models/tiny/infer", json=json_request(folder.inputs[:1]))
    for _ in range(100):  # the counter moves after the answer's last byte
        if counted() != before:
            break
        time.sleep(0.01)
    assert counted() == before + 1
    assert folder.description.artifact_digest in server.client.get("/metrics").text


def test_a_model_with_a_fixed_batch_is_served_one_row_at_a_time(tmp_path):
    fixed = model_folder.write(tmp_path / "models", batch=1)
    with serving(fixed.path, tmp_path / "log") as running:
        answer = running.client.post("/v2/models/tiny/infer", json=json_request(fixed.inputs[:1]))
        np.testing.assert_allclose(values(answer), fixed.outputs[:1], atol=1e-5)
        refused = running.client.post("/v2/models/tiny/infer", json=json_request(fixed.inputs[:2]))
        assert "this model takes [1, 1, 28, 28]" in refused.json()["error"]
