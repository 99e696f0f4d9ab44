"""Measurements, each of both sides in one run: `python -m benchmarks.<name>`."""
