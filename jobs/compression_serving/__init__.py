"""The server inside the serving image: one ONNX model behind the Open Inference Protocol v2 over HTTP.

Owns serving and nothing else. Must not know S3, registries or Kubernetes: the model is a read-only folder.
"""

import os

# ONNX Runtime reports its use to its maker unless it is told not to before it is loaded: nothing that runs in
# a tenant's cluster may try to call out.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
