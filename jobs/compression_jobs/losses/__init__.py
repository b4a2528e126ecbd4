"""What training minimises.

Owns the arithmetic of knowledge distillation: targets and weights as plain arrays, and one loss in Paddle.
Must not know networks, data or optimisers.
"""
