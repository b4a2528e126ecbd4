"""Live predictions through a Service, compared with the golden pairs that the release carries.

Owns an Open Inference Protocol client of a few lines.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compression_contract.base import digest_of
from demo.kube import Answer, Kube, KubeError

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Live:
    """What the Service answers."""

    artifact_digest: str
    golden_digest: str
    samples: int
    agreement: float
    largest_difference: float
    first: int


def predict(kube: Kube, namespace: str, service: str, model: str, inputs: Floats) -> Floats:
    """Outputs of the served model for float32 inputs [n, …].

    Raises:
        KubeError: the Service answered something else than 200.
    """
    metadata = _ok(kube.http(namespace, service, f"/v2/models/{model}")).json()
    body = {
        "inputs": [
            {
                "name": metadata["inputs"][0]["name"],
                "datatype": "FP32",
                "shape": list(inputs.shape),
                "data": inputs.ravel().tolist(),
            }
        ]
    }
    data = json.dumps(body).encode()
    answer = _ok(
        kube.http(
            namespace, service, f"/v2/models/{model}/infer", data, **{"Content-Type": "application/json"}
        )
    ).json()
    output = answer["outputs"][0]
    return np.asarray(output["data"], np.float32).reshape(output["shape"])


def against_golden(kube: Kube, namespace: str, service: str, model: str) -> Live:
    """Ask the Service for every golden sample and compare."""
    metadata = _ok(kube.http(namespace, service, f"/v2/models/{model}")).json()
    raw = _ok(kube.http(namespace, service, "/golden")).body
    with np.load(io.BytesIO(raw), allow_pickle=False) as golden:
        inputs, expected = golden["inputs"], golden["outputs"]
    outputs = np.concatenate(
        [predict(kube, namespace, service, model, inputs[i : i + 16]) for i in range(0, len(inputs), 16)]
    )
    return Live(
        artifact_digest=metadata["parameters"]["artifact_digest"],
        golden_digest=digest_of(raw),
        samples=len(inputs),
        agreement=float((outputs.argmax(1) == expected.argmax(1)).mean()),
        largest_difference=float(np.abs(outputs - expected).max()),
        first=int(outputs[0].argmax()),
    )


def _ok(answer: Answer) -> Answer:
    if answer.status != 200:
        raise KubeError(f"the Service answered {answer.status}: {answer.body[:300]!r}")
    return answer
