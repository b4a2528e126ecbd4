"""The release stages as pods run them: package, scan, serve, probe; each a process with an input document."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from component.release.trivy_process import trivy_server
from component.release.world import BUCKET, RUN, World, push_base, unpack
from component.serving.server_process import free_port, serving
from compression_contract.artifacts import run_prefix
from compression_contract.base import Frozen, digest_of_json
from compression_contract.inputs import ObjectStore, ProbeInput, ProbeSubject, ScanInput, StageInput
from compression_contract.results import StageResult
from support.seaweed import WRITER

ROOT = Path(__file__).parents[3]


def run_pod(world: World, folder: Path, parameters: Frozen) -> tuple[int, StageResult]:
    """Run a stage as the operator's Job does; returns its exit code and its termination message."""
    stage = parameters.stage
    (folder / "registry").mkdir(parents=True)
    (folder / "scratch").mkdir()
    (folder / "registry/.dockerconfigjson").write_bytes(world.registry.docker_config())
    input_hash = digest_of_json(parameters.wire())
    document = StageInput(
        run=RUN,
        input_hash=input_hash,
        store=ObjectStore(endpoint=world.store.endpoint),
        output=run_prefix(f"s3://{BUCKET}", RUN.uid, stage, input_hash) if stage == "scan" else None,
        ca_bundle=world.registry.ca_bundle,
        parameters=parameters,
    )
    (folder / "input.json").write_text(json.dumps(document.wire()))
    places = {
        "INPUT": folder / "input.json",
        "TERMINATION_LOG": folder / "termination-log",
        "STORAGE_SECRET": WRITER.secret(folder / "s3"),
        "REGISTRY_SECRET": folder / "registry",
        "SCRATCH": folder / "scratch",
    }
    done = subprocess.run(
        [sys.executable, "-m", "compression_jobs", stage],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "jobs"),
            **{f"COMPRESSION_{name}": str(place) for name, place in places.items()},
        },
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    message = folder / "termination-log"
    assert message.exists(), done.stderr
    return done.returncode, StageResult.model_validate_json(message.read_bytes())


@pytest.fixture
def base(world: World) -> str:
    with world.client(world.repository("platform/serving")) as client:
        files = {"/etc/os-release": b'ID=debian\nVERSION_ID="12"\n', "/etc/debian_version": b"12.4\n"}
        manifest = push_base(client, "platform/serving", world.folder / "base", files)
    return f"{world.repository('platform/serving')}@{manifest.digest}"


def test_a_candidate_becomes_a_scanned_image_whose_pod_answers_as_evaluated(world, base, tmp_path):
    given = world.package_input(base, "team/chain")
    code, packaged = run_pod(world, tmp_path / "package", given)
    assert (code, packaged.failure) == (0, None)
    image = f"{given.repository}@{packaged.facts.manifest_digest}"

    with trivy_server(tmp_path / "trivy") as scanner:
        code, scanned = run_pod(world, tmp_path / "scan", ScanInput(image=image, server=scanner.url))
    assert (code, scanned.failure) == (0, None)
    assert (scanned.facts.image_digest, scanned.facts.os_family) == (packaged.facts.manifest_digest, "debian")
    stored = world.store.keys(scanned.artifact.uri.removesuffix("/"))
    assert {"report.json", "sbom.cdx.json", "manifest.json", "_SUCCESS"} <= set(stored)

    with world.client(given.repository) as client:
        unpack(client, "team/chain", packaged.facts.manifest_digest, tmp_path / "root")
    with serving(tmp_path / "root/models", tmp_path / "log", host="127.0.0.21", port=free_port()) as server:
        probe = ProbeInput(
            model=given.model,
            port=server.port,
            subjects=(ProbeSubject(name="preview", address="127.0.0.21"),),
            artifact_digest=given.candidate.digest,
            golden_digest=packaged.facts.golden_digest,
            tolerance=given.tolerance,
        )
        code, probed = run_pod(world, tmp_path / "probe", probe)
    assert (code, probed.facts.failures) == (0, 0)
    assert probed.facts.subjects[0].top1_agreement == 1.0


def test_a_stage_that_fails_says_why_and_ends_with_the_code_of_its_class(world, base, tmp_path):
    given = world.package_input(base, "team/failing", repository="127.0.0.1:9/team/failing")
    code, result = run_pod(world, tmp_path / "package", given)
    assert (code, result.failure.reason) == (69, "RegistryUnavailable")
    assert "127.0.0.1:9" in result.failure.message
