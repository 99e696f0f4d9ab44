"""Filters: expressions over the metadata and the own fields of images."""
