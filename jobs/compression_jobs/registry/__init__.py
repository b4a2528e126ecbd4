"""A client of OCI registries: blobs, manifests, reproducible layers and what refers to an image.

Owns everything that speaks the distribution API. Must not know stages, jobs or S3.
"""

from compression_jobs.registry.auth import Credentials, DockerConfig
from compression_jobs.registry.blobs import Bytes, File, Remote
from compression_jobs.registry.client import Registry
from compression_jobs.registry.descriptors import Descriptor, Manifest
from compression_jobs.registry.errors import Corrupt, Denied, NotFound, RegistryError, Unavailable
from compression_jobs.registry.layers import Layer, LayerFile, append_layers, build_layer
from compression_jobs.registry.reference import ImageReference, Repository
from compression_jobs.registry.referrers import attach, referrers, referrers_tag

__all__ = [
    "Bytes",
    "Corrupt",
    "Credentials",
    "Denied",
    "Descriptor",
    "DockerConfig",
    "File",
    "ImageReference",
    "Layer",
    "LayerFile",
    "Manifest",
    "NotFound",
    "Registry",
    "RegistryError",
    "Remote",
    "Repository",
    "Unavailable",
    "append_layers",
    "attach",
    "build_layer",
    "referrers",
    "referrers_tag",
]
