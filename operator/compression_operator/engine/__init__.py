"""The engine: keys in, passes out. Knows queues and passes, nothing of compression or of HTTP."""
