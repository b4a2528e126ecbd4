"""What refers to an image: SBOMs and signatures attached to a digest.

Owns the referrers tag scheme of distribution-spec 1.1, which works with every registry, beside the API where
there is one. Must not know what is attached.
"""

from dataclasses import replace

from compression_jobs.registry.blobs import Bytes
from compression_jobs.registry.client import Registry
from compression_jobs.registry.descriptors import (
    EMPTY_JSON,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
)
from compression_jobs.registry.errors import Corrupt, NotFound
from compression_jobs.registry.reference import checked_digest

_ATTEMPTS = 5


def referrers_tag(digest: str) -> str:
    """The tag under which an index of referrers is kept: the digest with its colon as a dash."""
    return checked_digest(digest).replace(":", "-")


def referrers(registry: Registry, name: str, digest: str) -> tuple[Descriptor, ...]:
    """What refers to the manifest `digest` of repository `name`, by API or else by tag."""
    answer = registry.referrers_api(name, digest)
    if answer is not None and answer.children:
        return answer.children
    return _tagged(registry, name, digest)


def attach(
    registry: Registry,
    name: str,
    subject: Descriptor,
    content: bytes,
    artifact_type: str,
    annotations: dict[str, str],
) -> str:
    """Store `content` as an artifact that refers to the manifest `subject`; returns the artifact's digest.

    Attaching the same content again changes nothing. Two writers at once may overwrite each other's entry in
    the index, as a tag has no compare-and-swap: each reads it back and writes again.
    """
    blob = Descriptor.of(content, artifact_type)
    empty = Descriptor.of(EMPTY_JSON, OCI_EMPTY)
    registry.ensure_blob(name, blob, Bytes(content))
    registry.ensure_blob(name, empty, Bytes(EMPTY_JSON))
    bare_subject = Descriptor(subject.media_type, subject.digest, subject.size)
    artifact = Manifest.make(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": artifact_type,
            "config": empty.document(),
            "layers": [blob.document()],
            "subject": bare_subject.document(),
            "annotations": annotations,
        }
    )
    registry.put_manifest(name, artifact)
    entry = replace(artifact.descriptor, annotations=annotations, artifact_type=artifact_type)
    for _ in range(_ATTEMPTS):
        known = _tagged(registry, name, subject.digest)
        if entry in known:
            return artifact.digest
        others = [descriptor for descriptor in known if descriptor.digest != entry.digest]
        manifests = sorted([*others, entry], key=lambda descriptor: descriptor.digest)
        index = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [descriptor.document() for descriptor in manifests],
        }
        registry.put_manifest(name, Manifest.make(index), referrers_tag(subject.digest))
    raise Corrupt(
        f"the referrers of {registry.host}/{name}@{subject.digest} are overwritten by another writer"
    )


def _tagged(registry: Registry, name: str, digest: str) -> tuple[Descriptor, ...]:
    try:
        found = registry.manifest(name, referrers_tag(digest))
    except NotFound:
        return ()
    return found.children if found.is_index else ()
