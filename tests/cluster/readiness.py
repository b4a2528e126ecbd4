"""Waiting for a part of the cluster to answer, and saying why when it does not."""

import http.client
import json
import ssl
import time
from collections.abc import Callable
from typing import Any

from cluster import services
from cluster.errors import ClusterError
from cluster.instance import API_PORT, Instance

_INTERVAL = 0.1


def until(
    instance: Instance, service: str, what: str, is_true: Callable[[], bool], limit_seconds: float = 90.0
) -> None:
    """Wait until it is true; raises ClusterError with the end of the service's log when time is up."""
    end = time.monotonic() + limit_seconds
    while not is_true():
        if time.monotonic() > end:
            words = services.last_words(instance, service)
            raise ClusterError(
                f"{what} not in {limit_seconds:.0f} s; the end of {instance.log / service}.log:\n{words}"
            )
        time.sleep(_INTERVAL)


def api_server(instance: Instance, timeout_seconds: float = 2.0) -> bool:
    """Whether the API server says that it is ready, etcd included."""
    return _get(instance, "/readyz", timeout_seconds) == (200, None)


def default_account(instance: Instance) -> bool:
    """Whether the controller manager works: it makes this account, which every pod needs."""
    status, _ = _get(instance, "/api/v1/namespaces/default/serviceaccounts/default")
    return status == 200


def node(instance: Instance, name: str) -> bool:
    """Whether the node is Ready."""
    status, body = _get(instance, f"/api/v1/nodes/{name}")
    conditions = body["status"].get("conditions", []) if status == 200 and body else []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _get(instance: Instance, path: str, timeout_seconds: float = 2.0) -> tuple[int, Any]:
    """Ask the API server as administrator; (0, None) when it does not answer."""
    try:
        context = ssl.create_default_context(cafile=str(instance.pki / "ca.crt"))
        context.load_cert_chain(instance.pki / "admin.crt", instance.pki / "admin.key")
        connection = http.client.HTTPSConnection(
            instance.node_address, API_PORT, timeout=timeout_seconds, context=context
        )
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return 0, None
    is_json = response.headers.get_content_type() == "application/json"
    return response.status, json.loads(body) if is_json else None
