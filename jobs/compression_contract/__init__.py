"""What the operator and its pods agree on: stage inputs and results, artifacts, exit codes, keys.

Owns the wire format between the two halves of the project and nothing else: models and constants,
no I/O, no clock, no framework. Both sides import it; it imports neither.
"""
