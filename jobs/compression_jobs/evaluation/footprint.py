"""Peak resident memory of a process that serves one model.

Owns measuring it in a process of its own: in the evaluator's, data and the other model would count too. Must
not measure time.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from compression_jobs import children
from compression_jobs.errors import Defect
from compression_jobs.runtimes import DATATYPES, ModelFiles, runtime

CALLS: Final = 10
TIMEOUT_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class Load:
    """What the measured process does: open this model, which was opened here before, and call it."""

    runtime: str
    format: str
    paths: tuple[str, ...]
    threads: int
    shape: tuple[int, ...]
    """Of one call's input, the batch included."""


def measure(load: Load) -> int:
    """Peak resident bytes of a fresh process that opens and calls the model, Python and runtime included.

    Raises:
        OutOfMemory: the kernel killed that process.
        Defect: it failed otherwise, though the same model has run here.
    """
    arguments = [sys.executable, "-m", "compression_jobs.evaluation.footprint", json.dumps(asdict(load))]
    done = children.run(arguments, doing="measuring memory", timeout=TIMEOUT_SECONDS)
    # Native libraries may greet on standard output: the number is the last line.
    said = re.search(r"(?:^|\n)([0-9]+)\n$", done.stdout)
    if said is None:
        raise Defect("ChildFailed", f"The process for measuring memory said {done.stdout[:100]!r}.")
    return int(said[1])


def peak_resident(status: str) -> int:
    """Bytes of VmHWM in the content of /proc/<pid>/status.

    getrusage's ru_maxrss will not do: it starts from the parent's size across fork and exec.
    """
    found = re.search(r"^VmHWM:\s+([0-9]+) kB$", status, re.MULTILINE)
    if found is None:
        raise Defect("ChildFailed", "The kernel's process status has no VmHWM line.")
    return int(found[1]) * 1024


def main(arguments: Sequence[str]) -> None:
    """The measured process."""
    load = Load(**json.loads(arguments[0]))
    model = ModelFiles(load.format, tuple(map(Path, load.paths)))
    session = runtime(load.runtime).open(model, load.threads, checked=True)
    batch = np.zeros(load.shape, DATATYPES[session.input.datatype])
    for _ in range(CALLS):
        session.run(batch)
    sys.stdout.write(f"{peak_resident(Path('/proc/self/status').read_text(encoding='ascii'))}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
