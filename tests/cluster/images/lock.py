"""The locked requirement files: every wheel of an image with its hashes, resolved from pyproject's groups.

    python -m cluster.images.lock [--upgrade]

Versions that a file already names are kept unless `--upgrade` is given. The index stays unnamed in them.
"""

import argparse
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cluster import paths
from cluster.errors import ClusterError, MissingRequirementError

REPOSITORY = paths.PACKAGE.parents[1]
FILES = {
    "operator": "operator/requirements.txt",
    "runner": "jobs/requirements-runner.txt",
    "evaluator": "jobs/requirements-evaluator.txt",
    "evaluator-openvino": "jobs/requirements-evaluator-openvino.txt",
    "tools": "jobs/requirements-tools.txt",
    "serving": "jobs/requirements-serving.txt",
    "dev": "tests/requirements.txt",
}
PYTHON_VERSION = "3.11"  # Debian bookworm's, and so the images'


def uv() -> str:
    """The path of uv: beside this interpreter, or on PATH; raises MissingRequirementError."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise MissingRequirementError("uv not found: install it with `python3 -m pip install uv`")
    return found


def lock(group: str, *, upgrade: bool = False) -> None:
    """Write one group's requirement file; raises ClusterError with the resolver's words."""
    command = [uv(), "pip", "compile", "--quiet", "pyproject.toml", "--group", group, "-o", FILES[group]]
    command += ["--generate-hashes", "--no-emit-index-url", "--no-emit-find-links"]
    command += ["--python-version", PYTHON_VERSION, "--python-platform", "linux"]
    if upgrade:
        command.append("--upgrade")
    environment = {**os.environ, "UV_CUSTOM_COMPILE_COMMAND": "make lock"}
    result = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise ClusterError(f"the requirements of {group} cannot be resolved:\n{result.stderr.strip()}")


def main() -> None:
    """Lock every group, two at a time."""
    parser = argparse.ArgumentParser(prog="cluster.images.lock", description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    upgrade: bool = parser.parse_args().upgrade
    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(lambda group: lock(group, upgrade=upgrade), FILES):
            pass


if __name__ == "__main__":
    main()
