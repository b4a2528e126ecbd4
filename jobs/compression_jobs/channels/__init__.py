"""What a network's channels have to do with each other.

Owns reading a network's operators, and which axes of which weights are one and the same channels. Must not
change a network.
"""
