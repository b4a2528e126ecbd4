"""``python3 -m compression_jobs pack-code FOLDER TARGET``: an author's folder as an artifact.

Owns the command. The result is copied to the object store as it is, `_SUCCESS` last.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from compression_contract.artifacts import ArtifactKind
from compression_contract.exitcodes import ExitCode
from compression_jobs.artifacts import Output, describe
from compression_jobs.checkpoint_places import write_folder
from compression_jobs.errors import StageError
from compression_jobs.user_code import ARCHIVE, archive, entry_points


def main(arguments: list[str]) -> int:
    """Pack, and print what the manifest of a job has to say."""
    parser = argparse.ArgumentParser(prog="python3 -m compression_jobs pack-code", description=__doc__)
    parser.add_argument("folder", type=Path, help="the author's code, with a code.json")
    parser.add_argument("target", type=Path, help="a new folder for the artifact")
    chosen = parser.parse_args(arguments)
    try:
        digest = pack(chosen.folder, chosen.target)
    except (StageError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return int(ExitCode.DATA)
    sys.stdout.write(
        f"Copy all files of {chosen.target} to a folder of your bucket, _SUCCESS last, and say in the job:\n"
        f"  spec:\n    code: {{uri: s3://BUCKET/FOLDER, digest: '{digest}'}}\n"
    )
    return int(ExitCode.SUCCESS)


def pack(folder: Path, target: Path) -> str:
    """Write the artifact of a folder, and return its digest; the same files give the same one.

    Raises:
        InvalidData: CodeInvalid, CodeUnsafe.
    """
    description = entry_points.describe(folder)
    with tempfile.TemporaryDirectory() as scratch:
        archive.pack(folder, Path(scratch) / ARCHIVE)
        points = description.entry_points.wire()
        output = Output(Path(scratch), ArtifactKind.CODE, {"entryPoints": points})
        write_folder(output, target)
        return describe(output).digest
