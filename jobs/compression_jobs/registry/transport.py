"""One registry's HTTP: TLS, authentication, size caps, and errors with a name.

Owns the session. Must not know blobs or manifests: it sends a request and gives back an answer or an error.
Nothing is read from the environment (proxies, netrc): what a pod may reach is in its input.
"""

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from compression_jobs.registry.auth import Challenge, Credentials
from compression_jobs.registry.errors import Corrupt, Denied, Unavailable, error_for

CONNECT_TIMEOUT, READ_TIMEOUT = 10.0, 120.0
"""Seconds to reach a registry, and to wait for its next bytes."""

_ERROR_BODY = 16 << 10
_TOKEN_BODY = 64 << 10
_AGAIN = Retry(total=2, connect=2, read=1, status=0, backoff_factor=0.3, allowed_methods=("GET", "HEAD"))


class _TrustAdapter(HTTPAdapter):
    """Trusts the given certificates beside the public ones."""

    def __init__(self, bundle: str) -> None:
        self._context = ssl.create_default_context()
        self._context.load_verify_locations(cadata=bundle)
        super().__init__(max_retries=_AGAIN)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)


def read_capped(response: requests.Response, limit: int, what: str) -> bytes:
    """The whole body; raises Corrupt when it has more than `limit` bytes, Unavailable when it breaks."""
    parts, size = [], 0
    for part in stream_of(response):
        size += len(part)
        if size > limit:
            raise Corrupt(f"{what} is larger than {limit} bytes: it is not read any further")
        parts.append(part)
    return b"".join(parts)


def stream_of(response: requests.Response, chunk: int = 1 << 20) -> Iterator[bytes]:
    """The body in pieces; raises Unavailable when the connection breaks."""
    try:
        yield from response.iter_content(chunk)
    except (requests.RequestException, OSError) as error:
        raise Unavailable(f"the registry's answer broke off: {_cause(error)}") from error


