"""Filters: which images pass an expression over their metadata and their own fields."""
