"""What the operator says of itself: metrics, logs, health."""
