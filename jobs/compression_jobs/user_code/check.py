"""``python3 -m compression_jobs check-code FOLDER``: can a training pod use an author's code?

Owns the command: the code is packed, unpacked and loaded as in a pod, then the network takes a step and is
exported, and the reader reads. Runs the code: for the author's own machine.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from compression_contract.exitcodes import ExitCode
from compression_jobs import framework, networks, readers, user_code
from compression_jobs.artifacts import LocalArtifact
from compression_jobs.checkpoint_places import read_folder
from compression_jobs.errors import StageError
from compression_jobs.exporters.convert import to_float_onnx
from compression_jobs.exporters.program import save_program
from compression_jobs.failures import as_stage_error
from compression_jobs.framework import functional, paddle
from compression_jobs.user_code import archive, entry_points
from compression_jobs.user_code.entry_points import NAME, Check

BATCH = 8


def main(arguments: list[str]) -> int:
    """Try it, saying what was found."""
    parser = argparse.ArgumentParser(prog="python3 -m compression_jobs check-code", description=__doc__)
    parser.add_argument("folder", type=Path, help="the author's code, with a code.json")
    parser.add_argument("--data", type=Path, help="a dataset as the store has it, with its manifest.json")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            for line in findings(chosen.folder, chosen.data, Path(scratch)):
                sys.stdout.write(f"  ok  {line}\n")
        except Exception as caught:  # noqa: BLE001 - whatever the code raises is what was asked for
            error = as_stage_error(caught, Path(scratch))
            if not isinstance(caught, StageError):
                traceback.print_exception(caught)
            sys.stderr.write(f"FAIL  {error.message}\n")
            return int(error.exit_code)
    return int(ExitCode.SUCCESS)


def findings(folder: Path, data: Path | None, scratch: Path) -> Iterator[str]:
    """What works, a sentence each; the first that does not is raised.

    Raises:
        StageError: of ours; and whatever the code raises.
    """
    description = entry_points.describe(folder)
    packed, unpacked = scratch / "code.tar.gz", scratch / "code"
    archive.pack(folder, packed)
    archive.unpack(packed, unpacked)
    yield f"packed: {packed.stat().st_size} bytes, entry points {json.dumps(description.entry_points.wire())}"
    framework.start(0)
    user_code.use(unpacked, description.entry_points)
    if description.entry_points.network is not None:
        yield from _network(description.check, scratch)
    if description.entry_points.reader is not None:
        yield from _reader(data)


def _network(check: Check, scratch: Path) -> Iterator[str]:
    network = networks.build(NAME, check.input_shape, check.num_classes)
    yield f"network built: {networks.parameters(network)} parameters"
    random = np.random.RandomState(0)
    inputs = paddle.to_tensor(random.randn(BATCH, *check.input_shape).astype(np.float32))
    labels = paddle.to_tensor(random.randint(0, check.num_classes, BATCH))
    network.train()
    output = network(inputs)
    yield f"forward: {list(inputs.shape)} to {list(output.shape)}"
    target = functional.cross_entropy if list(output.shape) == [BATCH, check.num_classes] else _mean
    loss = target(output, labels)
    loss.backward()
    without = [
        name for name, tensor in network.named_parameters() if _trained(tensor) and tensor.grad is None
    ]
    optimizer = paddle.optimizer.Adam(1e-3, parameters=[t for t in network.parameters() if _trained(t)])
    optimizer.step()
    yield f"backward and one step: loss {float(loss):.4f}, parameters without a gradient: {without or 'none'}"
    network.eval()
    save_program(network, check.input_shape, scratch / "float")
    to_float_onnx(scratch / "float", scratch / "float.onnx", 13, scratch)
    yield f"exported to ONNX: {(scratch / 'float.onnx').stat().st_size} bytes"


def _reader(data: Path | None) -> Iterator[str]:
    if data is None:
        yield "reader made; say --data FOLDER to let it read"
        return
    stored = read_folder(data)
    artifact = LocalArtifact(stored.manifest, stored.digest, data)
    dataset = readers.open_reader(NAME, artifact)
    for split in sorted(dataset.facts.splits):
        part = dataset.split(split)
        count = min(BATCH, len(part))
        inputs, targets = part.inputs(np.arange(count)), part.targets(np.arange(count))
        shapes = {name: list(values.shape) for name, values in targets.items()}
        found = f"inputs {inputs.dtype} {list(inputs.shape)}, targets {shapes}"
        yield f"split {split}: {len(part)} samples, {found}"


def _trained(tensor: Any) -> bool:
    return not tensor.stop_gradient


def _mean(output: Any, _labels: Any) -> Any:
    """Some loss of an output that is no list of logits."""
    return output.astype("float32").square().mean()
