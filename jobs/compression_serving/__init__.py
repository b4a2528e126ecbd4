"""The server inside the serving image: one ONNX model behind the Open Inference Protocol v2 over HTTP.

Owns serving and nothing else. Must not know S3, registries or Kubernetes: the model is a read-only folder.
"""
