"""The whole test suite as one command: what `make test` runs."""
