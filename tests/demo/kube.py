"""The cluster as a person sees it: kubectl, and HTTP to Services through the API server's proxy.

Owns nothing but the way to ask. Works on any cluster that a kubeconfig reaches.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from kubernetes import client, config

from compression_contract.keys import API_VERSION

KUBECTL = Path(sys.executable).with_name("kubectl")


class KubeError(Exception):
    """kubectl or the API server said no; the message is theirs."""


@dataclass(frozen=True)
class Answer:
    """What a Service answered."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Kube:
    """One cluster by its kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self._session: requests.Session | None = None
        self._host = ""

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl prints.

        Raises:
            KubeError: with what kubectl said.
        """
        done = subprocess.run(
            [str(KUBECTL), f"--kubeconfig={self.kubeconfig}", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise KubeError(done.stderr.strip() or done.stdout.strip())
        return done.stdout

    def apply(self, manifest: str) -> str:
        """`kubectl apply` of YAML text."""
        return self.run("apply", "-f", "-", stdin=manifest)

    def get(self, kind: str, name: str = "", namespace: str = "team-a", **labels: str) -> Any:
        """One object, or the list of them; None if there is no such object."""
        selector = (
            [f"--selector={','.join(f'{key}={value}' for key, value in labels.items())}"] if labels else []
        )
        text = self.run(
            "get",
            kind,
            *([name] if name else []),
            f"--namespace={namespace}",
            *selector,
            "--ignore-not-found",
            "-ojson",
        )
        found = json.loads(text) if text.strip() else None
        if name:
            return found
        return found["items"] if found else []

    def own(self, plural: str, name: str, namespace: str) -> Any:
        """One object of our kinds, or None; without kubectl, whose start costs more than the answer."""
        session = self._proxy()
        answer = session.get(
            f"{self._host}/apis/{API_VERSION}/namespaces/{namespace}/{plural}/{name}", timeout=30
        )
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise KubeError(answer.text[:500])
        return answer.json()

    def until(self, what: str, probe: Callable[[], Any], seconds: float = 300, interval: float = 0.5) -> Any:
        """What `probe` returns once it is true.

        Raises:
            KubeError: it was not within that time.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = probe()
            if found:
                return found
            time.sleep(interval)
        raise KubeError(f"{what}: not within {seconds:.0f} s")

    def http(
        self, namespace: str, service: str, path: str, data: bytes | None = None, **headers: str
    ) -> Answer:
        """A request to a Service's port `http`, through the API server: GET, or POST when there is data."""
        session = self._proxy()
        url = f"{self._host}/api/v1/namespaces/{namespace}/services/{service}:http/proxy{path}"
        answer = session.request(
            "GET" if data is None else "POST", url, data=data, headers=headers, timeout=30
        )
        return Answer(answer.status_code, answer.content, answer.headers)

    def stream(self, path: str) -> requests.Response:
        """An answer of the API server that is read as it comes, as a watch is."""
        session = self._proxy()
        answer = session.get(self._host + path, stream=True, timeout=(10, None))
        answer.raise_for_status()
        return answer

    def _proxy(self) -> requests.Session:
        if self._session is None:
            loaded = client.Configuration()
            config.load_kube_config(str(self.kubeconfig), client_configuration=loaded)
            self._session = requests.Session()
            # Else REQUESTS_CA_BUNDLE of the environment would win over the kubeconfig's authority.
            self._session.trust_env = False
            self._session.verify = loaded.ssl_ca_cert or True
            if loaded.cert_file:
                self._session.cert = (loaded.cert_file, loaded.key_file)
            token = loaded.api_key.get("authorization")
            if token:
                self._session.headers["Authorization"] = token
            self._host = loaded.host
        return self._session
