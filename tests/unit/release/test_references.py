"""Names of repositories, images, tags and digests."""

import pytest

from compression_jobs.registry.reference import ImageReference, Repository, checked_tag, is_digest

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "host", "name"),
    [
        ("registry.example.com/team-a/fmnist", "registry.example.com", "team-a/fmnist"),
        ("localhost:5000/x", "localhost:5000", "x"),
        ("10.0.0.1:443/a/b_c/d.e", "10.0.0.1:443", "a/b_c/d.e"),
        ("[::1]:5000/x", "[::1]:5000", "x"),
    ],
)
def test_a_repository_is_a_host_and_a_path(text, host, name):
    repository = Repository.parse(text)
    assert (repository.host, repository.name, str(repository)) == (host, name, text)


@pytest.mark.parametrize(
    "text",
    ["", "fmnist", "host/", "host/UPPER", "host/x:tag", f"host/x@{DIGEST}", "https://host/x", "host/../x",
     "host//x", "-host/x", "host/x y", "host/" + "a" * 600],
)  # fmt: skip
def test_what_is_no_repository_is_refused(text):
    with pytest.raises(ValueError, match="is not a repository"):
        Repository.parse(text)


def test_an_image_is_named_by_digest_only():
    image = ImageReference.parse(f"host:1/a/b@{DIGEST}")
    assert (str(image.repository), image.digest) == ("host:1/a/b", DIGEST)
    with pytest.raises(ValueError, match="names no digest"):
        ImageReference.parse("host:1/a/b:latest")
    with pytest.raises(ValueError, match="is not a digest"):
        ImageReference.parse("host:1/a/b@sha256:abc")


@pytest.mark.parametrize("text", ["", ".x", "a b", "a/b", "x" * 129, "sha256:abc"])
def test_what_is_no_tag_is_refused(text):
    with pytest.raises(ValueError, match="is not a tag"):
        checked_tag(text)


@pytest.mark.parametrize("text", ["sha256:" + "A" * 64, "sha512:" + "a" * 64, DIGEST + "\n", "a" * 64])
def test_only_lower_case_sha256_is_a_digest(text):
    assert not is_digest(text)
