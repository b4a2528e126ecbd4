"""Faults for a serving image: Python imports this file by itself when it lies on PYTHONPATH.

Owns the ways in which a release can be bad although its files are in order. SERVING_FAULT says which one;
everything else of the server stays as it is.
"""

import functools
import os
import socket
import sys
import time

PREVIEW = "-preview-"
"""Part of the name of every preview pod."""


def never_ready():
    """Start, live, and never get ready."""
    from compression_serving.service import Service  # noqa: PLC0415

    Service.ready = property(lambda _: False)


def wrong_answers():
    """Pass the server's own check, and answer every request wrongly."""
    _distort(lambda: True)


def turns_bad():
    """Answer wrongly some seconds after the golden pairs were first asked for, but never in a preview.

    Whoever verifies a release asks for these pairs first: it finds a good release, which turns bad later.
    """
    from compression_serving import app  # noqa: PLC0415

    delay, asked = float(os.environ["SERVING_FAULT_SECONDS"]), []
    handler = app._golden

    @functools.wraps(handler)
    async def golden(request):
        asked.append(time.monotonic())
        return await handler(request)

    app._golden = golden
    if PREVIEW not in socket.gethostname():
        _distort(lambda: bool(asked) and time.monotonic() - asked[0] >= delay)


def _distort(now):
    from compression_serving.service import Service  # noqa: PLC0415

    predict = Service.predict

    async def distorted(self, inputs):
        outputs = await predict(self, inputs)
        return {name: -1 - array for name, array in outputs.items()} if now() else outputs

    Service.predict = distorted


if "compression_serving" in sys.orig_argv:
    {"never-ready": never_ready, "wrong-answers": wrong_answers, "turns-bad": turns_bad}[
        os.environ["SERVING_FAULT"]
    ]()
