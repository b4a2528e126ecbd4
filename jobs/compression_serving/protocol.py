"""The Open Inference Protocol v2's inference request and response, with the binary tensor data extension.

Owns bytes to arrays and back. Must not know HTTP servers or models: tensors are known by their specification.
Sources: kserve/open-inference-protocol, specification/protocol/inference_rest.md;
triton-inference-server/server, docs/protocol/extension_binary_data.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from compression_contract.served_model import TensorSpec
from compression_serving.errors import PredictionError, RequestError

Array = npt.NDArray[Any]

HEADER_LENGTH: Final = "inference-header-content-length"
"""The HTTP header that gives the size of the JSON in front of binary tensors."""

EXTENSIONS: Final = ("binary_tensor_data",)

DATATYPES: Final[dict[str, type[np.generic]]] = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
}
_BINARY_ONLY: Final = {"FP16"}
_LONGEST_ID: Final = 256
_MOST_DIMENSIONS: Final = 16


@dataclass(frozen=True)
class InferenceRequest:
    """A parsed request: arrays by input name, and for each wanted output whether it goes out as binary."""

    identifier: str
    inputs: dict[str, Array] = field(repr=False)
    outputs: dict[str, bool]


def parse_request(
    body: bytes, header_length: str | None, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> InferenceRequest:
    """Read an inference request.

    Args:
        body: the HTTP body.
        header_length: the value of the Inference-Header-Content-Length header, None when absent.
        inputs: what the model takes; every one must be given, with its datatype and a fitting shape.
        outputs: what the model gives; a request may ask for some of them.

    Raises:
        RequestError: with a sentence for the client.
    """
    size = _header_size(header_length, len(body))
    document = _document(body[:size])
    tensors, binary = document.get("inputs"), memoryview(body)[size:]
    if not isinstance(tensors, list) or not tensors:
        raise RequestError("the request needs `inputs`, a list of tensors")
    specs = {spec.name: spec for spec in inputs}
    arrays: dict[str, Array] = {}
    for tensor in tensors:
        name, spec = _known(tensor, specs, "input")
        if name in arrays:
            raise RequestError(f"input {name!r} is given twice")
        arrays[name], binary = _array(tensor, spec, binary)
    if missing := sorted(specs.keys() - arrays.keys()):
        raise RequestError(f"input {missing[0]!r} is missing")
    if len(binary):
        raise RequestError(f"{len(binary)} bytes of binary data belong to no input")
    identifier = document.get("id", "")
    if not isinstance(identifier, str) or len(identifier) > _LONGEST_ID:
        raise RequestError(f"`id` must be text of at most {_LONGEST_ID} characters")
    return InferenceRequest(identifier, arrays, _wanted(document, outputs))


def render_response(
    model: tuple[str, str], request: InferenceRequest, arrays: Mapping[str, Array]
) -> tuple[bytes, int | None]:
    """The response's body and, when it holds binary tensors, the size of its JSON part.

    Args:
        model: the model's name and version.
        request: what was asked for.
        arrays: the model's outputs by name.

    Raises:
        PredictionError: an output has no JSON form (FP16, or a value that is not finite).
    """
    tensors, blobs = [], []
    for name, binary in request.outputs.items():
        array = np.ascontiguousarray(arrays[name])
        tensor: dict[str, Any] = {"name": name, "datatype": _datatype(array), "shape": list(array.shape)}
        if binary:
            raw = array.tobytes()
            tensor["parameters"] = {"binary_data_size": len(raw)}
            blobs.append(raw)
        else:
            tensor["data"] = _json_ready(name, array, tensor["datatype"])
        tensors.append(tensor)
    name, version = model
    document: dict[str, Any] = {"model_name": name, "model_version": version, "outputs": tensors}
    if request.identifier:
        document["id"] = request.identifier
    header = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    if not blobs:
        return header, None
    return b"".join((header, *blobs)), len(header)


def _header_size(header_length: str | None, body_size: int) -> int:
    if header_length is None:
        return body_size
    if not header_length.isascii() or not header_length.isdigit() or not 0 < int(header_length) <= body_size:
        raise RequestError(
            f"Inference-Header-Content-Length is {header_length[:20]!r}; "
            f"it must be the JSON's size, from 1 to the body's {body_size} bytes"
        )
    return int(header_length)


def _document(raw: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise RequestError(f"the request is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise RequestError("the request must be a JSON object")
    return document


def _known(tensor: Any, specs: Mapping[str, TensorSpec], kind: str) -> tuple[str, TensorSpec]:
    name = tensor.get("name") if isinstance(tensor, dict) else None
    spec = specs.get(name) if isinstance(name, str) else None
    if spec is None:
        raise RequestError(f"there is no {kind} {str(name)[:80]!r}; this model has {sorted(specs)}")
    return spec.name, spec


def _array(tensor: dict[str, Any], spec: TensorSpec, binary: memoryview) -> tuple[Array, memoryview]:
    """The tensor's array, and the binary data that is left for the tensors after it."""
    shape = _shape(tensor.get("shape"), spec)
    if tensor.get("datatype") != spec.datatype:
        given = str(tensor.get("datatype"))[:20]
        raise RequestError(f"input {spec.name!r} has datatype {given!r}; this model takes {spec.datatype}")
    size = _parameter(tensor, "binary_data_size")
    if size is None:
        return _from_json(tensor.get("data"), shape, spec), binary
    if "data" in tensor:
        raise RequestError(f"input {spec.name!r} has both `data` and binary_data_size; give one")
    needed = math.prod(shape) * np.dtype(DATATYPES[spec.datatype]).itemsize
    if type(size) is not int or size != needed:
        raise RequestError(
            f"input {spec.name!r} says binary_data_size {size!r}; its shape needs {needed} bytes"
        )
    if size > len(binary):
        raise RequestError(f"input {spec.name!r} needs {size} bytes of binary data; {len(binary)} are left")
    little_endian = np.dtype(DATATYPES[spec.datatype]).newbyteorder("<")
    return np.frombuffer(binary[:size], little_endian).reshape(shape), binary[size:]