class Transport:
    """Requests to one registry.

    Args:
        host: the registry with its port.
        credentials: the account, or None for anonymous access.
        ca_bundle: PEM certificates to trust beside the public ones, "" for none.
        plain_http: speak HTTP; for a registry on the loopback address only.
    """

    def __init__(
        self,
        host: str,
        credentials: Credentials | None = None,
        ca_bundle: str = "",
        *,
        plain_http: bool = False,
    ) -> None:
        self.host = host
        self._scheme = "http" if plain_http else "https"
        self._credentials = credentials
        self._authorization: dict[str, str] = {}  # by scopes; "" once the registry asked for Basic
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.max_redirects = 4
        if ca_bundle:
            try:
                self._session.mount("https://", _TrustAdapter(ca_bundle))
            except ssl.SSLError:
                raise ValueError("the CA bundle holds no readable PEM certificate") from None
        else:
            self._session.mount("https://", HTTPAdapter(max_retries=_AGAIN))

    def close(self) -> None:
        """Give the connections back."""
        self._session.close()

    def url(self, location: str) -> str:
        """The absolute URL of a path or of a Location header; raises Corrupt when TLS would be lost."""
        absolute = urljoin(f"{self._scheme}://{self.host}/", location)
        if urlsplit(absolute).scheme != self._scheme:
            raise Corrupt(f"{self.host} sends its clients from {self._scheme} to {absolute[:120]!r}")
        return absolute

    @contextmanager
    def request(
        self,
        method: str,
        location: str,
        *,
        doing: str,
        scopes: tuple[str, ...] = (),
        accept_status: tuple[int, ...] = (),
        **options: Any,
    ) -> Iterator[requests.Response]:
        """Send a request, answering one authentication challenge, and yield the open response.

        Args:
            method: the HTTP method.
            location: a path at the registry or a Location it gave.
            doing: what this is for, the start of an error's sentence.
            scopes: token scopes (`repository:<name>:pull,push`) the request needs.
            accept_status: statuses outside 2xx that the caller handles itself.
            options: passed to requests (data, headers, params); `data` is bytes, as it may be sent twice.

        Raises:
            Denied, NotFound, Unavailable, Corrupt: by the answer's status.
        """
        url, key = self.url(location), " ".join(scopes)
        known = self._authorization.get(key) or self._authorization.get("")
        response = self._send(method, url, known, doing, options)
        try:
            if response.status_code == HTTPStatus.UNAUTHORIZED:
                challenge = Challenge.parse(response.headers.get("WWW-Authenticate", ""))
                response.close()
                answer = self._answer(challenge, scopes, doing)
                self._authorization["" if challenge.scheme == "basic" else key] = answer
                response = self._send(method, url, answer, doing, options)
            if not response.ok and response.status_code not in accept_status:
                body = response.raw.read(_ERROR_BODY, decode_content=True) if method != "HEAD" else b""
                raise error_for(response.status_code, body.decode("utf-8", "replace"), doing)
            self.url(response.url)
            yield response
        finally:
            response.close()

    def _send(
        self, method: str, url: str, authorization: str | None, doing: str, options: dict[str, Any]
    ) -> requests.Response:
        headers: Mapping[str, str] = options.get("headers", {})
        # Upload locations may lead to another host (a CDN, an object store): it gets no credentials of ours.
        if authorization and urlsplit(url).netloc == self.host:
            headers = {**headers, "Authorization": authorization}
        try:
            return self._session.request(
                method,
                url,
                stream=True,
                timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
                **{**options, "headers": headers},
            )
        except requests.exceptions.SSLError as error:
            raise Unavailable(
                f"{doing}: the certificate of {self.host} is not trusted ({_cause(error)}); "
                "add its issuer to the CA bundle"
            ) from error
        except (requests.RequestException, OSError) as error:
            raise Unavailable(f"{doing}: {self.host} cannot be reached ({_cause(error)})") from error

    def _answer(self, challenge: Challenge, scopes: tuple[str, ...], doing: str) -> str:
        if challenge.scheme == "basic":
            if self._credentials is None:
                raise Denied(f"{doing}: {self.host} wants an account and the registry Secret has none for it")
            return self._credentials.basic()
        if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
            return "Bearer " + self._token(challenge.parameters, scopes, doing)
        raise Denied(
            f"{doing}: {self.host} wants {challenge.scheme or 'unknown'!r} authentication; "
            "basic and bearer are supported"
        )

    def _token(self, wanted: dict[str, str], scopes: tuple[str, ...], doing: str) -> str:
        """A bearer token (distribution token specification) for the challenge's scope and ours."""
        asked = dict.fromkeys([*wanted.get("scope", "").split(), *scopes])
        query = [("service", wanted["service"])] if wanted.get("service") else []
        query += [("scope", scope) for scope in asked]
        auth = self._credentials.basic() if self._credentials else None
        realm = self.url(wanted["realm"])
        options: dict[str, Any] = {"params": query, "headers": {"Authorization": auth} if auth else {}}
        response = self._send("GET", realm, None, doing, options)
        try:
            body = read_capped(response, _TOKEN_BODY, "the token server's answer")
            if not response.ok:
                raise error_for(
                    response.status_code, body.decode("utf-8", "replace"), f"{doing}: asking for a token"
                )
            document = json.loads(body)
            return str(document.get("token") or document["access_token"])
        except (ValueError, KeyError, AttributeError):
            raise Corrupt(f"{doing}: the token server at {urlsplit(realm).netloc} gave no token") from None
        finally:
            response.close()


def _cause(error: BaseException) -> str:
    """The innermost reason of a connection error: outer ones repeat URLs, which may carry upload state."""
    inner: Any = error
    while True:
        candidates = (getattr(inner, "reason", None), *inner.args)
        deeper = next((found for found in candidates if isinstance(found, BaseException)), None)
        if deeper is None:
            return f"{type(inner).__name__}: {str(inner)[:160]}"
        inner = deeper
