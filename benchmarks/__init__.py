"""Benchmarks that measure both compared sides in one run: `python -m benchmarks.<name>`."""
