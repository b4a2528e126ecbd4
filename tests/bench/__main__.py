"""All benchmarks of compression, one after the other: `python -m bench [NAME …]` (`make bench-compression`).

Each prints its figures beside their bounds and ends with a code that is not 0 where one does not hold; so
does this. Nothing else should run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from rich.console import Console
from rich.table import Table

BENCHMARKS = {
    "agreement": "each network's final file against its fake-quantised model",
    "distillation": "throughput with cached teachers against a bare loop and uncached ones",
    "data_parallel": "two ranks against one",
    "runtimes": "FP32 against INT8 on each runtime",
    "compression": "accuracy, size and latency beside PaddleSlim ACT, onnxruntime and NNCF",
}


def main() -> int:
    """Run the named benchmarks, or all of them."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    chosen = parser.parse_args().names or list(BENCHMARKS)
    unknown = set(chosen) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark is named {min(unknown)}; choose of {', '.join(BENCHMARKS)}")
    console = Console()
    summary = Table("benchmark", "about", "seconds", "bounds", title="Summary")
    codes = []
    for name in chosen:
        console.rule(f"[bold]{name}[/]: {BENCHMARKS[name]}")
        begun = time.monotonic()
        codes.append(subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode)
        verdict = "[green]hold[/]" if codes[-1] == 0 else f"[red]do not hold (exit code {codes[-1]})[/]"
        summary.add_row(name, BENCHMARKS[name], f"{time.monotonic() - begun:.0f}", verdict)
    console.print(summary)
    return 0 if not any(codes) else 1


if __name__ == "__main__":
    sys.exit(main())
