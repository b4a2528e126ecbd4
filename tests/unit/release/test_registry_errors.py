"""An HTTP status becomes an error that names whose fault it is; a manifest is read with suspicion."""

import pytest

from compression_jobs.registry import Corrupt, Denied, Manifest, NotFound, Unavailable
from compression_jobs.registry.descriptors import OCI_INDEX, OCI_MANIFEST, Descriptor
from compression_jobs.registry.errors import error_for


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, "", Denied),
        (403, "", Denied),
        (404, "", NotFound),
        (405, "", Denied),
        (413, "", Denied),
        (400, '{"errors":[{"code":"DIGEST_INVALID"}]}', Corrupt),
        (400, '{"errors":[{"code":"MANIFEST_INVALID"}]}', Denied),
        (408, "", Unavailable),
        (429, "", Unavailable),
        (500, "", Unavailable),
        (503, "", Unavailable),
    ],
)
def test_a_status_becomes(status, body, kind):
    error = error_for(status, body, "pushing to host/x")
    assert type(error) is kind
    assert str(error).startswith(f"pushing to host/x: the registry answered {status}")


def test_the_registrys_own_words_are_shown_in_one_short_line():
    message = str(error_for(403, "no\n\tway " + "x" * 1000, "pushing"))
    assert "(no way xxx" in message
    assert "\n" not in message
    assert len(message) < 400


@pytest.mark.parametrize(
    "document",
    [None, 7, {}, {"digest": "sha256:x", "size": 1}, {"digest": "sha256:" + "a" * 64, "size": -1},
     {"digest": "sha256:" + "a" * 64, "size": "many"}],
)  # fmt: skip
def test_what_is_no_descriptor_is_corrupt(document):
    with pytest.raises(Corrupt):
        Descriptor.read(document)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"\xff"])
def test_a_manifest_that_is_no_object_is_corrupt(raw):
    with pytest.raises(Corrupt, match="not a JSON object"):
        _ = Manifest(OCI_MANIFEST, raw).document


def test_a_manifest_without_its_lists_is_corrupt():
    with pytest.raises(Corrupt, match="no list of layers"):
        _ = Manifest(OCI_MANIFEST, b"{}").layers
    with pytest.raises(Corrupt, match="no list of manifests"):
        _ = Manifest(OCI_INDEX, b"{}").children
