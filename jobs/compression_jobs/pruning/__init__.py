"""Structured pruning: whole filters go, and with them all that is kept for their channels.

Owns which filters go and how a network is made narrower. Must not train.
"""
