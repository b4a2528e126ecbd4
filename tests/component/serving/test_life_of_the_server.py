"""Starting, refusing to start, draining and ending, with real processes and signals."""

import json
import signal
import subprocess
import threading
import time

import httpx
import numpy as np
import pytest

from component.serving import model_folder
from component.serving.server_process import launch, serving
from compression_contract.exitcodes import ExitCode


def damage_model(folder):
    path = folder.path / "model.onnx"
    path.write_bytes(path.read_bytes() + b"\0")


def damage_golden(folder):
    path = folder.path / "golden/golden.npz"
    path.write_bytes(path.read_bytes()[:-1])


def remove_description(folder):
    (folder.path / "model.json").unlink()


def break_description(folder):
    (folder.path / "model.json").write_text('{"name": "tiny"}')


def describe_other_shape(folder):
    path = folder.path / "model.json"
    document = json.loads(path.read_text())
    document["inputs"][0]["shape"] = [-1, 3, 32, 32]
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (damage_model, "model.json says"),
        (damage_golden, "golden.npz has digest"),
        (remove_description, "cannot be read"),
        (break_description, "does not describe a model: artifactDigest"),
        (describe_other_shape, "in model.onnx it is"),
    ],
)
def test_a_damaged_model_folder_is_not_served(tmp_path, damage, sentence):
    folder = model_folder.write(tmp_path / "models")
    damage(folder)
    assert_refuses(folder.path, tmp_path / "log", sentence)


def test_a_model_that_answers_its_golden_inputs_wrongly_is_not_served(tmp_path):
    folder = model_folder.write(tmp_path / "models", answers=np.zeros((16, 10), np.float32))
    assert_refuses(folder.path, tmp_path / "log", "answers the golden inputs wrongly")


def test_a_setting_that_cannot_be_used_is_named(tmp_path):
    folder = model_folder.write(tmp_path / "models")
    assert_refuses(folder.path, tmp_path / "log", "COMPRESSION_SERVING_MAX_BATCH_ROWS='0'", max_batch_rows=0)


def assert_refuses(folder, log, sentence, **settings):
    process, _ = launch(folder, log, **settings)
    assert process.wait(60) == ExitCode.CONFIG
    assert sentence in log.read_text()
    assert "Traceback" not in log.read_text()


def test_the_bare_base_image_lives_and_never_gets_ready(tmp_path):
    with serving(tmp_path / "absent", tmp_path / "log") as server:
        answer = server.client.get("/v2/health/ready")
        assert answer.status_code == 503
        assert "carries no model yet" in answer.json()["error"]
        assert server.client.get("/golden").status_code == 503
        assert server.client.get("/metrics").status_code == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0


def test_a_terminated_server_turns_unready_answers_on_and_exits_with_0(tmp_path):
    folder = model_folder.write(tmp_path / "models")
    tensor = {"name": "image", "shape": [16, 1, 28, 28], "datatype": "FP32"}
    request = {"inputs": [{**tensor, "data": folder.inputs.ravel().tolist()}]}
    with serving(folder.path, tmp_path / "log", drain_seconds=1) as server:
        server.process.send_signal(signal.SIGTERM)
        for _ in range(200):
            ready = server.client.get("/v2/health/ready")
            if ready.status_code == 503:
                break
            time.sleep(0.005)
        assert ready.json() == {"ready": False}
        while_draining = server.client.post("/v2/models/tiny/infer", json=request)
        assert while_draining.status_code == 200
        assert while_draining.headers["connection"] == "close"
        assert server.process.wait(30) == 0
        with pytest.raises(httpx.TransportError):
            server.client.get("/v2/health/live")


def test_no_request_fails_while_a_server_is_replaced_by_another(tmp_path):
    """Clients that reconnect at once, as behind a Service, see answers only."""
    folder = model_folder.write(tmp_path / "models")
    tensor = {"name": "image", "shape": [1, 1, 28, 28], "datatype": "FP32"}
    request = {"inputs": [{**tensor, "data": folder.inputs[0].ravel().tolist()}]}
    with (
        serving(folder.path, tmp_path / "old", drain_seconds=2) as old,
        serving(folder.path, tmp_path / "new") as new,
    ):
        address, statuses, stop = [old], [], threading.Event()

        def ask() -> None:
            with httpx.Client(timeout=30) as client:
                while not stop.is_set():
                    url = f"http://127.0.0.1:{address[0].port}/v2/models/tiny/infer"
                    statuses.append(client.post(url, json=request).status_code)

        clients = [threading.Thread(target=ask) for _ in range(3)]
        for client in clients:
            client.start()
        time.sleep(0.5)
        old.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        address[0] = new
        assert old.process.wait(30) == 0
        stop.set()
        for client in clients:
            client.join()
    assert len(statuses) > 10
    assert set(statuses) == {200}


def test_a_port_in_use_is_said_and_ends_the_process(tmp_path):
    folder = model_folder.write(tmp_path / "models")
    with serving(folder.path, tmp_path / "first") as server:
        process, _ = launch(folder.path, tmp_path / "second", port=server.port)
        try:
            assert process.wait(60) != 0
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert "address already in use" in (tmp_path / "second").read_text()
