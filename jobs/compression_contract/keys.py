"""Names that both halves must spell alike: the API group, labels, annotations, mount paths.

Owns constants only.
"""

from __future__ import annotations

from typing import Final

GROUP: Final = "compression.modelops.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

LABEL_ROLE: Final = f"{GROUP}/role"
LABEL_JOB: Final = f"{GROUP}/job"
LABEL_JOB_UID: Final = f"{GROUP}/job-uid"
LABEL_STEP: Final = f"{GROUP}/step"
LABEL_TARGET: Final = f"{GROUP}/target"
LABEL_ATTEMPT: Final = f"{GROUP}/attempt"
LABEL_PROMOTION: Final = f"{GROUP}/promotion"
LABEL_PROMOTION_UID: Final = f"{GROUP}/promotion-uid"
LABEL_TRACK: Final = f"{GROUP}/track"
LABEL_MODEL: Final = f"{GROUP}/model"
LABEL_PROMOTABLE: Final = f"{GROUP}/promotable"

ANNOTATION_INPUT: Final = f"{GROUP}/input"
ANNOTATION_INPUT_HASH: Final = f"{GROUP}/input-hash"
ANNOTATION_MODEL_VERSION: Final = f"{GROUP}/model-version"
ANNOTATION_PROMOTION_UID: Final = f"{GROUP}/promotion-uid"

INPUT_FOLDER: Final = "/etc/compression"
INPUT_FILE: Final = "/etc/compression/input.json"
STORAGE_SECRET_FOLDER: Final = "/var/run/secrets/compression/s3"  # noqa: S105 - a path, not a secret
REGISTRY_SECRET_FOLDER: Final = "/var/run/secrets/compression/registry"  # noqa: S105 - a path, not a secret
SCRATCH_FOLDER: Final = "/scratch"
TERMINATION_LOG: Final = "/dev/termination-log"

EXCHANGE_FOLDER: Final = "/exchange"
EXCHANGE_INPUTS: Final = f"{EXCHANGE_FOLDER}/inputs"
"""What was fetched for a stage that runs an author's code; the stage itself holds no credential."""
EXCHANGE_OUTPUTS: Final = f"{EXCHANGE_FOLDER}/outputs"
"""What such a stage leaves to be stored."""
ENV_EXCHANGE: Final = "COMPRESSION_EXCHANGE"
"""Set to the exchange's folder in all containers of a pod that runs an author's code."""
ENV_REPLICAS: Final = "COMPRESSION_REPLICAS"
ENV_MASTER: Final = "COMPRESSION_MASTER"
"""Host and port of the first of several pods that train together."""
ENV_RANK: Final = "JOB_COMPLETION_INDEX"
"""Set by the Job controller in the pods of an Indexed Job."""
MASTER_PORT: Final = 29500

RUN_AS_USER: Final = 65532
"""The unprivileged user of every pod and image."""

MAX_INPUT_BYTES: Final = 128 * 1024
"""A stage's input travels in an annotation; all annotations of an object share 256 KiB."""

MAX_RESULT_BYTES: Final = 3840
"""What a pod may say in its termination message; the kubelet cuts at 4096 bytes."""
