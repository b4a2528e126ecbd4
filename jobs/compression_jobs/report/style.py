"""How every plot of the page looks.

Owns colours, sizes and the way a figure becomes bytes. Must not know what is drawn.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import matplotlib as mpl

mpl.use("Agg")
from matplotlib.figure import Figure

INK, MUTED, GRID = "#1f2933", "#6b7780", "#e6eaee"
# Okabe & Ito 2008: eight colours that people with any colour vision tell apart.
PALETTE: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d3b", "#5b5b5b")
GOOD, BAD, UNSURE = "#0b7a53", "#b42318", "#b7791f"
DPI: Final = 160

# Any: its own type is a list of all 400 settings.
_SETTINGS: Final[Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
}


@contextmanager
def figure(width: float = 6.4, height: float = 3.4) -> Iterator[Figure]:
    """A figure of this size in inches, in this style."""
    with mpl.rc_context(_SETTINGS):
        yield Figure(figsize=(width, height), dpi=DPI)


def png(drawn: Figure) -> bytes:
    """The picture's bytes; no date and no version in them, so that the same run gives the same page."""
    buffer = io.BytesIO()
    with mpl.rc_context(_SETTINGS):
        drawn.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
