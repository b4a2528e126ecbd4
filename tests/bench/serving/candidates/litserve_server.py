"""LitServe with the same model behind its own route."""

import sys
from pathlib import Path

import litserve
import numpy as np
import onnxruntime as ort

sys.path.insert(0, str(Path(__file__).parent))
from shared import SESSION_THREADS, answer, inputs_of


class API(litserve.LitAPI):
    def setup(self, device: str) -> None:  # noqa: ARG002 - the base class's
        options = ort.SessionOptions()
        options.intra_op_num_threads = SESSION_THREADS
        model = str(Path(sys.argv[1]) / "model.onnx")
        self.session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def decode_request(self, request: dict) -> np.ndarray:
        return inputs_of(request)

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return self.session.run(None, {"image": rows})[0]

    def encode_response(self, logits: np.ndarray) -> dict:
        document = answer(logits)
        document["outputs"][0]["data"] = document["outputs"][0]["data"].tolist()
        return document


if __name__ == "__main__":
    api = API(api_path="/v2/models/tiny/infer", max_batch_size=1)
    server = litserve.LitServer(api, accelerator="cpu", healthcheck_path="/v2/health/ready")
    server.run(host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False, log_level="warning")
