"""Searches, from a query to ranked hits."""
