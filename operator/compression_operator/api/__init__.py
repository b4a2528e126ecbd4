"""The API as pydantic models: what the API server stores and the operator reads; `crds/` comes from it.

Models hold values and small questions about themselves. They know no client, no clock and no environment.
"""

from __future__ import annotations

from compression_contract.keys import API_VERSION, GROUP, VERSION
from compression_operator.api.compressionjob import CompressionJob, CompressionJobSpec, CompressionJobStatus
from compression_operator.api.compressionruntime import CompressionRuntime, CompressionRuntimeSpec
from compression_operator.api.modelversion import ModelVersion, ModelVersionSpec, ModelVersionStatus
from compression_operator.api.promotion import Promotion, PromotionSpec, PromotionStatus
from compression_operator.api.servingtarget import ServingTarget, ServingTargetSpec, ServingTargetStatus

KINDS = (CompressionRuntime, CompressionJob, ModelVersion, ServingTarget, Promotion)
"""All kinds, in the order in which their CRDs are installed."""

__all__ = [
    "API_VERSION",
    "GROUP",
    "KINDS",
    "VERSION",
    "CompressionJob",
    "CompressionJobSpec",
    "CompressionJobStatus",
    "CompressionRuntime",
    "CompressionRuntimeSpec",
    "ModelVersion",
    "ModelVersionSpec",
    "ModelVersionStatus",
    "Promotion",
    "PromotionSpec",
    "PromotionStatus",
    "ServingTarget",
    "ServingTargetSpec",
    "ServingTargetStatus",
]
