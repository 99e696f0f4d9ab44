"""Comparing two pictures and grouping duplicates."""
