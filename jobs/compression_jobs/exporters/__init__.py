"""From a trained network to files that other runtimes read.

Owns the way from a Paddle program to ONNX, with learned scales kept. Must not train.
"""
