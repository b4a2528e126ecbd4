"""A client of the OCI distribution API (distribution-spec 1.1): blobs and manifests of one registry.

Owns which requests are made and that every byte agrees with its digest. Must not know what images are for.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Literal, Self

from compression_jobs.registry.auth import Credentials, DockerConfig
from compression_jobs.registry.blobs import Source, regrouped
from compression_jobs.registry.descriptors import INDEXES, MANIFESTS, Descriptor, Manifest
from compression_jobs.registry.errors import Corrupt, Denied, NotFound
from compression_jobs.registry.reference import Repository, checked_digest, checked_tag, is_digest
from compression_jobs.registry.transport import Transport, read_capped, stream_of

LARGEST_MANIFEST = 4 << 20
"""Bytes; the size a registry must at least accept, by the distribution specification."""
UPLOAD_CHUNK = 16 << 20
"""Bytes sent in one PATCH: bounds memory, and what must be sent again after a token expired."""

Outcome = Literal["exists", "mounted", "uploaded"]


class Registry:
    """One registry as seen by one account. Use as a context manager, or `close` it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @classmethod
    def connect(
        cls, repository: Repository, config: DockerConfig, ca_bundle: str = "", *, plain_http: bool = False
    ) -> Self:
        """The registry of `repository`, with the account that `config` has for it. Nothing is sent yet."""
        account: Credentials | None = config.account_for(repository.host, repository.name)
        return cls(Transport(repository.host, account, ca_bundle, plain_http=plain_http))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._transport.close()

    @property
    def host(self) -> str:
        """The registry's host with its port."""
        return self._transport.host

    # Manifests

    def resolve(self, name: str, reference: str) -> str | None:
        """The digest a tag (or digest) has in repository `name`; None when it is absent."""
        try:
            return self.manifest(name, reference).digest
        except NotFound:
            return None

    def manifest(self, name: str, reference: str) -> Manifest:
        """The manifest or index that a tag or digest names.

        Raises:
            NotFound: there is none.
            Corrupt: it is too large, of an unknown type, or not what the digest says.
        """
        doing = f"reading {self._named(name, reference)}"
        headers = {"Accept": ", ".join(MANIFESTS)}
        path = f"/v2/{name}/manifests/{_checked(reference)}"
        with self._transport.request(
            "GET", path, doing=doing, scopes=_pull(name), headers=headers
        ) as response:
            raw = read_capped(response, LARGEST_MANIFEST, f"manifest {self._named(name, reference)}")
            said = response.headers.get("Docker-Content-Digest", "")
            found = Manifest(response.headers.get("Content-Type", "").split(";")[0].strip(), raw)
        if is_digest(reference) and found.digest != reference:
            raise Corrupt(f"{doing}: the registry answered content with digest {found.digest}")
        if is_digest(said) and found.digest != said:
            raise Corrupt(f"{doing}: the registry says {said} and sends {found.digest}")
        if found.media_type not in MANIFESTS:
            raise Corrupt(f"{doing}: {found.media_type!r} is not a manifest this client knows")
        return found

    def image_manifest(self, name: str, reference: str, architecture: str = "amd64") -> Manifest:
        """The manifest of one image; of an index, the child for linux on `architecture`.

        Raises:
            NotFound: no such manifest, or the index has no child for this platform.
        """
        found = self.manifest(name, reference)
        if not found.is_index:
            return found
        wanted = {"os": "linux", "architecture": architecture}
        for child in found.children:
            if child.media_type not in INDEXES and wanted.items() <= child.platform.items():
                return self.manifest(name, child.digest)
        raise NotFound(f"{self._named(name, reference)} has no image for linux/{architecture}")

    def put_manifest(self, name: str, manifest: Manifest, tag: str = "") -> str:
        """Store a manifest, by its digest or under `tag`; returns its digest.

        Raises:
            Corrupt: the registry stored other content.
            Denied: it refuses (no right to push, or a blob is missing).
        """
        reference = checked_tag(tag) if tag else manifest.digest
        doing = f"pushing {self._named(name, reference)}"
        with self._transport.request(
            "PUT",
            f"/v2/{name}/manifests/{reference}",
            doing=doing,
            scopes=_push(name),
            data=manifest.raw,
            headers={"Content-Type": manifest.media_type},
        ) as response:
            said = response.headers.get("Docker-Content-Digest", manifest.digest)
        if said != manifest.digest:
            raise Corrupt(f"{doing}: the registry stored {said} instead of {manifest.digest}")
        return manifest.digest

    def referrers_api(self, name: str, digest: str) -> Manifest | None:
        """The referrers index by the API of distribution-spec 1.1; None where there is no such API."""
        with self._transport.request(
            "GET",
            f"/v2/{name}/referrers/{checked_digest(digest)}",
            doing=f"listing what refers to {self._named(name, digest)}",
            scopes=_pull(name),
            accept_status=(HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED),
        ) as response:
            if not response.ok:
                return None
            return Manifest(
                response.headers.get("Content-Type", ""),
                read_capped(response, LARGEST_MANIFEST, "the referrers"),
            )

    # Blobs

    def blob_size(self, name: str, digest: str) -> int | None:
        """The size of a blob in bytes; None when repository `name` does not hold it."""
        with self._transport.request(
            "HEAD",
            f"/v2/{name}/blobs/{checked_digest(digest)}",
            doing=f"looking for blob {digest} in {self.host}/{name}",
            scopes=_pull(name),
            accept_status=(HTTPStatus.NOT_FOUND,),
            allow_redirects=True,
        ) as response:
            return int(response.headers.get("Content-Length", 0)) if response.ok else None

    def blob(self, name: str, digest: str, limit: int) -> bytes:
        """A small blob's bytes, at most `limit` of them, checked against its digest."""
        parts, size = [], 0
        with self.open_blob(name, digest) as pieces:
            for piece in pieces:
                size += len(piece)
                if size > limit:
                    raise Corrupt(f"blob {self._named(name, digest)} is larger than {limit} bytes")
                parts.append(piece)
        return b"".join(parts)

    @contextmanager
    def open_blob(self, name: str, digest: str) -> Iterator[Iterator[bytes]]:
        """A blob's bytes in pieces; the iterator raises Corrupt at its end when they are not the digest's."""
        with self._transport.request(
            "GET",
            f"/v2/{name}/blobs/{checked_digest(digest)}",
            doing=f"reading blob {self._named(name, digest)}",
            scopes=_pull(name),
        ) as response:
            yield _verified(stream_of(response), digest, f"blob {self._named(name, digest)}")

    def ensure_blob(self, name: str, blob: Descriptor, source: Source, mount_from: str = "") -> Outcome:
        """Make repository `name` hold a blob: found, mounted from a sibling repository, or sent.

        Args:
            name: the repository inside this registry.
            blob: digest and size of the content.
            source: where the bytes come from when they must be sent.
            mount_from: a repository of this registry that may hold the blob, "" for none.

        Raises:
            Corrupt: `source` is not what `blob` says; nothing is stored then.
        """
        if self.blob_size(name, blob.digest) is not None:
            return "exists"
        location = self._begin(name, blob.digest, mount_from)
        if location is None:
            return "mounted"
        self._send(name, location, blob, source)
        return "uploaded"

    def _begin(self, name: str, digest: str, mount_from: str) -> str | None:
        """The upload's location, or None when the blob could be mounted."""
        scopes, query = _push(name), {}
        if mount_from and mount_from != name:
            scopes, query = (*scopes, *_pull(mount_from)), {"mount": digest, "from": mount_from}
        doing = f"pushing to {self.host}/{name}"
        path = f"/v2/{name}/blobs/uploads/"
        try:
            with self._transport.request("POST", path, doing=doing, scopes=scopes, params=query) as response:
                return (
                    None
                    if response.status_code == HTTPStatus.CREATED
                    else self._next(response.headers, doing)
                )
        except Denied:
            if not query:
                raise
            # Some registries refuse a mount instead of answering with an upload: send the bytes ourselves.
            return self._begin(name, digest, "")

    def _send(self, name: str, location: str, blob: Descriptor, source: Source) -> None:
        doing, scopes = f"pushing blob {self._named(name, blob.digest)}", _push(name)
        sent = 0
        with source.open() as pieces:
            checked = _verified(pieces, blob.digest, f"the source of blob {blob.digest}")
            chunks = regrouped(checked, UPLOAD_CHUNK)
            chunk = next(chunks, b"")
            for following in chunks:
                headers = {
                    "Content-Type": "application/octet-stream",
                    "Content-Range": f"{sent}-{sent + len(chunk) - 1}",
                }
                with self._transport.request(
                    "PATCH", location, doing=doing, scopes=scopes, data=chunk, headers=headers
                ) as response:
                    location = self._next(response.headers, doing)
                sent, chunk = sent + len(chunk), following
        if sent + len(chunk) != blob.size:
            raise Corrupt(
                f"{doing}: the source has {sent + len(chunk)} bytes, its descriptor says {blob.size}"
            )
        separator = "&" if "?" in location else "?"
        with self._transport.request(
            "PUT",
            f"{location}{separator}digest={blob.digest}",
            doing=doing,
            scopes=scopes,
            data=chunk,
            headers={"Content-Type": "application/octet-stream"},
        ):
            return

    def _next(self, headers: Mapping[str, str], doing: str) -> str:
        location = headers.get("Location", "")
        if not location:
            raise Corrupt(f"{doing}: the registry gave no Location to upload to")
        return self._transport.url(location)

    def _named(self, name: str, reference: str) -> str:
        return f"{self.host}/{name}{'@' if is_digest(reference) else ':'}{reference}"


def _verified(pieces: Iterator[bytes], digest: str, what: str) -> Iterator[bytes]:
    hashing = hashlib.sha256()
    for piece in pieces:
        hashing.update(piece)
        yield piece
    if "sha256:" + hashing.hexdigest() != digest:
        raise Corrupt(f"{what} has other content: sha256:{hashing.hexdigest()}")


def _checked(reference: str) -> str:
    return reference if is_digest(reference) else checked_tag(reference)


def _pull(name: str) -> tuple[str, ...]:
    return (f"repository:{name}:pull",)


def _push(name: str) -> tuple[str, ...]:
    return (f"repository:{name}:pull,push",)
