"""Puts the database into a registry as Trivy expects it there: an OCI artifact tagged with its schema."""

from cluster.images import build, push
from cluster.neighbours.advisories.database import Database
from compression_jobs.registry import Bytes, Descriptor, File, Manifest

REPOSITORY = "trivy-db"
_TAG = "2"
_CONFIG_MEDIA_TYPE = "application/vnd.aquasec.trivy.config.v1+json"
_LAYER_MEDIA_TYPE = "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip"


def publish(database: Database, target: push.Target) -> str:
    """Push the database; returns the reference for `--db-repository`."""
    layer = Descriptor(_LAYER_MEDIA_TYPE, database.digest, database.archive.stat().st_size)
    config = Descriptor.of(b"{}", _CONFIG_MEDIA_TYPE)
    name = target.repository(REPOSITORY).name
    manifest = Manifest.make(
        {
            "schemaVersion": 2,
            "mediaType": build.MANIFEST_MEDIA_TYPE,
            "config": config.document(),
            "layers": [{**layer.document(), "annotations": {"org.opencontainers.image.title": "db.tar.gz"}}],
        }
    )
    with target.connect(REPOSITORY) as registry:
        registry.ensure_blob(name, config, Bytes(b"{}"))
        registry.ensure_blob(name, layer, File(database.archive))
        registry.put_manifest(name, manifest, _TAG)
    return f"{target.prefix}/{REPOSITORY}:{_TAG}"
