"""The HTTP face of a service: the Open Inference Protocol v2, health, metrics and the golden pairs.

Owns paths, status codes and size caps. Decides nothing about the model.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import orjson
from prometheus_client import exposition
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from compression_serving import protocol
from compression_serving.errors import EncodingError, RequestError, TooLargeError, UnknownModelError
from compression_serving.service import Service

logger = logging.getLogger("compression_serving")

_SERVER = {"name": "compression-serving", "version": "1", "extensions": list(protocol.EXTENSIONS)}
_PLATFORM = "onnxruntime_onnx"

Handler = Callable[[Request], Awaitable[Response]]


def build_app(service: Service) -> ASGIApp:
    """The application of one service; its lifespan starts and stops it."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.stop()

    model = "/v2/models/{model}"
    with_version = f"{model}/versions/{{version}}"
    routes = [
        Route("/ping", _ready),
        Route("/metrics", _metrics),
        Route("/golden", _golden),
        Route("/v2", _server),
        Route("/v2/health/live", _live),
        Route("/v2/health/ready", _ready),
    ]
    for base in (model, with_version):
        routes += [
            Route(base, _model),
            Route(f"{base}/ready", _model_ready),
            Route(f"{base}/infer", _infer, methods=["POST"]),
        ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={RequestError: _refuse, HTTPException: _refuse_http, Exception: _fail},
    )
    app.state.service = service
    return _Observed(app, service)


def _service(request: Request) -> Service:
    service = request.app.state.service
    assert isinstance(service, Service)  # noqa: S101 - for the type checker: `state` is untyped
    return service


async def _server(_: Request) -> Response:
    return _json(_SERVER)


async def _live(_: Request) -> Response:
    return _json({"live": True})


async def _ready(request: Request) -> Response:
    service = _service(request)
    if not (service.ready or service.draining):
        _ = service.model
    return _json({"ready": service.ready}, 200 if service.ready else 503)


async def _model(request: Request) -> Response:
    service = _named(request)
    description = service.description
    return _json(
        {
            "name": description.name,
            "versions": [service.version],
            "platform": _PLATFORM,
            "inputs": [spec.wire() for spec in description.inputs],
            "outputs": [spec.wire() for spec in description.outputs],
            "parameters": {
                "artifact_digest": description.artifact_digest,
                "model_digest": description.model_digest,
                "golden_digest": description.golden_digest,
                "format": description.format,
            },
        }
    )


async def _model_ready(request: Request) -> Response:
    service = _named(request)
    answer = {"name": service.description.name, "ready": service.ready}
    return _json(answer, 200 if service.ready else 503)


async def _infer(request: Request) -> Response:
    service = _named(request)
    body = await _body(request, service.settings.max_body_bytes)
    description = service.description
    header_length = request.headers.get(protocol.HEADER_LENGTH)
    parsed = protocol.parse_request(body, header_length, description.inputs, description.outputs)
    outputs = await service.predict(parsed.inputs)
    content, json_size = protocol.render_response((description.name, service.version), parsed, outputs)
    if json_size is None:
        return Response(content, media_type="application/json")
    headers = {protocol.HEADER_LENGTH: str(json_size)}
    return Response(content, headers=headers, media_type="application/octet-stream")


async def _golden(request: Request) -> Response:
    service = _service(request)
    headers = {"ETag": f'"{service.description.golden_digest}"'}
    return FileResponse(service.model.golden_file, media_type="application/octet-stream", headers=headers)


async def _metrics(request: Request) -> Response:
    render, content_type = exposition.choose_encoder(request.headers.get("accept", ""))
    return Response(render(_service(request).metrics.registry), headers={"Content-Type": content_type})


def _named(request: Request) -> Service:
    """The service, when the path names its model and version."""
    service = _service(request)
    name, version = request.path_params["model"], request.path_params.get("version", service.version)
    if name != service.description.name:
        raise UnknownModelError(f"there is no model {name[:80]!r} here; this is {service.description.name!r}")
    if version != service.version:
        raise UnknownModelError(f"there is no version {version[:80]!r}; this is {service.version!r}")
    return service


async def _body(request: Request, limit: int) -> bytes:
    """The whole body, read no further than `limit` bytes."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise EncodingError(f"the body is encoded as {encoding[:20]!r}; send it as it is")
    too_large = TooLargeError(f"the request has more than {limit} bytes; send fewer rows at a time")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise too_large
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise too_large
        parts.append(part)
    return b"".join(parts)


def _json(content: object, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)  # noqa: S101 - Starlette types handlers by their base
    response = _json({"error": str(error)}, error.status)
    if error.status == 503:
        response.headers["Retry-After"] = "1"
    if error.status == 413:
        # The rest of the body was not read, so the connection cannot carry another request.
        response.headers["Connection"] = "close"
    return response


async def _refuse_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - Starlette types handlers by their base
    sentence = {
        404: f"there is nothing at {request.url.path[:80]!r}; see /v2",
        405: f"{request.method} is not for {request.url.path[:80]!r}",
    }.get(error.status_code, error.detail)
    return Response(
        orjson.dumps({"error": sentence}), error.status_code, error.headers, media_type="application/json"
    )


async def _fail(request: Request, error: Exception) -> Response:
    logger.error("defect while answering %s", request.url.path, exc_info=error)
    return _json({"error": "the server has a defect; its log says which"}, 500)


class _Observed:
    """Counts and times every answer, and asks clients to reconnect elsewhere while draining."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if self._service.draining:
                    message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            endpoint = getattr(scope.get("endpoint"), "__name__", "_unknown")[1:]
            self._service.metrics.answered(endpoint, status, time.perf_counter() - started)
