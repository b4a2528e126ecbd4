"""The pure core: from what is wanted and what is seen to what is missing.

Owns every decision of the operator. Must not import kopf, an HTTP client, a clock, a random source or the
environment: time and identity come in as arguments (a machine checks it, see the import contracts).
"""
