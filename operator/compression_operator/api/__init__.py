"""The API as pydantic models: what the API server stores and the operator reads; `crds/` is generated from it.

Models hold values and small questions about themselves. They know no client, no clock and no environment.
"""

from __future__ import annotations

from compression_operator.api.base import API_VERSION, GROUP, VERSION
from compression_operator.api.compressionjob import CompressionJob, CompressionJobSpec, CompressionJobStatus
from compression_operator.api.compressionruntime import CompressionRuntime, CompressionRuntimeSpec

__all__ = [
    "API_VERSION",
    "GROUP",
    "VERSION",
    "CompressionJob",
    "CompressionJobSpec",
    "CompressionJobStatus",
    "CompressionRuntime",
    "CompressionRuntimeSpec",
]
