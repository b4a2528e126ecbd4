"""Starts real docker-registry processes for tests: TLS always, with a password or with bearer tokens."""

import base64
import datetime as dt
import hashlib
import http.server
import ipaddress
import json
import os
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import bcrypt
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

from cluster import debian

USER, PASSWORD = "pusher", "correct horse"
READER, READER_PASSWORD = "reader", "battery staple"


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for 127.0.0.1 and its key, as files."""

    certificate: Path
    key: Path

    @property
    def pem(self) -> str:
        return self.certificate.read_text()


@dataclass(frozen=True)
class RunningRegistry:
    """Where a registry answers and how to be accepted."""

    host: str
    ca_bundle: str
    storage: Path

    def docker_config(self, user: str = USER, password: str = PASSWORD) -> bytes:
        auth = base64.b64encode(f"{user}:{password}".encode()).decode()
        return json.dumps({"auths": {self.host: {"auth": auth}}}).encode()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def certificate(folder: Path) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"test {folder.name} {uuid.uuid4()}")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    found = Certificate(folder / "tls.crt", folder / "tls.key")
    found.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    found.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return found


def _htpasswd(folder: Path) -> dict:
    lines = [
        f"{user}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()}"
        for user, password in ((USER, PASSWORD), (READER, READER_PASSWORD))
    ]
    path = folder / "htpasswd"
    path.write_text("\n".join(lines) + "\n")
    return {"htpasswd": {"realm": "test", "path": str(path)}}


@contextmanager
def registry(folder: Path, auth: dict | None = None) -> Iterator[RunningRegistry]:
    """A docker-registry with TLS; `auth` is its configuration's auth section, by default two passwords."""
    folder.mkdir(parents=True, exist_ok=True)
    tls = certificate(folder)
    host = f"127.0.0.1:{free_port()}"
    config = {
        "version": "0.1",
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}, "delete": {"enabled": True}},
        "http": {"addr": host, "tls": {"certificate": str(tls.certificate), "key": str(tls.key)}},
        "auth": auth or _htpasswd(folder),
    }
    (folder / "config.yml").write_text(yaml.safe_dump(config))
    tools = debian.tools(("docker-registry",))
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen(
            [str(tools.program("docker-registry")), "serve", str(folder / "config.yml")],
            stdout=log,
            stderr=log,
            env={**os.environ, **tools.environment()},
        )
        try:
            _wait_until_it_answers(host, tls, process)
            yield RunningRegistry(host, tls.pem, folder / "storage")
        finally:
            process.terminate()
            process.wait(20)


def _wait_until_it_answers(host: str, tls: Certificate, process: subprocess.Popen) -> None:
    context = ssl.create_default_context(cafile=str(tls.certificate))
    for _ in range(200):
        assert process.poll() is None, "the registry ended at its start; see registry.log"
        try:
            urllib.request.urlopen(f"https://{host}/v2/", context=context, timeout=5)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"no registry at {host}")


class TokenServer(http.server.ThreadingHTTPServer):
    """Issues the bearer tokens of the distribution token specification; remembers what was asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", free_port()), _TokenHandler)
        folder.mkdir(parents=True, exist_ok=True)
        self.tls = certificate(folder)
        self.asked: list[list[str]] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.tls.certificate, self.tls.key)
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def auth_section(self) -> dict:
        realm = f"https://127.0.0.1:{self.server_address[1]}/token"
        bundle = str(self.tls.certificate)
        return {"token": {"realm": realm, "service": "test", "issuer": "test", "rootcertbundle": bundle}}

    def token(self, scopes: list[str], may_push: bool) -> str:
        key = serialization.load_pem_private_key(self.tls.key.read_bytes(), None)
        der = x509.load_pem_x509_certificate(self.tls.certificate.read_bytes()).public_bytes(
            serialization.Encoding.DER
        )
        now = int(time.time())
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            granted = [action for action in actions.split(",") if action == "pull" or may_push]
            access.append({"type": kind, "name": name, "actions": granted})
        header = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(der).decode()]}
        claims = {"iss": "test", "sub": "x", "aud": "test", "nbf": now - 60, "iat": now, "exp": now + 300}
        claims |= {"access": access, "jti": hashlib.sha256(os.urandom(8)).hexdigest()}
        signed = ".".join(_url64(json.dumps(part).encode()) for part in (header, claims))
        r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_url64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


class _TokenHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        user, _, password = base64.b64decode(given).decode().partition(":")
        if (user, password) not in {(USER, PASSWORD), (READER, READER_PASSWORD)}:
            self.send_error(401)
            return
        scopes = [
            part for scope in parse_qs(urlsplit(self.path).query).get("scope", []) for part in scope.split()
        ]
        self.server.asked.append(scopes)
        body = json.dumps({"token": self.server.token(scopes, user == USER)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


def _url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@contextmanager
def token_server(folder: Path) -> Iterator[TokenServer]:
    server = TokenServer(folder)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
