import ipaddress

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from cluster import pki

SUBJECT = pki.Subject("alice", ("dev", "ops"), ("10.70.0.1", "localhost"))


def loaded(pair: pki.Pair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate.encode())


@pytest.fixture(scope="module")
def authority() -> pki.Pair:
    return pki.authority("test")


def test_a_user_is_named_with_its_groups(authority) -> None:
    subject = loaded(pki.issue(authority, SUBJECT)).subject
    assert [name.value for name in subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["alice"]
    assert [g.value for g in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)] == ["dev", "ops"]


def test_a_server_is_trusted_under_its_names_and_no_other(authority) -> None:
    builder = PolicyBuilder().store(Store([loaded(authority)]))
    certificate = loaded(pki.issue(authority, SUBJECT))
    for name in (x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("10.70.0.1"))):
        assert builder.build_server_verifier(name).verify(certificate, [])
    with pytest.raises(VerificationError):
        builder.build_server_verifier(x509.IPAddress(ipaddress.ip_address("10.70.1.1"))).verify(
            certificate, []
        )


def test_another_authority_is_not_trusted(authority) -> None:
    store = Store([loaded(pki.authority("test"))])
    verifier = PolicyBuilder().store(store).build_server_verifier(x509.DNSName("localhost"))
    with pytest.raises(VerificationError):
        verifier.verify(loaded(pki.issue(authority, SUBJECT)), [])


def test_a_client_certificate_serves_nobody(authority) -> None:
    certificate = loaded(pki.issue(authority, pki.Subject("alice")))
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert ExtendedKeyUsageOID.SERVER_AUTH not in purposes
    assert ExtendedKeyUsageOID.CLIENT_AUTH in purposes


def test_what_is_stored_is_kept(tmp_path) -> None:
    first = pki.ensure(tmp_path, "alice", SUBJECT)
    authority = (tmp_path / "ca.crt").read_text()
    assert pki.ensure(tmp_path, "alice", SUBJECT) == first
    pki.ensure(tmp_path, "bob", pki.Subject("bob"))
    assert (tmp_path / "ca.crt").read_text() == authority


def test_a_key_without_certificate_is_replaced(tmp_path) -> None:
    """As after an interruption between the two."""
    pki.ensure(tmp_path, "alice", SUBJECT)
    (tmp_path / "alice.crt").unlink()
    renewed = pki.ensure(tmp_path, "alice", SUBJECT)
    assert pki.read(tmp_path, "alice") == renewed


def test_keys_are_for_their_owner_alone(tmp_path) -> None:
    pki.ensure(tmp_path, "alice", SUBJECT)
    assert {path.name: path.stat().st_mode & 0o077 for path in tmp_path.glob("*.key")} == {
        "alice.key": 0,
        "ca.key": 0,
    }
