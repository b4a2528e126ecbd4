"""FP32 against INT8 on each runtime."""
