"""What a network has that cannot be exported.

Owns the one exception of the converting process; it crosses to the stage as a sentence.
"""

from __future__ import annotations


class ExportProblem(Exception):
    """The network cannot be exported; the text says what is wrong and where, without a full stop."""
