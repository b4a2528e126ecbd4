"""The command of every stage's container: ``python3 -m compression_jobs <stage>``.

Owns the command line and nothing else; settings.py lists the environment variables that move the mounts.
"""

from __future__ import annotations

import os
import sys

from compression_contract.exitcodes import SIGTERM_CODE, ExitCode
from compression_jobs import runner
from compression_jobs.settings import Settings
from compression_jobs.stages import STAGES


def main(arguments: list[str]) -> int:
    """Run the stage that the command line names."""
    if len(arguments) != 1 or arguments[0] not in STAGES:
        sys.stderr.write(f"usage: python3 -m compression_jobs {{{','.join(STAGES)}}}\n")
        return ExitCode.USAGE
    return runner.main(arguments[0], Settings.from_environment(os.environ))


if __name__ == "__main__":
    code = main(sys.argv[1:])
    if code == SIGTERM_CODE:
        # Transfers that are under way may wait a minute for the network: nothing they do is wanted any more.
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
