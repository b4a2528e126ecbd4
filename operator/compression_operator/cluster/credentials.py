"""Who the operator is to the API server: its ServiceAccount in a pod, a kubeconfig elsewhere.

Owns reading credentials, for our own client and for kopf alike. A ServiceAccount's token is replaced on disk
while the process runs (Kubernetes, "Bound service account tokens"), so it is read again now and then.
"""

from __future__ import annotations

import dataclasses
import os
import ssl
import time
from pathlib import Path
from typing import Any, Final

import kopf

TOKEN_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
TOKEN_LIFE: Final = 60.0
"""Seconds between two reads of the token; client-go reads as often."""


class NoCredentialsError(Exception):
    """There is neither a ServiceAccount nor a kubeconfig."""


def login(settings: kopf.OperatorSettings | None = None, **_: Any) -> kopf.ConnectionInfo:
    """Address and credentials of the API server; fit to be kopf's login handler.

    Raises:
        NoCredentialsError: nothing tells who we are.
    """
    settings = settings or kopf.OperatorSettings()
    info = kopf.login_with_service_account(settings=settings)
    if info is not None:
        host, port = (
            os.environ.get("KUBERNETES_SERVICE_HOST"),
            os.environ.get("KUBERNETES_SERVICE_PORT_HTTPS"),
        )
        if host and port:
            # The address that the kubelet gives needs no name service; certificates always hold it.
            host = f"[{host}]" if ":" in host else host
            info = dataclasses.replace(info, server=f"https://{host}:{port}")
        return info
    info = kopf.login_with_kubeconfig(settings=settings)
    if info is None:
        raise NoCredentialsError("no ServiceAccount token and no kubeconfig: run in a pod, or set KUBECONFIG")
    return info


class Credentials:
    """What goes into a request: TLS for the connection, a header for each call."""

    def __init__(self, info: kopf.ConnectionInfo, token_file: Path = TOKEN_FILE) -> None:
        self.server = str(info.server).rstrip("/")
        self.tls: ssl.SSLContext = info.as_ssl_context()
        self.proxy: str | None = info.proxy_url
        self._fixed: dict[str, str] = info.as_http_headers()
        # Only a token that came from the mounted file is replaced there.
        self._token_file = token_file if info.token and _content(token_file) == info.token else None
        self._read_at = time.monotonic()

    def headers(self) -> dict[str, str]:
        """The authorization header, from a token that is at most a minute old."""
        if self._token_file is not None and time.monotonic() - self._read_at > TOKEN_LIFE:
            self.expire()
        return self._fixed

    def expire(self) -> None:
        """The API server did not accept the token: read the file again before the next call."""
        if self._token_file is not None and (token := _content(self._token_file)):
            self._fixed = {"Authorization": f"Bearer {token}"}
            self._read_at = time.monotonic()


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
