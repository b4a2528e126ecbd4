"""Paddle, started the one way that works here and gives the same numbers twice.

Owns the order of imports, the thread count and the seeds. Whatever needs Paddle takes it from here, so that
nothing can load it another way.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import warnings

# A sum's order depends on the number of threads, and so do the last bits of a weight.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Its native half tells each pass over a program.
os.environ.setdefault("GLOG_minloglevel", "2")
# Paddle 2.6 exports zlib's symbols: loaded first, it breaks the standard library's (Paddle issue 70538).
import zlib  # noqa: F401

# It warns of its own use of NumPy, and on each training that batch normalisation tracks its statistics.
warnings.filterwarnings("ignore", module=r"(paddle|paddleslim|astor|_distutils_hack)(\.|$)")
_level = logging.root.level
import paddle  # noqa: E402
from paddle import inference, nn  # noqa: E402
from paddle.nn import functional  # noqa: E402

# Its signal handlers abort the process; taking them away takes ours away too, so SIGTERM's is set again.
paddle.disable_signal_handler()
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))

__all__ = ["functional", "inference", "nn", "paddle", "quiet", "start"]


def quiet(*packages: str) -> None:
    """Let packages log errors only, and by our handlers: what they tell of each run helps nobody.

    To be called after each is loaded: they set the root logger's level too, and silence our own lines.
    """
    logging.root.setLevel(_level)
    for name in [*packages, *logging.root.manager.loggerDict]:
        if name.split(".")[0] in packages:
            logger = logging.getLogger(name)
            logger.handlers.clear()
            logger.setLevel(logging.ERROR)


def start(seed: int) -> None:
    """Go to dynamic mode on the CPU, with random numbers that begin at `seed`."""
    paddle.disable_static()
    paddle.set_device("cpu")
    paddle.seed(seed % 2**31)
    # Layers are numbered through a process; numbered anew, they have the same names in every saved program.
    paddle.base.unique_name.switch()


quiet("paddle")
