"""Evaluation of descriptors: protocols, measures, intervals, tables."""
