"""Which certificates are trusted."""

import ssl
from pathlib import Path

import pytest

from compression_jobs import trust
from compression_jobs.errors import InvalidInput


def _some_authority() -> str:
    """The PEM text of one authority of the system's own."""
    context = ssl.create_default_context()
    return ssl.DER_cert_to_PEM_cert(context.get_ca_certs(binary_form=True)[0])


def test_the_bundle_holds_the_system_s_authorities_and_the_given_ones(tmp_path: Path):
    pem = _some_authority()

    bundle = trust.write_bundle(pem, tmp_path / "ca.pem")

    text = bundle.read_text()
    assert text.endswith(pem + "\n")
    assert text.count("BEGIN CERTIFICATE") > 1
    ssl.create_default_context(cafile=str(bundle))


@pytest.mark.parametrize("pem", ["nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_refused(tmp_path: Path, pem):
    with pytest.raises(InvalidInput, match="CABundleInvalid"):
        trust.write_bundle(pem, tmp_path / "ca.pem")
