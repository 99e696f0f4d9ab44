"""Decoding in limited child processes."""
