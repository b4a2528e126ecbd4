"""Running a stage as its pod does: a process with an input, a mounted Secret and a termination log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compression_contract.artifacts import ArtifactKind, ArtifactRef
from compression_contract.base import Frozen, digest_of_json
from compression_contract.inputs import ObjectStore, RunRef, StageInput
from compression_contract.results import StageResult
from compression_jobs import artifacts
from compression_jobs.storage import Credentials, Storage
from support.seaweed import Account, SeaweedFS

RUN = RunRef(namespace="team-a", name="fmnist-1", uid="3fa9c2d1-0000-0000-0000-000000000000")
REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    """How a stage's process ended."""

    code: int
    message: bytes
    """What it left for the kubelet."""
    log: str

    @property
    def result(self) -> StageResult:
        return StageResult.model_validate_json(self.message)

    @property
    def reason(self) -> str:
        failure = self.result.failure
        return failure.reason if failure else ""


def stage_input(parameters: Frozen, endpoint: str | None, output: str | None, **other: Any) -> StageInput:
    return StageInput(
        run=RUN,
        input_hash=digest_of_json(parameters.wire()),
        store=ObjectStore(endpoint=endpoint) if endpoint else None,
        output=output,
        parameters=parameters,
        **other,
    )


def environment(folder: Path, document: StageInput | bytes, account: Account | None) -> dict[str, str]:
    """The environment variables of a process, with the files they name written."""
    folder.mkdir(parents=True, exist_ok=True)
    data = document if isinstance(document, bytes) else json.dumps(document.wire()).encode()
    (folder / "input.json").write_bytes(data)
    if account is not None:
        account.secret(folder / "secret")
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
        "PYTHONPATH": str(REPOSITORY / "jobs"),
        "OMP_NUM_THREADS": "1",
        "COMPRESSION_INPUT": str(folder / "input.json"),
        "COMPRESSION_TERMINATION_LOG": str(folder / "termination-log"),
        "COMPRESSION_STORAGE_SECRET": str(folder / "secret"),
        "COMPRESSION_REGISTRY_SECRET": str(folder / "registry"),
        "COMPRESSION_SCRATCH": str(folder / "scratch"),
    }


def command(stage: str) -> list[str]:
    return [sys.executable, "-m", "compression_jobs", stage]


def run(
    stage: str,
    folder: Path,
    document: StageInput | bytes,
    account: Account | None,
    wrapper: Sequence[str] = (),
    timeout: float = 300,
) -> Ended:
    """Run a stage to its end, as the last arguments of `wrapper` if there is one."""
    done = subprocess.run(
        [*wrapper, *command(stage)],
        env=environment(folder, document, account),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return ended(folder, done.returncode, done.stderr)


def ended(folder: Path, code: int, log: str) -> Ended:
    message = folder / "termination-log"
    return Ended(code, message.read_bytes() if message.exists() else b"", log)


def store_artifact(
    server: SeaweedFS, uri: str, kind: ArtifactKind, folder: Path, facts: dict[str, Any] | None = None
) -> ArtifactRef:
    """Upload a folder as a finished artifact; a second time with the same content it is there already."""
    output = artifacts.Output(folder, kind, facts or {})
    manifest, storage = artifacts.describe(output), connect(server)
    artifacts.publish(storage, output, manifest, uri, {})
    assert artifacts.recorded_success(storage, uri) == manifest.digest
    return ArtifactRef(uri=uri, digest=manifest.digest)


def connect(server: SeaweedFS, account: Account | None = None) -> Storage:
    used = account or server.writer
    credentials = Credentials(used.access_key_id, used.secret_access_key)
    return Storage.connect(ObjectStore(endpoint=server.endpoint), credentials)
