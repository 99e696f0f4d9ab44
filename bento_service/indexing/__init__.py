"""The index follows the catalogue."""
