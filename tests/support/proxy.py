"""A TCP proxy in front of a real server: it can speak TLS, and it can cut connections half-way."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CHUNK = 64 * 1024


@dataclass
class Proxy:
    """Where it listens, and what it shall do to the connections to come."""

    address: str
    """host:port."""
    cuts: list[int] = field(default_factory=list)
    """Each connection takes the first one: it is closed after so many bytes of the server's answers."""
    connections: int = 0


@contextmanager
def running(target: str, context: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """Forward connections to `target` (host:port), from TLS if a context is given."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(f"127.0.0.1:{listener.getsockname()[1]}")
        threading.Thread(target=_accept, args=(listener, target, context, proxy), daemon=True).start()
        try:
            yield proxy
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, target: str, context: ssl.SSLContext | None, proxy: Proxy) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(connection, target, context, proxy), daemon=True).start()


def _serve(connection: socket.socket, target: str, context: ssl.SSLContext | None, proxy: Proxy) -> None:
    host, _, port = target.partition(":")
    proxy.connections += 1
    cut = proxy.cuts.pop(0) if proxy.cuts else None
    with contextlib.suppress(OSError), connection:
        near = context.wrap_socket(connection, server_side=True) if context else connection
        with near, socket.create_connection((host, int(port))) as far:
            threading.Thread(target=_pump, args=(near, far, None), daemon=True).start()
            _pump(far, near, cut)


def _pump(source: socket.socket, sink: socket.socket, limit: int | None) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK if limit is None else min(CHUNK, limit)):
            sink.sendall(data)
            if limit is not None:
                limit -= len(data)
                if limit == 0:
                    break
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True)
class Identity:
    """A self-signed server certificate of 127.0.0.1."""

    pem: str
    context: ssl.SSLContext


def identity(folder: Path) -> Identity:
    """Make one; `pem` is what a client has to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "server.pem"
    file.write_bytes(private + pem.encode())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return Identity(pem, context)
