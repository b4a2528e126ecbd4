"""Paddle, started the one way that works here and gives the same numbers twice.

Owns the order of imports, the thread count and the seeds. Everything that needs Paddle calls `start` first;
importing this module alone loads nothing.
"""

from __future__ import annotations

import importlib
import logging
import os
import warnings
from functools import cache
from typing import Any

log = logging.getLogger(__name__)


@cache
def _load() -> Any:
    # A sum's order depends on the number of threads, and so do the last bits of a weight.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Paddle 2.6 exports zlib's symbols: loaded first, it breaks the standard library's (Paddle issue 70538).
    importlib.import_module("zlib")
    # It warns of its own use of NumPy and of batch normalisation tracking its statistics, on each start.
    warnings.filterwarnings("ignore", module=r"(paddle|paddleslim|astor)(\.|$)")
    level = logging.getLogger().level
    paddle = importlib.import_module("paddle")
    # It raises the root logger's level, and our lines would be lost.
    logging.getLogger().setLevel(level)
    # Its handlers abort the process on SIGTERM; ours ends the stage in order.
    paddle.disable_signal_handler()
    return paddle


def start(seed: int) -> Any:
    """The paddle module, in dynamic mode on the CPU, its random numbers starting from `seed`."""
    paddle = _load()
    paddle.disable_static()
    paddle.set_device("cpu")
    paddle.seed(seed % 2**31)
    # Layers are numbered through a process; numbered anew, they have the same names in every saved program.
    paddle.base.unique_name.switch()
    return paddle
