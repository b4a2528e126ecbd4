"""Training a network: batches, schedule, the loop, its history.

Owns how weights move. Must not know where data and teachers come from, nor artifacts.
"""
