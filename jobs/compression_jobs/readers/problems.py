"""What can be wrong with one record.

Owns the error that leaves a record out; what is wrong with a dataset as a whole is an error of the stage.
"""

from __future__ import annotations


class Unusable(Exception):
    """A record cannot be used; the message says why, in words that follow its name."""
