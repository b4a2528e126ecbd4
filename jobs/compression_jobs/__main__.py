"""The command of every container: ``python3 -m compression_jobs <stage>``.

Owns the command line and nothing else; settings.py lists the environment variables that move the mounts.
`fetch` and `store` stand before and beside a stage that runs an author's code; `check-code` and `pack-code`
are for the author's own machine.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Final

from compression_contract.exitcodes import SIGTERM_CODE, ExitCode
from compression_jobs import runner
from compression_jobs.settings import Settings
from compression_jobs.stages import STAGES

HELPERS: Final = {"fetch": "compression_jobs.fetching", "store": "compression_jobs.storing"}
TOOLS: Final = {
    "check-code": "compression_jobs.user_code.check",
    "pack-code": "compression_jobs.user_code.pack",
}


def main(arguments: list[str]) -> int:
    """Run what the command line names."""
    name = arguments[0] if arguments else ""
    if name in TOOLS:
        code: int = import_module(TOOLS[name]).main(arguments[1:])
        return code
    if len(arguments) != 1 or name not in {*STAGES, *HELPERS}:
        sys.stderr.write(f"usage: python3 -m compression_jobs {{{','.join((*STAGES, *HELPERS, *TOOLS))}}}\n")
        return ExitCode.USAGE
    settings = Settings.from_environment(os.environ)
    if name in HELPERS:
        return runner.help_out(name, settings, import_module(HELPERS[name]).work)
    return runner.main(name, settings)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    if code == SIGTERM_CODE:
        # Transfers that are under way may wait a minute for the network: nothing they do is wanted any more.
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
