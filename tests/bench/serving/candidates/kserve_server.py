"""KServe's Python model server with a custom model."""

import sys
from pathlib import Path

import kserve
import numpy as np
import onnxruntime as ort

sys.path.insert(0, str(Path(__file__).parent))
from shared import SESSION_THREADS


class Tiny(kserve.Model):
    def __init__(self) -> None:
        super().__init__("tiny")
        options = ort.SessionOptions()
        options.intra_op_num_threads = SESSION_THREADS
        model = str(Path(sys.argv[1]) / "model.onnx")
        self.session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.ready = True

    def predict(self, payload, headers=None, response_headers=None):  # noqa: ARG002 - the base class's
        rows = payload.inputs[0].as_numpy().astype(np.float32)
        logits = self.session.run(None, {"image": rows})[0]
        output = kserve.InferOutput("logits", list(logits.shape), "FP32", data=logits.ravel().tolist())
        return kserve.InferResponse(payload.id, "tiny", [output])


if __name__ == "__main__":
    server = kserve.ModelServer(
        http_port=int(sys.argv[2]),
        enable_grpc=False,
        workers=1,
        access_log_format=None,
        enable_docs_url=False,
    )
    server.start([Tiny()])
