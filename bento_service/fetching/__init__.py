"""Fetching pictures from URLs that callers name."""
