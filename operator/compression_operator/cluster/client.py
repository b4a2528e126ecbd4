"""The client of the API server: one connection pool, typed errors, every write behind a fence.

Owns HTTP. A call is made once: whoever asks knows whether a repetition is harmless. Must not know what is in
an object.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

import aiohttp
import orjson

from compression_operator.cluster.credentials import Credentials
from compression_operator.cluster.errors import ApiError, UnavailableError, error_of
from compression_operator.cluster.resources import POD, ResourceType

Json = dict[str, Any]

CONNECTIONS: Final = 64
TIMEOUT: Final = aiohttp.ClientTimeout(total=20, sock_connect=5)
PAGE: Final = 500
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
_JSON: Final = {"Content-Type": "application/json"}
_MERGE: Final = {"Content-Type": "application/merge-patch+json"}
_APPLY: Final = {"Content-Type": "application/apply-patch+yaml"}
_METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    body: Mapping[str, Any] | None = None
    params: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tail:
    """How much of a log is read: of which container, how many lines, how many bytes at most."""

    container: str
    lines: int
    limit: int


CallListener = Callable[[str, ResourceType, int, float], None]
"""(verb, resource, HTTP status or 0, seconds)."""


class Client:
    """Reads and writes objects.

    `fence` runs before each write and must not return once this process has lost the right to write.
    """

    def __init__(
        self,
        credentials: Credentials,
        listener: CallListener = lambda *_: None,
        fence: Callable[[], None] = lambda: None,
    ) -> None:
        self._credentials = credentials
        self._listener = listener
        self.fence = fence
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=credentials.tls, limit=CONNECTIONS, keepalive_timeout=60),
            timeout=TIMEOUT,
            headers={"User-Agent": "compression-operator", "Accept": "application/json"},
            proxy=credentials.proxy,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(self, resource: ResourceType, namespace: str, name: str) -> Json:
        """One object as it is now."""
        return await self._call("get", resource, _Request("GET", resource.path(namespace, name)))

    async def pages(
        self,
        resource: ResourceType,
        namespace: str = "",
        selector: str = "",
        *,
        metadata_only: bool = False,
        size: int = PAGE,
    ) -> AsyncIterator[Json]:
        """All objects of a collection, page by page (`items`, `metadata`), of one namespace or of all."""
        params = {"limit": str(size)} | ({"labelSelector": selector} if selector else {})
        headers = {"Accept": _METADATA_ONLY} if metadata_only else {}
        while True:
            request = _Request("GET", resource.path(namespace), params=params, headers=headers)
            body = await self._call("list", resource, request)
            yield body
            token = (body.get("metadata") or {}).get("continue")
            if not token:
                return
            params["continue"] = token

    async def create(self, resource: ResourceType, namespace: str, body: Mapping[str, Any]) -> Json:
        """Create an object; it is returned as the API server stored it."""
        return await self._call("create", resource, _Request("POST", resource.path(namespace), body))

    async def replace(
        self, resource: ResourceType, namespace: str, name: str, body: Mapping[str, Any]
    ) -> Json:
        """Replace an object; its `resourceVersion` makes it a compare-and-swap."""
        return await self._call("update", resource, _Request("PUT", resource.path(namespace, name), body))

    async def patch_status(
        self, resource: ResourceType, namespace: str, name: str, body: Mapping[str, Any]
    ) -> Json:
        """Merge into an object's status; a `resourceVersion` in the metadata makes it a compare-and-swap."""
        path = resource.path(namespace, name, "status")
        return await self._call("patch", resource, _Request("PATCH", path, body, headers=_MERGE))

    async def apply(
        self, resource: ResourceType, body: Mapping[str, Any], manager: str, *, force: bool
    ) -> Json:
        """Server-side apply of the fields in `body`."""
        meta = body["metadata"]
        params = {"fieldManager": manager, "force": "true" if force else "false"}
        path = resource.path(meta.get("namespace", ""), meta["name"])
        return await self._call("apply", resource, _Request("PATCH", path, body, params, _APPLY))

    async def delete(
        self, resource: ResourceType, namespace: str, name: str, *, uid: str, propagation: str
    ) -> Json:
        """Delete the object if it still has that uid."""
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
            "preconditions": {"uid": uid},
        }
        return await self._call("delete", resource, _Request("DELETE", resource.path(namespace, name), body))

    async def tail(self, namespace: str, pod: str, tail: Tail) -> bytes:
        """The last lines of a container's log."""
        params = {
            "container": tail.container,
            "tailLines": str(tail.lines),
            "limitBytes": str(tail.limit),
        }
        request = _Request("GET", POD.path(namespace, pod, "log"), params=params)
        code, raw = await self._send("log", POD, request)
        if code != 200:
            self._parse(code, raw)
        return raw[: tail.limit]

    async def _call(self, verb: str, resource: ResourceType, request: _Request) -> Json:
        return self._parse(*await self._send(verb, resource, request))

    async def _send(self, verb: str, resource: ResourceType, request: _Request) -> tuple[int, bytes]:
        if request.method != "GET":
            self.fence()
        begun = time.monotonic()
        code = 0
        try:
            async with self._session.request(
                request.method,
                self._credentials.server + request.path,
                params=request.params,
                data=None if request.body is None else orjson.dumps(request.body),
                headers={**_JSON, **self._credentials.headers(), **request.headers},
                allow_redirects=False,
            ) as response:
                code = response.status
                raw = await _read(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnavailableError(
                0, type(error).__name__, f"the API server was not reached: {error}"
            ) from error
        finally:
            self._listener(verb, resource, code, time.monotonic() - begun)
        return code, raw

    def _parse(self, code: int, raw: bytes) -> Json:
        try:
            parsed = orjson.loads(raw) if raw else {}
        except orjson.JSONDecodeError:
            parsed = None
        if 200 <= code < 300 and isinstance(parsed, dict):
            return parsed
        if code == 401:
            self._credentials.expire()
            raise UnavailableError(code, "Unauthorized", "the API server does not accept our credentials")
        raise error_of(code, parsed if isinstance(parsed, dict) else None)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    if (response.content_length or 0) > MAX_ANSWER_BYTES:
        raise ApiError(
            response.status, "TooLarge", f"an answer of {response.content_length} bytes is refused"
        )
    return await response.read()
