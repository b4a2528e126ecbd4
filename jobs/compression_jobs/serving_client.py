"""A client of one serving pod: health, metadata, golden pairs and predictions.

Owns the Open Inference Protocol v2 from the client's side and the caps on what a pod may answer. A pod is
addressed by its IP and asked with plain GET and POST: no name is resolved and no redirect is followed.
"""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import requests
import urllib3
from numpy.typing import NDArray

from compression_contract.inputs import ProbePaths
from compression_jobs.artifacts import digest_of_file

Array = NDArray[Any]

UNREACHABLE: Final = "Unreachable"
"""The reason of a pod that gave no answer: unlike a wrong one it says nothing of the release."""
LARGEST_DOCUMENT: Final = 1 << 20
LARGEST_ANSWER: Final = 16 << 20
LARGEST_GOLDEN: Final = 1 << 30
CONNECT_SECONDS, READ_SECONDS = 3.0, 30.0
_HEADER_LENGTH: Final = "Inference-Header-Content-Length"
_BINARY: Final = "binary_tensor_data"


class PodError(Exception):
    """A pod does not answer as a server of the protocol; `reason` is the word for a report."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a pod says it serves."""

    artifact_digest: str
    golden_digest: str
    input_name: str
    output_name: str
    binary: bool
    """Whether tensors may travel as bytes instead of JSON numbers."""


class Pod:
    """One pod at an address; use as a context manager."""

    def __init__(self, address: str, port: int, model: str, paths: ProbePaths) -> None:
        host = f"[{address}]" if ipaddress.ip_address(address).version == 6 else address
        self._root = f"http://{host}:{port}"
        self._paths = paths
        self._metadata_path = paths.metadata or f"/v2/models/{model}"
        self._predict_path = paths.predict or f"/v2/models/{model}/infer"
        self._session = requests.Session()
        self._session.trust_env = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def require_ready(self) -> None:
        """Raise PodError NotReady or Unreachable unless the pod is ready."""
        with self._request("GET", self._paths.ready, "NotReady"):
            return

    def metadata(self) -> Metadata:
        """What the pod serves; raises PodError WrongModel when it does not say."""
        document = self._document(self._metadata_path)
        try:
            parameters = document["parameters"]
            return Metadata(
                artifact_digest=str(parameters["artifact_digest"]),
                golden_digest=str(parameters.get("golden_digest", "")),
                input_name=str(document["inputs"][0]["name"]),
                output_name=str(document["outputs"][0]["name"]),
                binary=self._takes_binary(),
            )
        except (KeyError, IndexError, TypeError, AttributeError):
            raise PodError(
                "WrongModel", "its metadata names no artifact_digest, inputs and outputs"
            ) from None

    def golden(self, target: Path) -> str:
        """Download the golden pairs; returns the file's digest."""
        size = 0
        with (
            self._request("GET", self._paths.golden, "GoldenMismatch") as response,
            target.open("wb") as file,
        ):
            for piece in response.iter_content(1 << 20):
                size += len(piece)
                if size > LARGEST_GOLDEN:
                    raise PodError("GoldenMismatch", f"its golden file has more than {LARGEST_GOLDEN} bytes")
                file.write(piece)
        return digest_of_file(target)

    def predict(self, metadata: Metadata, rows: Array) -> tuple[Array, float]:
        """The first output for `rows` (float32, or int64 for texts), and the seconds until it came.

        Raises:
            PodError: WrongAnswers, Unreachable.
        """
        body, headers = _request_body(metadata, rows)
        started = time.perf_counter()
        with self._request(
            "POST", self._predict_path, "WrongAnswers", data=body, headers=headers
        ) as response:
            raw = _capped(response, LARGEST_ANSWER, "WrongAnswers")
            seconds = time.perf_counter() - started
            size = response.headers.get(_HEADER_LENGTH)
        return _answer(raw, size, metadata.output_name), seconds

    def _takes_binary(self) -> bool:
        """Whether the server lists the binary extension; one without a server document takes JSON."""
        try:
            return _BINARY in self._document("/v2").get("extensions", ())
        except (PodError, TypeError):
            return False

    def _document(self, path: str) -> dict[str, Any]:
        with self._request("GET", path, "WrongModel") as response:
            raw = _capped(response, LARGEST_DOCUMENT, "WrongModel")
        try:
            document = json.loads(raw)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise PodError("WrongModel", f"{path} does not answer with a JSON object")
        return document

    @contextmanager
    def _request(self, method: str, path: str, reason: str, **options: Any) -> Iterator[requests.Response]:
        """An answer with status 200; anything else is a PodError with this reason, or Unreachable."""
        try:
            response = self._session.request(
                method,
                self._root + path,
                stream=True,
                allow_redirects=False,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                **options,
            )
            with response:
                if response.status_code != HTTPStatus.OK:
                    said = response.raw.read(200, decode_content=True).decode("ascii", "replace")
                    shown = "".join(letter if letter.isprintable() else " " for letter in said)
                    raise PodError(reason, f"{path} answers {response.status_code}: {shown}")
                yield response
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise PodError(UNREACHABLE, f"{path}: {type(error).__name__}") from error


def _request_body(metadata: Metadata, rows: Array) -> tuple[bytes, dict[str, str]]:
    datatype, wire = ("INT64", "<i8") if rows.dtype.kind == "i" else ("FP32", "<f4")
    rows = np.ascontiguousarray(rows, dtype=wire)
    tensor: dict[str, Any] = {"name": metadata.input_name, "shape": list(rows.shape), "datatype": datatype}
    document: dict[str, Any] = {"inputs": [tensor], "outputs": [{"name": metadata.output_name}]}
    if not metadata.binary:
        tensor["data"] = rows.ravel().tolist()
        return json.dumps(document).encode(), {"Content-Type": "application/json"}
    raw = rows.tobytes()
    tensor["parameters"] = {"binary_data_size": len(raw)}
    document["outputs"][0]["parameters"] = {"binary_data": True}
    header = json.dumps(document).encode()
    return header + raw, {"Content-Type": "application/octet-stream", _HEADER_LENGTH: str(len(header))}


def _answer(raw: bytes, header_size: str | None, name: str) -> Array:
    """The named output of a response's body."""
    try:
        size = len(raw) if header_size is None else int(header_size)
        tensors = {tensor["name"]: tensor for tensor in json.loads(raw[:size])["outputs"]}
        tensor = tensors[name]
        shape = [int(length) for length in tensor["shape"]]
        if header_size is None:
            return np.asarray(tensor["data"], dtype=np.float32).reshape(shape)
        return np.frombuffer(raw[size:], dtype="<f4").reshape(shape)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise PodError("WrongAnswers", f"its answer holds no readable output {name!r}") from None


def _capped(response: requests.Response, limit: int, reason: str) -> bytes:
    parts, size = [], 0
    for piece in response.iter_content(1 << 16):
        size += len(piece)
        if size > limit:
            raise PodError(reason, f"its answer has more than {limit} bytes")
        parts.append(piece)
    return b"".join(parts)
