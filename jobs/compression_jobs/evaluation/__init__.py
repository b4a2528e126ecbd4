"""Measuring a model as it will be deployed.

Owns the measurements one by one: answers, agreement, latency, memory, processor. Must not know storage or
the operator; the stage puts them together.
"""
