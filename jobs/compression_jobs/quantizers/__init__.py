"""Quantisers: what turns a float network into learned or calibrated grids.

Owns the ways to 8 bits. Must not write deployed files; exporters do.
"""
