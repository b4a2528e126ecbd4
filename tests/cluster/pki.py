"""The cluster's certificate authority and what it signs; keys never leave the state folder.

Owns: certificates and the files they lie in. Must not know who listens where; callers name hosts.
"""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cluster import paths

_LIFETIME = dt.timedelta(days=3650)
# A clock that was set back, as after restoring a virtual machine, must not make a new certificate invalid.
_BACKDATED = dt.timedelta(days=1)
_PKCS8 = serialization.PrivateFormat.PKCS8
_PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, both PEM."""

    certificate: str
    key: str


@dataclass(frozen=True)
class Subject:
    """Whom a certificate names: to Kubernetes a user and its groups, to a client a server's hosts."""

    common_name: str
    groups: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


def authority(name: str) -> Pair:
    """A new self-signed certificate authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(Subject(name))
    usage = _usage(signs_certificates=True)
    builder = (
        _builder(subject, subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return _pair(builder.sign(key, hashes.SHA256()), key)


def issue(signer: Pair, subject: Subject) -> Pair:
    """A certificate for a client and, where hosts are named, a server."""
    ca = x509.load_pem_x509_certificate(signer.certificate.encode())
    ca_key = serialization.load_pem_private_key(signer.key.encode(), password=None)
    assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = _builder(_name(subject), ca.subject, key.public_key())
    if subject.hosts:
        purposes.insert(0, ExtendedKeyUsageOID.SERVER_AUTH)
        builder = builder.add_extension(x509.SubjectAlternativeName(_hosts(subject.hosts)), critical=False)
    builder = (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
    )
    return _pair(builder.sign(ca_key, hashes.SHA256()), key)


def signing_key() -> Pair:
    """An RSA key for service account tokens; its `certificate` is the public key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Pair(public.decode(), _private(key))


def store(folder: Path, name: str, pair: Pair) -> None:
    """Write NAME.key, then NAME.crt: a certificate that is there has its key."""
    paths.write(folder / f"{name}.key", pair.key, mode=0o600)
    paths.write(folder / f"{name}.crt", pair.certificate)


def read(folder: Path, name: str) -> Pair | None:
    """What `store` wrote; None where there is none."""
    try:
        return Pair((folder / f"{name}.crt").read_text(), (folder / f"{name}.key").read_text())
    except FileNotFoundError:
        return None


def ensure(folder: Path, name: str, subject: Subject) -> Pair:
    """The stored certificate of that name, issued by the stored authority where there is none."""
    if (found := read(folder, name)) is not None:
        return found
    signer = read(folder, "ca")
    if signer is None:
        signer = authority("compression-operator test cluster")
        store(folder, "ca", signer)
    pair = issue(signer, subject)
    store(folder, name, pair)
    return pair


def _name(subject: Subject) -> x509.Name:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in subject.groups]
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, subject.common_name)])


def _hosts(hosts: Sequence[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for host in hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return names


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + _LIFETIME)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        key_encipherment=False,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    return Pair(certificate.public_bytes(_PEM).decode(), _private(key))


def _private(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(_PEM, _PKCS8, serialization.NoEncryption()).decode()