def _shape(given: Any, spec: TensorSpec) -> tuple[int, ...]:
    valid = isinstance(given, list) and len(given) <= _MOST_DIMENSIONS
    if not valid or not all(type(size) is int and size > 0 for size in given):
        raise RequestError(f"input {spec.name!r} needs a `shape`: a list of positive integers")
    fits = len(given) == len(spec.shape)
    fits = fits and all(want in {-1, got} for want, got in zip(spec.shape, given, strict=False))
    if not fits:
        raise RequestError(f"input {spec.name!r} has shape {given}; this model takes {list(spec.shape)}")
    return tuple(given)


def _from_json(data: Any, shape: tuple[int, ...], spec: TensorSpec) -> Array:
    """An array from JSON numbers, nested or flat in row-major order."""
    if spec.datatype in _BINARY_ONLY:
        raise RequestError(
            f"input {spec.name!r} is {spec.datatype}, which has no JSON form; send binary data"
        )
    if not isinstance(data, list):
        raise RequestError(f"input {spec.name!r} needs `data`: a list of values")
    wanted = np.dtype(DATATYPES[spec.datatype])
    try:
        read = np.asarray(data)
    except (ValueError, OverflowError):
        raise RequestError(f"input {spec.name!r}: `data` is not a regular array of numbers") from None
    if read.size != math.prod(shape):
        raise RequestError(f"input {spec.name!r} has {read.size} values; its shape {list(shape)} needs other")
    if read.ndim > 1 and read.shape != shape:
        raise RequestError(f"input {spec.name!r}: `data` is nested as {list(read.shape)}, not as its shape")
    fitting = {"f": "fiu", "i": "iu", "u": "iu", "b": "b"}[wanted.kind]
    if read.dtype.kind not in fitting:
        raise RequestError(f"input {spec.name!r}: `data` holds values that are not {spec.datatype}")
    if wanted.kind in "iu":
        bounds = np.iinfo(wanted.name)
        if int(read.min()) < bounds.min or int(read.max()) > bounds.max:
            raise RequestError(f"input {spec.name!r}: `data` holds values outside {spec.datatype}")
    return read.astype(wanted).reshape(shape)


def _wanted(document: dict[str, Any], outputs: Sequence[TensorSpec]) -> dict[str, bool]:
    everything = _flag(document, "binary_data_output", default=False)
    asked = document.get("outputs")
    if asked is None or asked == []:
        return {spec.name: everything for spec in outputs}
    if not isinstance(asked, list):
        raise RequestError("`outputs` must be a list of tensors, or absent for all of them")
    specs = {spec.name: spec for spec in outputs}
    return {_known(output, specs, "output")[0]: _flag(output, "binary_data", everything) for output in asked}


def _parameter(holder: dict[str, Any], name: str) -> Any:
    parameters = holder.get("parameters", {})
    if not isinstance(parameters, dict):
        raise RequestError("`parameters` must be a JSON object")
    return parameters.get(name)


def _flag(holder: dict[str, Any], name: str, default: bool) -> bool:
    value = _parameter(holder, name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise RequestError(f"parameter {name} must be true or false")
    return value


def _datatype(array: Array) -> str:
    for name, kind in DATATYPES.items():
        if array.dtype == kind:
            return name
    raise PredictionError(f"the model answers with {array.dtype}, which the protocol does not know")


def _json_ready(name: str, array: Array, datatype: str) -> Array:
    if datatype in _BINARY_ONLY:
        raise PredictionError(f"output {name!r} is {datatype}, which has no JSON form; ask for binary_data")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise PredictionError(f"output {name!r} is not finite, which has no JSON form; ask for binary_data")
    return array.reshape(-1)
