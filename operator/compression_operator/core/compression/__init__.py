"""Decisions about a CompressionJob: plan, retries, gates, statistics."""
