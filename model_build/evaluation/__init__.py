"""How well descriptors rank pictures: protocols, measures, intervals, tables."""
