"""Gates: from measured facts to three-valued verdicts that fail closed.

Owns one module per type of gate and the rule that anything missing, stale or not a number never passes.
"""
